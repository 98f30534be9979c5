"""Cross entropy of a softmax with its gradient, also for a class that is all but certain.

`x - log(sum(exp(x)))` is a small difference there, and so is `softmax - 1`. Both are written by
the classes that are not the largest: what they add to the sum is known to all its digits.
Numbers of each lane have no axis of one place, at which compilers would not vectorize.
"""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.losses._labels import is_class, is_label, places_along
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


def _below_largest(xp: Any, z: Any, dim: int) -> tuple[Any, Any]:
    """Logits less the largest of their lane, and whether that one is infinite.

    Infinite ones share the whole of their lane, and the others there are less by all there is.
    """
    limit = float(xp.finfo(z.dtype).max)
    largest = detach(xp.max(z, axis=dim))
    below = xp.minimum(z, limit) - xp.expand_dims(xp.minimum(largest, limit), axis=dim)
    return below, largest == xp.inf


@custom_rule(pullback=_pullback, pushforward=_pushforward)
def cross_entropy_of_lanes(z: Any, y: Any, *, dim: int) -> tuple[Any, Arrays]:
    """-sum(y log_softmax(z)) of each lane along `dim`, without the terms whose y is 0."""
    xp = array_namespace(z)

    def added(array: Any) -> Any:
        return xp.sum(array, axis=dim)

    def wide(lane: Any) -> Any:
        return xp.expand_dims(lane, axis=dim)

    shifted, is_infinite = _below_largest(xp, z, dim)
    weights = xp.exp(shifted)
    largest = xp.floor(weights)  # 1 or 0, in one pass with a sum, unlike a comparison
    total, total_of_others = added(y), added(y - y * largest)
    # All weights but one of the largest: exact where they are less than it, and where there are
    # two of them, or many others, the 1 takes no digits away.
    every = added(weights)
    is_clear = every < 1.5
    others = xp.where(is_clear, added(weights - largest), every - 1)
    surprise = wide(xp.log1p(others)) - shifted
    surprise = xp.where(wide(is_infinite) & (shifted < 0), xp.inf, surprise)
    terms = y * xp.where(y == 0, 0.0, surprise)

    scale = wide(total / (1 + others))
    # softmax * total - y, which for the largest is what the others have, less their softmax;
    # 1 - weights is 0 there, and has a derivative.
    given_to_equals = xp.where(wide(is_clear), 0.0, wide(total - total_of_others) - y)
    slope = xp.where(
        shifted == 0,
        wide(total_of_others) + given_to_equals - scale * (wide(others) + (1 - weights)),
        scale * weights - y,
    )
    return added(terms), (slope, surprise)


def _pullback_of_labels(residuals: Arrays, g: Any, *, dim: int, is_known: bool) -> Arrays:
    return array_namespace(g).expand_dims(g, axis=dim) * residuals[0], None


def _pushforward_of_labels(
    residuals: Arrays, change: Any, _: Any, *, dim: int, is_known: bool
) -> Any:
    return array_namespace(change).sum(residuals[0] * change, axis=dim)


@custom_rule(pullback=_pullback_of_labels, pushforward=_pushforward_of_labels)
def cross_entropy_of_labels(
    z: Any, labels: Any, *, dim: int, is_known: bool
) -> tuple[Any, Arrays]:
    """-log_softmax(z) at the label of each lane along `dim`; NaN for a label of no class.

    Of all weights the label's is the one that is left out of the sum: it is what the loss hides
    beside if the label is all but certain, and if it is not, nothing is lost.
    """
    xp = array_namespace(z)
    classes = z.shape[dim]
    places = places_along(xp, labels, dim)
    here = is_label(xp, places, dim, classes, z.dtype)
    known = None
    if not is_known:
        known = is_class(places, classes)
        places = xp.where(known, places, xp.zeros_like(places))
    shifted, is_infinite = _below_largest(xp, z, dim)
    own = xp.squeeze(xp.take_along_axis(shifted, places, axis=dim), axis=dim)
    own = xp.where(is_infinite & (own < 0), -xp.inf, own)
    if known is not None:
        own = xp.where(xp.squeeze(known, axis=dim), own, xp.nan)

    weights = xp.where(here, 0.0, xp.exp(shifted))
    others = xp.sum(weights, axis=dim)
    missing = xp.exp(own) - 1
    value = xp.log1p(others + missing) - own
    scale = xp.expand_dims(1 / (others + missing + 1), axis=dim)
    return value, (xp.where(here, -xp.expand_dims(others, axis=dim), weights) * scale,)
