"""The mean of a loss's items as one node of the tape, by the loss's own rule, block by block.

An operation on a whole batch writes an array that is larger than the processor's caches, into
memory that the system has to clear first: in numpy that costs several times the arithmetic. So the
rule runs on pieces that stay in the cache, items and slopes at once, and only slopes are kept. For
some rules there are fewer operations than the rule's own, without `where`: in numpy it costs
more than three sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from polylux_autograd import array_api as xp
from polylux_autograd._fused import fused
from polylux_autograd._logarithms import log1p
from polylux_autograd._tracing import stop_gradient
from polylux_autograd.array_api._array import Array

Data = np.ndarray[Any, Any]

Compute = Callable[..., tuple[Any, Data] | None]
"""`compute(prediction, target, scale, **settings)`: the sum of the items, and their slopes times
the scale; None if it is not for these arguments. The sum must be infinite or NaN wherever it or a
slope is not that of the rule."""

_FULL = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
_LARGEST = {np.dtype(kind): float(np.finfo(kind).max) for kind in (np.float32, np.float64)}
_BLOCK = 16384  # entries: ten arrays of float32 are within 1 MB, and a call's own cost is small


# --- predicted numbers ---------------------------------------------------------------------------


def _absolute_error(p: Data, t: Data, scale: Any) -> tuple[Any, Data]:
    slope = p - t
    total = np.add.reduce(np.abs(slope))
    # `sign` branches at each entry, at twenty times the cost; twice, for the smallest numbers.
    slope *= _LARGEST[p.dtype]
    slope *= _LARGEST[p.dtype]
    return total, np.clip(slope, -scale, scale, out=slope)


def _huber_error(p: Data, t: Data, scale: Any, *, delta: float) -> tuple[Any, Data]:
    difference, delta = p - t, min(delta, _LARGEST[p.dtype])
    slope = np.clip(difference, -delta, delta)
    items = slope * 0.5
    np.subtract(difference, items, out=items)
    items *= slope
    slope *= scale
    return np.add.reduce(items), slope


def _half_log_ratio(a: Data, b: Data, difference: Data) -> Data:
    """Half of log(a / b) from a - b, into which it writes; NaN if one number is negative."""
    ratio, least = np.abs(difference), np.minimum(a, b)
    ratio /= least
    if least.min() < 0:
        ratio.fill(np.nan)
        return ratio
    log1p(ratio, out=ratio)
    half = np.greater_equal(difference, 0, out=difference)  # `copysign` takes longer
    half -= 0.5
    ratio *= half
    return ratio


def _squared_log_error(p: Data, t: Data, scale: Any, *, epsilon: float) -> tuple[Any, Data]:
    shifted, given = p + epsilon, t + epsilon
    ratio = shifted / given
    slope = np.log(ratio, out=ratio)
    total = np.add.reduce(slope * slope)
    least = shifted.min()
    slope /= shifted
    # What the logarithm of a rounded ratio has lost near 1 does not matter beside larger ones.
    if total >= 0.25 * p.size and max(slope.max(), -slope.min()) * least >= 0.5:
        slope *= 2 * scale
        return total, slope
    slope = _half_log_ratio(shifted, given, p - t)
    total = 4 * np.add.reduce(np.multiply(slope, slope, out=given))
    slope /= shifted
    slope *= 4 * scale
    return total, slope


def _poisson_error(
    p: Data, t: Data, scale: Any, *, epsilon: float
) -> tuple[Any, Data] | None:
    if epsilon > np.finfo(p.dtype).eps:
        return None  # near 1 the sum has not all digits of its logarithm
    shifted = p + epsilon
    items = np.log(shifted)
    items *= t
    total = np.add.reduce(np.subtract(p, items, out=items))
    slope = np.subtract(p, t, out=items)
    slope += epsilon
    slope /= shifted
    slope *= scale
    return total, slope


# --- margins -------------------------------------------------------------------------------------


def _missing(p: Data, t: Data) -> Data:
    """max(0, 1 - t p)."""
    missing = t * p
    np.subtract(1, missing, out=missing)
    np.maximum(missing, 0, out=missing)
    return missing


def _hinge_error(p: Data, t: Data, scale: Any) -> tuple[Any, Data]:
    slope = _missing(p, t)
    total = np.add.reduce(slope)
    np.greater(slope, 0, out=slope)
    slope *= t
    slope *= -scale
    return total, slope


def _squared_hinge_error(p: Data, t: Data, scale: Any) -> tuple[Any, Data]:
    slope = _missing(p, t)
    total = np.add.reduce(slope * slope)
    slope *= t
    slope *= -2 * scale
    return total, slope


def _contrastive_error(
    p: Data, t: Data, scale: Any, *, margin: float
) -> tuple[Any, Data] | None:
    if not _is_of_two(t):
        return None  # the slope is a small difference unless the target is 0 or 1
    slope = np.subtract(margin, p)
    np.maximum(slope, 0, out=slope)
    slope *= t
    alike = 1 - t
    alike *= p
    total = np.add.reduce(slope * slope) + np.add.reduce(alike * alike)
    np.subtract(alike, slope, out=slope)
    slope *= 2 * scale
    return total, slope


# --- probabilities -------------------------------------------------------------------------------


def _binary_cross_entropy(
    p: Data, t: Data, scale: Any, *, epsilon: float, label_smoothing: float
) -> tuple[Any, Data] | None:
    if label_smoothing or epsilon not in (0, np.finfo(p.dtype).eps):
        return None  # for another epsilon, `epsilon - p` is rounded where it is all but -1
    if _is_of_two(t):
        return _cross_entropy_of_two(p, t, scale, epsilon)
    shifted, rest = p + epsilon, 1 - t
    items = np.log(shifted)
    items *= t
    other = np.subtract(epsilon, p)
    log1p(other, out=other)
    other *= rest
    items += other
    total = -np.add.reduce(items)
    # (1 - t) / (1 - p + e) - t / (p + e), over one denominator
    rest -= t
    rest *= epsilon
    slope = np.subtract(p, t, out=items)
    slope += rest
    shifted *= np.subtract(epsilon, np.subtract(p, 1, out=other), out=other)
    slope /= shifted
    slope *= scale
    return total, slope


def _cross_entropy_of_two(p: Data, t: Data, scale: Any, epsilon: float) -> tuple[Any, Data]:
    """With targets 0 and 1, of which each needs one of the logarithms."""
    rest, other = 1 - t, np.subtract(epsilon, p)
    chance = other + 1
    lost = np.subtract(chance, 1)  # in the sum; its logarithm is as exact as `log1p` with it
    np.subtract(other, lost, out=lost)
    lost *= rest
    chance *= rest
    np.add(p, epsilon, out=other)
    other *= t
    chance += other
    lost /= chance
    rest -= t
    slope = np.divide(rest, chance, out=other)
    slope *= scale
    items = np.log(chance, out=chance)
    items += lost
    return -np.add.reduce(items), slope


def _binary_focal(
    p: Data, t: Data, scale: Any, *, epsilon: float, gamma: float
) -> tuple[Any, Data] | None:
    if gamma != 2 or not epsilon < 0.5:
        return None
    negative, absent = 1 - t, 1 - p
    probability = t * p
    missing = negative * absent
    probability += missing
    probability += epsilon
    np.multiply(negative, p, out=missing)
    missing += np.multiply(absent, t, out=absent)
    missing -= epsilon
    surprise = log1p(np.divide(missing, probability, out=absent), out=absent)
    power = missing * missing
    total = np.add.reduce(power * surprise)
    # (1 - t - t) (2 (1 - q) -log(q) + (1 - q)**2 / q)
    slope = np.multiply(missing, surprise, out=missing)
    slope *= 2
    power /= probability
    slope += power
    negative -= t
    slope *= negative
    slope *= scale
    return total, slope


def _cross_entropy_terms(
    p: Data, t: Data, scale: Any, *, epsilon: float
) -> tuple[Any, Data] | None:
    if epsilon not in (0, np.finfo(p.dtype).eps):
        return None
    shifted = p + epsilon
    items = np.log(shifted)
    items *= t
    total = -np.add.reduce(items)
    slope = np.divide(t, shifted, out=shifted)
    slope *= -scale
    return total, slope


def _divergence_terms(p: Data, t: Data, scale: Any, *, epsilon: float) -> tuple[Any, Data]:
    shifted = p + epsilon
    # 1 in place of a target of 0, whose term is 0.
    least = t.min()
    positive = t if least > 0 else (t == 0) + t
    ratio = positive / shifted
    items = np.log(ratio)
    items *= t
    total = np.add.reduce(items)
    # What the logarithm of a rounded ratio has lost near 1 does not matter to a larger sum.
    if least < 0 or not total >= 0.5 * np.add.reduce(t):
        difference = p - t
        difference += epsilon
        items = _half_log_ratio(shifted, positive, difference)
        items *= t
        total = -2 * np.add.reduce(items)
    slope = ratio if positive is t else np.divide(t, shifted, out=shifted)
    slope *= -scale
    return total, slope


def _focal_terms_of_class(
    p: Data, t: Data, scale: Any, *, epsilon: float, gamma: float
) -> tuple[Any, Data] | None:
    if gamma != 2 or epsilon not in (0, np.finfo(p.dtype).eps):
        return None
    shifted, missing = p + epsilon, 1 - p
    missing -= epsilon
    power = missing * missing
    power *= t
    logarithm = np.log(shifted)
    total = -np.add.reduce(power * logarithm)
    # t (2 (1 - q) log(q) - (1 - q)**2 / q)
    slope = np.multiply(missing, logarithm, out=logarithm)
    slope *= 2
    slope *= t
    power /= shifted
    slope -= power
    slope *= scale
    return total, slope


_SHORTER: Mapping[str, Compute] = MappingProxyType(
    {
        "absolute_error": _absolute_error,
        "huber_error": _huber_error,
        "squared_log_error": _squared_log_error,
        "poisson_error": _poisson_error,
        "hinge_error": _hinge_error,
        "squared_hinge_error": _squared_hinge_error,
        "contrastive_error": _contrastive_error,
        "binary_cross_entropy": _binary_cross_entropy,
        "binary_focal": _binary_focal,
        "cross_entropy_terms": _cross_entropy_terms,
        "divergence_terms": _divergence_terms,
        "focal_terms_of_class": _focal_terms_of_class,
    }
)
"""Computations in fewer operations than the rule's, by its name."""


