"""Timing two callables against each other: interleaved, in one process, with an interval."""

from __future__ import annotations

import dataclasses
import gc
import math
import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

PAIRS = 41
"""In each repeat. One loop against itself scatters by 3 to 8 % on a shared machine, and the median
of 41 pairs by a fifth of that."""

REPEATS = 3
SHORTEST = 2e-3
"""Seconds that a sample of either side takes at least, by calling again and again: clocks and
switches of the processor are then below a percent."""

LOOP = 20e-3
"""The same of training steps. A loop waits for a result now and then, not after each step: what a
framework does while Python goes on is hidden in a loop, and not in a single step. Nor does a loop
find the processor's caches full of another's code: 15 steps of a small model after 15 of Keras's
were a fifth slower than 240 after 240."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two ways to do one thing.

    Attributes
    ----------
    suite, name, backend, setting : str
        What is compared: `"train"`, `"step"`, `"jax"`, `"4-8-2, batch 8"`.
    ours, theirs : callable
        Each does the work once and returns its result.
    peer : str
        What `theirs` is.
    bar : float, optional
        The ratio that is asked for; None where there is none.
    wait : callable
        Called with the last result of a sample, inside its time: blocks until it is there.
    is_first_call : bool
        Each call begins anew and compiles: no warm-up, one call a sample.
    most : int, optional
        As many pairs at most, in one repeat, where a call takes long.
    """

    shortest: ClassVar[float] = SHORTEST

    suite: str
    name: str
    backend: str
    setting: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    peer: str
    bar: float | None = None
    wait: Callable[[Any], Any] = lambda result: result
    is_first_call: bool = False
    most: int | None = None

    def measured(self, pairs: int, repeats: int) -> Measurement:
        """What comes out of `repeats` times `pairs` pairs."""
        if self.most is not None:
            pairs, repeats = min(pairs, self.most), 1
        return measure(self, pairs, repeats)


@dataclasses.dataclass(frozen=True)
class Loop(Pair):
    """Two training loops; each call makes one step."""

    shortest: ClassVar[float] = LOOP


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What a comparison found.

    Attributes
    ----------
    ours, theirs : float
        Median of one call: seconds, or what `unit` says.
    ratio, low, high : float
        Median of the pairs' ratios ours / theirs, and its 95 % interval; of a handful of pairs,
        the least and the largest.
    pairs : int
        How many there were.
    unit : str
        `"s"`, `"B"`, `"calls"` or `"objects"`.
    """

    suite: str
    name: str
    backend: str
    setting: str
    peer: str
    bar: float | None
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    pairs: int
    unit: str = "s"

    @property
    def verdict(self) -> str:
        """`"met"`, `"missed"` (the whole interval lies above the bar), or `""` without a bar."""
        if self.bar is None:
            return ""
        return "missed" if self.low > self.bar else "met"


def measure(pair: Pair, pairs: int = PAIRS, repeats: int = REPEATS) -> Measurement:
    """Time a pair in the order A B B A, `repeats` times `pairs` of them."""
    calls = 1
    if not pair.is_first_call:
        for side in (pair.ours, pair.theirs):
            for _ in range(3):  # compilation, caches
                pair.wait(side())
        calls = _calls(pair)
    ratios, ours, theirs = [], [], []
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for _ in range(repeats):
            for _ in range(pairs):
                a1 = _sample(pair, pair.ours, calls)
                b1 = _sample(pair, pair.theirs, calls)
                b2 = _sample(pair, pair.theirs, calls)
                a2 = _sample(pair, pair.ours, calls)
                ratios.append((a1 + a2) / (b1 + b2))
                ours += [a1, a2]
                theirs += [b1, b2]
            gc.collect()
    finally:
        if was_enabled:
            gc.enable()
    low, high = interval(ratios)
    return Measurement(
        pair.suite, pair.name, pair.backend, pair.setting, pair.peer, pair.bar,
        float(np.median(ours)), float(np.median(theirs)), float(np.median(ratios)), low, high,
        len(ratios),
    )  # fmt: skip


def _sample(pair: Pair, side: Callable[[], Any], calls: int) -> float:
    """Seconds of one call, over `calls` of them."""
    start = time.perf_counter()
    for _ in range(calls):
        result = side()
    pair.wait(result)
    return (time.perf_counter() - start) / calls


def _calls(pair: Pair) -> int:
    """How many calls make up a sample, until that of either side is long enough.

    The same for both sides: of a framework that works while Python goes on, more calls in a sample
    hide more of their time, and hold more memory. One loop against itself was at 0.82 with 16
    calls against 4.
    """
    calls = 1
    while calls < 1_000_000:
        shortest = [
            min(_sample(pair, side, calls) for _ in range(3)) for side in (pair.ours, pair.theirs)
        ]
        if min(shortest) * calls >= pair.shortest:
            break
        calls *= 2
    return calls


def interval(ratios: list[float]) -> tuple[float, float]:
    """95 % interval of the median: order statistics, by the binomial's normal limit."""
    ordered = sorted(ratios)
    n = len(ordered)
    half = 1.96 * math.sqrt(n) / 2
    low = max(0, math.floor(n / 2 - half))
    high = min(n - 1, math.ceil(n / 2 + half) - 1)
    return ordered[low], ordered[high]
