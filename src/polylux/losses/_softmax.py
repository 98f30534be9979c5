"""Cross entropy of a softmax with its gradient, also for a class that is all but certain.

`x - log(sum(exp(x)))` is a small difference there, and so is `softmax - 1`. Both are written by
the classes that are not the largest: what they add to the sum is known to all its digits.
"""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.ops import detach
from polylux.rules import custom_rule

Arrays = tuple[Any, ...]


def _pullback(residuals: Arrays, g: Any, *, dim: int) -> Arrays:
    slope, surprise = residuals
    g = array_namespace(g).expand_dims(g, axis=dim)
    return g * slope, g * surprise


def _pushforward(residuals: Arrays, change: Any, change_of_y: Any, *, dim: int) -> Any:
    slope, surprise = residuals
    parts = [
        part * tangent
        for part, tangent in ((slope, change), (surprise, change_of_y))
        if tangent is not None
    ]
    return array_namespace(slope).sum(sum(parts[1:], start=parts[0]), axis=dim)


@custom_rule(pullback=_pullback, pushforward=_pushforward)
def cross_entropy_of_lanes(z: Any, y: Any, *, dim: int) -> tuple[Any, Arrays]:
    """-sum(y log_softmax(z)) of each lane along `dim`, without the terms whose y is 0."""
    xp = array_namespace(z)
    infinite = z == xp.inf  # such entries share the whole of their lane
    shifted = xp.where(infinite, 0.0, z) - detach(xp.max(z, axis=dim, keepdims=True))
    shifted = xp.where(infinite, 0.0, shifted)
    largest = shifted == 0
    ones = xp.astype(largest, z.dtype)
    weights = xp.exp(shifted)
    # All weights but one of the largest: those that are 1 cancel without an error.
    others = xp.sum(weights - ones, axis=dim, keepdims=True)
    others = others + (xp.sum(ones, axis=dim, keepdims=True) - 1)
    surprise = xp.log1p(others) - shifted
    terms = y * xp.where(y == 0, 0.0, surprise)

    total = xp.sum(y, axis=dim, keepdims=True)
    total_of_others = xp.sum(xp.where(largest, 0.0, y), axis=dim, keepdims=True)
    scale = total / (1 + others)
    # softmax * total - y, which for the largest is what the others have, less their softmax;
    # 1 - weights is 0 there, and has a derivative.
    slope = xp.where(
        largest,
        total_of_others + (total - total_of_others - y) - scale * (others + (1 - weights)),
        scale * weights - y,
    )
    return xp.sum(terms, axis=dim), (slope, surprise)