# --- any rule ------------------------------------------------------------------------------------


def _reference(
    prediction: Any, target: Any, rule: Any, dim: int | None = None, **settings: Any
) -> Any:
    items = rule(prediction, stop_gradient(target), **settings)
    return xp.mean(items if dim is None else xp.sum(items, axis=dim))


def _is_of_two(target: Data) -> bool:
    """Whether each entry is 0 or 1, or infinite."""
    return np.array_equal(target * target, target)


def _fits(prediction: Data, target: Data) -> bool:
    return (
        prediction.dtype in _FULL
        and prediction.dtype == target.dtype
        and prediction.shape == target.shape
        and prediction.size > 0
    )


def _blocks(prediction: Data, target: Data) -> Iterator[tuple[slice, Data, Data]]:
    p, t = prediction.reshape(-1), target.reshape(-1)
    for start in range(0, p.size, _BLOCK):
        place = slice(start, start + _BLOCK)
        yield place, p[place], t[place]


def _count(prediction: Data, dim: int | None) -> int:
    return prediction.size // (1 if dim is None else prediction.shape[dim])


def _value(
    prediction: Data, target: Data, rule: Any, dim: int | None = None, **settings: Any
) -> Any:
    total = 0.0
    with np.errstate(all="ignore"):  # infinite items are results, not accidents
        for _, p, t in _blocks(prediction, target):
            total += float(np.add.reduce(rule.plain(p, t, **settings)))
    return prediction.dtype.type(total / _count(prediction, dim))


