"""Known gaps: checks that a backend is known to fail, as data that its plugin owns."""

from __future__ import annotations

import dataclasses
import importlib.util
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from polylux import registry
from polylux_conformance._check import Check
from polylux_conformance._subject import Subject

FILE_NAME = "conformance-gaps.toml"
"""Beside the plugin's `__init__.py`, this file is read without being named."""


@dataclasses.dataclass(frozen=True)
class Gap:
    """A check that is known to fail.

    Attributes
    ----------
    test : str
        Id of the check; `*` stands for anything.
    reason : str
        Why it fails, for users.
    link : str
        Where this is discussed or tracked.
    """

    test: str
    reason: str
    link: str


def read_gaps(path: str | Path) -> tuple[Gap, ...]:
    """The known gaps in a TOML file.

    The file holds tables like this one::

        [[gap]]
        test = "array function/sort"
        reason = "the framework's sort has no derivative"
        link = "https://example.org/issues/12"

    Raises
    ------
    ValueError
        If an entry lacks one of the three, or has another.
    """
    content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    if set(content) - {"gap"}:
        raise ValueError(f"{path} holds {sorted(content)}; expected tables [[gap]] only")
    gaps = []
    for entry in content.get("gap", []):
        if set(entry) != {"test", "reason", "link"} or not all(
            isinstance(text, str) and text.strip() for text in entry.values()
        ):
            raise ValueError(
                f"{path}: each [[gap]] has a test, a reason and a link, all non-empty; got {entry}"
            )
        gaps.append(Gap(**entry))
    return tuple(gaps)


def gaps_of(subject: Subject) -> tuple[Gap, ...]:
    """The known gaps that the plugin of a backend ships."""
    plugin = registry.plugins().get(subject.backend.name)
    if plugin is None:
        return ()
    package = plugin.backend.partition(":")[0].partition(".")[0]
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(place) / FILE_NAME
        if path.is_file():
            return read_gaps(path)
    return ()


def gap_for(check: Check, gaps: Sequence[Gap]) -> Gap | None:
    """The known gap that speaks of this check."""
    return next((gap for gap in gaps if _speaks_of(gap, check)), None)


def unmatched(gaps: Sequence[Gap], checks: Sequence[Check]) -> list[Gap]:
    """The gaps that speak of no check."""
    return [gap for gap in gaps if not any(_speaks_of(gap, check) for check in checks)]


def _speaks_of(gap: Gap, check: Check) -> bool:
    # Ids hold brackets, which are no pattern here.
    pattern = gap.test.replace("[", "[[]")
    return fnmatchcase(check.id, pattern)
