"""How far backends are from each other, pair by pair, on the numbers that they all found."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from polylux_conformance._compare import errors_in_ulps
from polylux_conformance._report import Report
from polylux_conformance._sample import Sample

KEPT = 8
"""So many of the largest deviations are told."""


@dataclasses.dataclass(frozen=True)
class Deviation:
    """How far two backends are from each other on one array.

    Attributes
    ----------
    where : str
        Check and quantity.
    ulps : float
        In units in the last place.
    units : float
        The same as a part of what is allowed: above 1 they do not agree.
    """

    where: str
    ulps: float
    units: float


@dataclasses.dataclass(frozen=True)
class Pair:
    """The verdict on two backends: whether they agree.

    Each may be as far from the other as from the truth: 16 ulps times the condition number where
    both are exact, and as far as the less accurate one's declaration allows where one is not.

    Attributes
    ----------
    first, second : str
        Selectors.
    compared : int
        Arrays that both found.
    failed : int
        How many of them are further apart than is allowed.
    ulps, units : float
        The largest deviation, in units in the last place, and the largest in units of what is
        allowed: not always that of the same array.
    top : tuple of Deviation
        The largest few, those that are not allowed first.
    """

    first: str
    second: str
    compared: int
    failed: int
    ulps: float
    units: float
    top: tuple[Deviation, ...]

    @property
    def passed(self) -> bool:
        """Whether they agree."""
        return not self.failed

    def __str__(self) -> str:
        if not self.compared:
            return f"{self.first} and {self.second}: nothing that both computed was compared"
        verdict = (
            "agree" if self.passed else f"do not agree on {self.failed} of {self.compared} arrays"
        )
        lines = [
            f"{self.first} and {self.second} {verdict}: {self.compared} compared, at most "
            f"{self.ulps:.3g} ulps and {self.units:.2g} times the tolerance apart"
        ]
        if self.failed:
            lines += [
                f"    {d.where}: {d.ulps:.3g} ulps, {d.units:.3g} times the tolerance"
                for d in self.top
                if d.units > 1
            ]
        return "\n".join(lines)


def pairs(reports: Sequence[Report]) -> list[Pair]:
    """Every pair of backends, the first before the second in `reports`."""
    return [_pair(first, second) for i, first in enumerate(reports) for second in reports[i + 1 :]]


def _pair(first: Report, second: Report) -> Pair:
    others = {result.id: result.samples for result in second.results}
    found = []
    for result in first.results:
        for key, mine in result.samples.items():
            theirs = others.get(result.id, {}).get(key)
            if theirs is not None and mine.numbers:
                found.append(_deviation(f"{result.id}: {key}", mine, theirs))
    found.sort(key=lambda d: (d.units <= 1, -d.ulps))
    return Pair(
        first.selector, second.selector, len(found), sum(d.units > 1 for d in found),
        max((d.ulps for d in found), default=0.0), max((d.units for d in found), default=0.0),
        tuple(found[:KEPT]),
    )  # fmt: skip


def _deviation(where: str, mine: Sample, theirs: Sample) -> Deviation:
    if (mine.dtype, len(mine.numbers)) != (theirs.dtype, len(theirs.numbers)):
        return Deviation(where, math.inf, math.inf)
    floor = max(mine.floor, theirs.floor)
    errors = errors_in_ulps(np.asarray(mine.numbers), np.asarray(theirs.numbers), mine.dtype, floor)
    ulps = float(np.max(errors))
    return Deviation(where, ulps, ulps / max(mine.allowed, theirs.allowed))