def _by_rule(
    rule: Any, p: Data, t: Data, scale: Any, settings: Mapping[str, Any]
) -> tuple[Any, Data]:
    items, residuals = rule.rule.forward(p, t, **settings)
    return np.add.reduce(items), rule.rule.pullback(residuals, scale, **settings)[0]


def _forward(
    prediction: Data, target: Data, rule: Any, dim: int | None = None, **settings: Any
) -> Any:
    if not _fits(prediction, target):
        return None
    total, count = 0.0, _count(prediction, dim)
    each = prediction.dtype.type(1 / count)
    slopes = np.empty(prediction.size, prediction.dtype)
    shorter = _SHORTER.get(rule.__name__)
    with np.errstate(all="ignore"):
        for place, p, t in _blocks(prediction, target):
            found = None if shorter is None else shorter(p, t, each, **settings)
            if found is None or not math.isfinite(found[0]):
                found = _by_rule(rule, p, t, each, settings)
            total += float(found[0])
            slopes[place] = found[1]
    return prediction.dtype.type(total / count), [slopes.reshape(prediction.shape)]


def _pullback(
    g: Data, residuals: list[Data], needed: Any, prediction: Data, target: Data, *rule: Any,
    **settings: Any,
) -> Any:  # fmt: skip
    # The slopes become the gradient in place; who pulls once more has them computed once more.
    if not residuals:
        _, residuals = _forward(prediction, target, *rule, **settings)
    slopes = residuals.pop()
    if g != 1:
        slopes *= g
    return (slopes, np.zeros_like(target) if needed[1] else None, None, None)[: len(needed)]


_differentiable = fused(
    "mean_of_items", reference=_reference, forward=_forward, pullback=_pullback
)


def mean_of_items(prediction: Any, target: Any, *rule: Any, **settings: Any) -> Any:
    """The mean of a rule's items, or of their sums along an axis."""
    if type(prediction) is Array and type(target) is Array:
        data, constants = prediction._data, target._data
        if _fits(data, constants):
            return Array(_value(data, constants, *rule, **settings))
    return _differentiable(prediction, target, *rule, **settings)


KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType({"mean_of_items": mean_of_items})
