"""The file that keeps a user's preferences for later processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from polylux.errors import PolyluxWarning, warn


def preferences_file() -> Path:
    """Where `set_preferences(..., persist=True)` writes; the file need not exist.

    Returns
    -------
    pathlib.Path
    """
    named = os.environ.get("POLYLUX_PREFERENCES")
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or str(Path.home())
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "polylux" / "preferences.json"


def read_file() -> dict[str, Any]:
    """The file's entries; none, with a warning, if it is there and cannot be read."""
    import json  # most users have no such file, and a process reads it once

    try:
        text = preferences_file().read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        return {}  # RuntimeError: a user without a home directory
    except (OSError, UnicodeDecodeError) as error:
        complain(f"cannot be read ({error})")
        return {}
    try:
        entries = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        complain(f"is no JSON ({error})")
        return {}
    if not isinstance(entries, dict):
        complain(f"holds a {type(entries).__name__}, expected an object")
        return {}
    return entries


def write_file(values: dict[str, str]) -> None:
    """Put these entries beside those that the file has; nothing happens if it has them."""
    import json

    path = preferences_file()
    before = read_file()
    if before | values == before:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: another process may read it at this moment.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(before | values, indent=4) + "\n", encoding="utf-8")
    draft.replace(path)


def complain(what: str) -> None:
    """Warn of what is wrong with the file."""
    warn(
        f"the preferences file {preferences_file()} {what}; the defaults are used in its place: "
        "mend it, delete it, or write it anew with set_preferences(..., persist=True)",
        PolyluxWarning,
    )
