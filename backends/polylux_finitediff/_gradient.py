"""Central differences: outputs and their derivatives along tangents."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from polylux.dtypes import MACHINE_EPSILON, dtype_name
from polylux_finitediff._arrays import recording, replaying

Arrays = tuple[Any, ...]
Map = Callable[..., tuple[Arrays, Arrays]]


def pushforward(
    function: Map, leaves: Arrays, tangents: Arrays, order: int, step: float | None
) -> tuple[Arrays, Arrays, Arrays]:
    """Outputs, their derivatives along the tangents, and auxiliary output; `order + 1` calls."""
    with recording() as constants:
        outputs, aux = function(*leaves)
    outputs = tuple(map(np.asarray, outputs))
    length = _length(leaves, tangents, outputs, order, step)
    if length is None:  # no entry moves
        return outputs, tuple(map(np.zeros_like, outputs)), aux

    def values_at(multiple: int) -> list[Any]:
        moved = [_moved(*pair, multiple * length) for pair in zip(leaves, tangents, strict=True)]
        with replaying(constants):
            found, _ = function(*moved)
        return [np.asarray(value, np.float64) for value in found]

    totals: list[Any] = [np.float64(0)] * len(outputs)
    for multiple, weight in enumerate(weights(order), start=1):
        pairs = zip(values_at(multiple), values_at(-multiple), strict=True)
        with np.errstate(invalid="ignore"):  # an infinite value has no difference: NaN
            totals = [
                total + weight * (ahead - behind)
                for total, (ahead, behind) in zip(totals, pairs, strict=True)
            ]
    derivatives = [
        np.asarray(total / length, output.dtype)
        for total, output in zip(totals, outputs, strict=True)
    ]
    return outputs, tuple(derivatives), aux


@functools.cache
def weights(order: int) -> tuple[float, ...]:
    """What `f(x + k h) - f(x - k h)` is multiplied by, for k = 1 to half the order.

    Fornberg (1988), table 1: `(-1)**(k + 1) m!**2 / (k (m - k)! (m + k)!)` with `m = order / 2`.
    """
    m = order // 2
    top = math.factorial(m) ** 2
    return tuple(
        (-1) ** (k + 1) * top / (k * math.factorial(m - k) * math.factorial(m + k))
        for k in range(1, m + 1)
    )


def _length(
    leaves: Arrays, tangents: Arrays, outputs: Arrays, order: int, step: float | None
) -> float | None:
    """By how many tangents the point is moved; None if they are zero."""
    moving = [tangent != 0 for tangent in tangents]
    if not any(map(np.any, moving)):
        return None
    if step is None:
        # The coarsest dtype on the way from the entries that move to an output.
        coarsest = max(
            _epsilon(array)
            for array in (*outputs, *(x for x, m in zip(leaves, moving, strict=True) if m.any()))
        )
        step = coarsest ** (1 / (order + 1))
    size = max(_largest(x[m]) for x, m in zip(map(np.asarray, leaves), moving, strict=True))
    longest = max(map(_largest, tangents))
    # A power of two: its multiples and the division by it are exact. Rounded down, since truncation
    # grows with a power of the step, and rounding by as much as the step shrinks.
    exponent = math.log2(step) + math.log2(max(1.0, size)) - math.log2(longest or 1.0)
    return float(2.0 ** math.floor(exponent))


def _largest(array: Any) -> float:
    sizes = np.abs(np.asarray(array, np.float64))
    return float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))


def _epsilon(array: Any) -> float:
    return MACHINE_EPSILON.get(dtype_name(array.dtype), MACHINE_EPSILON["float64"])


def _moved(leaf: Any, tangent: Any, length: float) -> Any:
    """A new array of the leaf's dtype."""
    change = np.asarray(tangent, np.float64) * length
    return np.asarray(np.asarray(leaf, np.float64) + change, leaf.dtype)
