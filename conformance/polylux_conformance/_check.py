"""Check: one named thing that a backend must do, and the list of all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeAlias

from polylux.backend import Capability
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject

Body: TypeAlias = Callable[[Subject, Findings], None]

LEVELS = ("core", "oracle", "training", "second")
"""From what every backend needs to what some can do; `"all"` stands for all of them."""


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that a backend must do.

    Attributes
    ----------
    id : str
        `"family/name"`; what reports show and known gaps name.
    level : str
    about : str
        One sentence: what holds if it passes.
    body : callable
        `body(subject, findings)`: notes comparisons; an exception is a failure too.
    needs : frozenset of Capability
        It applies to backends that claim all of these.
    applies : callable
        `applies(subject)`: None, or why the check says nothing about this backend.
    """

    id: str
    level: str
    about: str
    body: Body = dataclasses.field(repr=False)
    needs: frozenset[Capability] = frozenset()
    applies: Callable[[Subject], str | None] = dataclasses.field(
        default=lambda subject: None, repr=False
    )

    def not_applicable(self, subject: Subject) -> str | None:
        """Why this check says nothing about a backend; None if it does."""
        lacking = sorted(c.value for c in self.needs - subject.backend.capabilities)
        if lacking:
            return f"{subject.backend.name} does not claim {', '.join(lacking)}"
        return self.applies(subject)


def levels_up_to(names: Iterable[str]) -> tuple[str, ...]:
    """These levels in order, `"all"` spelled out.

    Raises
    ------
    ValueError
        For a name that is no level.
    """
    wanted = set(names)
    unknown = wanted - {*LEVELS, "all"}
    if unknown:
        raise ValueError(
            f"there is no level {', '.join(map(repr, sorted(unknown)))}; the levels are "
            f"{', '.join(LEVELS)} and all"
        )
    return LEVELS if "all" in wanted else tuple(name for name in LEVELS if name in wanted)


def truncated(subject: Subject) -> str | None:
    """Why a difference quotient is not asked: for `Check.applies`."""
    return "a difference quotient cannot follow this point" if subject.is_truncated else None
