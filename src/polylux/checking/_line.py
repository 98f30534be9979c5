"""Line: a scalar function along one direction, next to what its gradient says of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Hosts = Sequence[np.ndarray[Any, Any]]


class Line:
    """`f(x + t v)` for numbers `t`, and the change that a gradient predicts.

    Points are rounded to the leaves' dtypes. The prediction is for the points as rounded, so that
    this rounding is no error.

    Parameters
    ----------
    f : callable
        `f(leaves)`: the value at these host arrays, a float.
    leaves, gradients, direction : sequences of numpy arrays
        Point, gradient and direction; the last of float64.
    value : float
        At the point.
    """

    def __init__(
        self,
        f: Callable[[Hosts], float],
        leaves: Hosts,
        gradients: Hosts,
        direction: Hosts,
        value: float,
    ) -> None:
        self._f = f
        self._leaves = leaves
        self._gradients = [np.asarray(g, np.float64) for g in gradients]
        self._direction = direction
        self._known = {0.0: (value, 0.0)}
        self.slope = _dot(self._gradients, direction)
        """By the gradient."""
        self.weight = _dot([*map(np.abs, self._gradients)], [*map(np.abs, direction)])
        """The same sum with all terms positive: what its rounding is relative to."""

    def at(self, t: float) -> tuple[float, float]:
        """The value at `x + t v`, and the change from `x` that the gradient predicts."""
        if t not in self._known:
            moved = [
                (np.asarray(x, np.float64) + t * v).astype(x.dtype)
                for x, v in zip(self._leaves, self._direction, strict=True)
            ]
            changes = [
                np.asarray(y, np.float64) - np.asarray(x, np.float64)
                for x, y in zip(self._leaves, moved, strict=True)
            ]
            self._known[t] = (self._f(moved), _dot(self._gradients, changes))
        return self._known[t]

    def excess(self, t: float) -> float:
        """How much more the value changes from `x` to `x + t v` than the gradient predicts."""
        value, predicted = self.at(t)
        return value - self.at(0.0)[0] - predicted

    def mismatch(self, h: float) -> float:
        """The central difference quotient over `h` and `-h`, less the gradient's slope."""
        return (self.excess(h) - self.excess(-h)) / (2 * h)

    def largest(self) -> float:
        """The largest value met so far."""
        return max(abs(value) for value, _ in self._known.values())

    def is_finite(self) -> bool:
        """Whether all values met so far are."""
        return all(math.isfinite(value) for value, _ in self._known.values())


def _dot(xs: Hosts, ys: Hosts) -> float:
    return math.fsum(float(np.vdot(x, y)) for x, y in zip(xs, ys, strict=True))
