"""How far backends are from each other, pair by pair, on the numbers that they all found."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from polylux_conformance._compare import errors_in_ulps
from polylux_conformance._report import Report


@dataclasses.dataclass(frozen=True)
class Pair:
    """The largest deviations of two backends.

    Attributes
    ----------
    first, second : str
        Selectors.
    compared : int
        Arrays that both found.
    ulps : float
        The largest deviation, in units in the last place of the dtype at the largest entry of the
        two arrays.
    top : tuple of (str, float)
        Where the largest few are: check and quantity, and the deviation.
    """

    first: str
    second: str
    compared: int
    ulps: float
    top: tuple[tuple[str, float], ...]


def pairs(reports: Sequence[Report]) -> list[Pair]:
    """Every pair of backends, the first before the second in `reports`."""
    return [
        _pair(first, second)
        for i, first in enumerate(reports)
        for second in reports[i + 1 :]
    ]


def _pair(first: Report, second: Report) -> Pair:
    others = {result.id: result.samples for result in second.results}
    found = []
    for result in first.results:
        for key, numbers in result.samples.items():
            theirs = others.get(result.id, {}).get(key)
            if theirs is not None and len(theirs) == len(numbers) and numbers:
                found.append((f"{result.id}: {key}", _deviation(key, numbers, theirs)))
    found.sort(key=lambda entry: -entry[1])
    largest = found[0][1] if found else 0.0
    return Pair(first.selector, second.selector, len(found), largest, tuple(found[:8]))


def _deviation(key: str, mine: list[float], theirs: list[float]) -> float:
    dtype = key.partition(" ")[0]
    a, b = np.asarray(mine), np.asarray(theirs)
    finite = np.abs(b[np.isfinite(b)])
    floor = float(finite.max()) if finite.size else 0.0
    return float(np.max(errors_in_ulps(a, b, dtype, floor)))
