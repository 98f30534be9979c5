"""Comparing amounts that are no times: bytes, and how often something was called."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable

from polylux_benchmarks._timing import Measurement, interval


@dataclasses.dataclass(frozen=True)
class Amount:
    """Two numbers, each found anew for every repeat.

    Attributes
    ----------
    suite, name, backend, setting, peer, bar
        As of a `Pair`.
    ours, theirs : callable
        Each returns a number that is not negative.
    unit : str
        `"B"`, `"calls"` or `"objects"`.
    is_exact : bool
        The same at each repeat: one is enough.
    """

    suite: str
    name: str
    backend: str
    setting: str
    ours: Callable[[], float]
    theirs: Callable[[], float]
    peer: str
    unit: str
    bar: float | None = None
    is_exact: bool = False

    def measured(self, pairs: int, repeats: int) -> Measurement:
        """What comes out of `repeats` of each; `pairs` is for times."""
        count = 1 if self.is_exact else repeats
        found = [(self.ours(), self.theirs()) for _ in range(count)]
        ratios = [_ratio(a, b) for a, b in found]
        ours, theirs = (statistics.median(side) for side in zip(*found, strict=True))
        low, high = interval(ratios)
        return Measurement(
            self.suite, self.name, self.backend, self.setting, self.peer, self.bar, ours, theirs,
            statistics.median(ratios), low, high, count, self.unit,
        )  # fmt: skip


def _ratio(ours: float, theirs: float) -> float:
    """As of times; nothing against nothing is 1."""
    if theirs:
        return ours / theirs
    return float("inf") if ours else 1.0
