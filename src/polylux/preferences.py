"""Preferences: what a user sets once for a process, a block of code, a shell or for good.

Each is one word out of a few. The first of these that names it holds: the innermost
:func:`override_preferences` around the call (in this thread or task only), the latest
:func:`set_preferences` of this process, the environment variable `POLYLUX_<NAME>`, the user's
file, and the default. The file is written by `set_preferences(..., persist=True)` alone, and read
when a preference is first asked for.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from polylux.errors import DomainError, OptionError, PolyluxWarning, nearest


class Preference:
    """One word out of a few.

    Parameters
    ----------
    name : str
    default : str
    choices : tuple of str
    """

    __slots__ = ("_scoped", "_value", "choices", "default", "name")

    def __init__(self, name: str, default: str, choices: tuple[str, ...]) -> None:
        self.name = name
        self.default = default
        self.choices = choices
        self._value: str | None = None  # not looked up yet
        self._scoped: ContextVar[str | None] = ContextVar(name, default=None)

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"POLYLUX_{self.name.upper()}"

    def get(self) -> str:
        """The word that holds here and now."""
        return self._scoped.get() or self._value or self._look_up()

    def check(self, value: Any, where: str) -> str:
        """The word itself, if it is one of the choices; `where` it was found, for the message."""
        if value not in self.choices:
            raise DomainError(
                f"{where} must be one of {', '.join(map(repr, self.choices))}, got {value!r}"
            )
        return str(value)

    def _look_up(self) -> str:
        given = os.environ.get(self.variable)
        if given:
            value = self.check(given, f"the environment variable {self.variable}")
        else:
            value = self._in_file() or self.default
        self._value = value
        return value

    def _in_file(self) -> str | None:
        value = _read_file().get(self.name)
        if value is None or value in self.choices:
            return value
        _complain(f"has {self.name} = {value!r}, expected one of {', '.join(self.choices)}")
        return None


_MODES = ("disable", "warn", "error")

ELTYPE_MISMATCH_HANDLING = Preference(
    "eltype_mismatch_handling", "none", ("none", "warn", "convert", "error")
)
DISPATCH_DOCTOR_LAYERS = Preference("dispatch_doctor_layers", "warn", _MODES)
DISPATCH_DOCTOR_TRAINING = Preference("dispatch_doctor_training", "warn", _MODES)

_ALL = {
    p.name: p for p in (ELTYPE_MISMATCH_HANDLING, DISPATCH_DOCTOR_LAYERS, DISPATCH_DOCTOR_TRAINING)
}


def get_preference(name: str) -> str:
    """The value of a preference, here and now.

    Parameters
    ----------
    name : str
        `"eltype_mismatch_handling"`, `"dispatch_doctor_layers"` or `"dispatch_doctor_training"`.

    Returns
    -------
    str

    Raises
    ------
    OptionError
        If there is none of that name.
    DomainError
        If its environment variable holds none of its values.

    Examples
    --------
    >>> with override_preferences(eltype_mismatch_handling="convert"):
    ...     get_preference("eltype_mismatch_handling")
    'convert'
    """
    return _find(name).get()


def set_preferences(*, persist: bool = False, **values: str) -> None:
    """Set preferences for this process, and with `persist` for the user's later ones.

    Setting what is set already does nothing.

    Parameters
    ----------
    persist : bool
        Also write them to the user's file: the one that the environment variable
        `POLYLUX_PREFERENCES` names, or `polylux/preferences.json` in the user's configuration
        directory. An environment variable of a preference's own goes before the file.
    **values : str
        By name: `eltype_mismatch_handling` (`"none"`, `"warn"`, `"convert"` or `"error"`),
        `dispatch_doctor_layers`, `dispatch_doctor_training` (`"disable"`, `"warn"` or `"error"`).

    Raises
    ------
    OptionError
        For a name that is no preference.
    DomainError
        For a value that a preference cannot have; then none is set.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> set_preferences(eltype_mismatch_handling="none")
    """
    checked = _checked(values)
    for preference, value in checked.items():
        preference._value = value
    if persist:
        _write_file({preference.name: value for preference, value in checked.items()})


def set_dispatch_doctor_preferences(
    mode: str | None = None,
    *,
    layers: str | None = None,
    training: str | None = None,
    persist: bool = False,
) -> None:
    """What happens when the dispatch doctor finds a re-trace, a re-compile or a drift of dtypes.

    It looks at the calls of one training run, and at the operators' calls of one function, and
    names the leaf and the mend. Setting what is set already does nothing.

    Parameters
    ----------
    mode : str, optional
        For both parts: `"disable"`, `"warn"` (each cause once, the default) or `"error"`.
    layers : str, optional
        For what layers do: a state or a parameter that comes back in another dtype
        (`DTypeDriftWarning`).
    training : str, optional
        For what calls do: a compiled step that is traced anew again and again (`RetraceWarning`).
    persist : bool
        As for `set_preferences`.

    Raises
    ------
    DomainError
        For any other mode.
    OptionError
        If no mode is given.

    References
    ----------
    `set_dispatch_doctor_preferences!` of the Utilities page.

    Examples
    --------
    >>> set_dispatch_doctor_preferences("warn")
    >>> set_dispatch_doctor_preferences(layers="warn", training="warn")
    """
    modes = {
        DISPATCH_DOCTOR_LAYERS.name: mode if layers is None else layers,
        DISPATCH_DOCTOR_TRAINING.name: mode if training is None else training,
    }
    given = {name: value for name, value in modes.items() if value is not None}
    if not given:
        raise OptionError(
            "set_dispatch_doctor_preferences needs a mode, or layers=... or training=...; "
            f"modes are {', '.join(map(repr, _MODES))}"
        )
    set_preferences(persist=persist, **given)


@contextlib.contextmanager
def override_preferences(**values: str) -> Iterator[None]:
    """A context in which preferences have other values, in this thread or task only.

    Parameters
    ----------
    **values : str
        As for `set_preferences`.

    Yields
    ------
    None

    Raises
    ------
    OptionError, DomainError
        As for `set_preferences`.

    Examples
    --------
    >>> with override_preferences(eltype_mismatch_handling="error"):
    ...     pass
    """
    tokens = [(p, p._scoped.set(value)) for p, value in _checked(values).items()]
    try:
        yield
    finally:
        for preference, token in tokens:
            preference._scoped.reset(token)


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


def _find(name: str) -> Preference:
    try:
        return _ALL[name]
    except KeyError:
        raise OptionError(f"there is no preference {name!r}; {nearest(str(name), _ALL)}") from None


def _checked(values: Mapping[str, Any]) -> dict[Preference, str]:
    found = {_find(name): value for name, value in values.items()}
    return {p: p.check(value, p.name) for p, value in found.items()}


def _read_file() -> dict[str, Any]:
    """The file's entries; none, with a warning, if it is there and cannot be read."""
    import json  # most users have no such file, and a process reads it once

    try:
        text = preferences_file().read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, RuntimeError, UnicodeDecodeError) as error:  # RuntimeError: no home directory
        _complain(f"cannot be read ({error})")
        return {}
    try:
        entries = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        _complain(f"is no JSON ({error})")
        return {}
    if not isinstance(entries, dict):
        _complain(f"holds a {type(entries).__name__}, expected an object")
        return {}
    return entries


def _write_file(values: dict[str, str]) -> None:
    import json

    path = preferences_file()
    before = _read_file()
    if before | values == before:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: another process may read it at this moment.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(before | values, indent=4) + "\n", encoding="utf-8")
    draft.replace(path)


def _complain(what: str) -> None:
    warnings.warn(
        f"the preferences file {preferences_file()} {what}; the defaults are used in its place: "
        "mend it, delete it, or write it anew with set_preferences(..., persist=True)",
        PolyluxWarning,
        stacklevel=2,
    )
