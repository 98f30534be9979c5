"""The losses and their gradients by multiprecision arithmetic, straight from their formulas.

An array is a numpy array of `mpmath.mpf` here. Each formula is that of the loss's docstring, and
its derivative is written out by hand; the tests compare the two by differences. No code of polylux
is asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np

DIGITS = 400
"""50 are good enough for all but 1 - 1e-300."""

Exact = np.ndarray[Any, Any]
Options = Mapping[str, Any]


@dataclasses.dataclass
class Items:
    """Unreduced items of a loss, and what their accuracy depends on.

    Attributes
    ----------
    items : array
    slopes : array of the prediction's shape
        The derivative of the item that an entry belongs to, by that entry.
    terms : array of the items' shape
        Sum of the magnitudes that are added up to the item: the item itself where none cancel.
    slope_terms : array of the prediction's shape
        The same for the slopes.
    axes : tuple of int
        The axes of the prediction that an item runs over; none for elementwise losses.
    weights : array of the items' shape, optional
        Weights of the mean that come with the labels.
    rounding : array of the items' shape, optional
        Terms that cancel in the form in which frameworks have the loss as one kernel: their
        rounding is allowed as an absolute error of items and slopes.
    """

    items: Exact
    slopes: Exact
    terms: Exact
    slope_terms: Exact
    axes: tuple[int, ...] = ()
    weights: Exact | None = None
    rounding: Exact | None = None


def exactly(array: Any) -> Exact:
    """The binary values of an array, without rounding."""
    host = np.asarray(array, dtype=np.float64)
    return np.asarray([mp.mpf(float(v)) for v in host.ravel()], dtype=object).reshape(host.shape)


def _each(function: Callable[..., Any]) -> Callable[..., Exact]:
    vectorized = np.vectorize(function, otypes=[object])

    def each(*arrays: Any) -> Exact:
        return np.asarray(vectorized(*arrays), dtype=object)

    return each


def _log(x: Any) -> Any:
    if mp.isnan(x) or x < 0:
        return mp.nan
    return mp.log(x) if x else -mp.inf


def _xlogy(x: Any, y: Any) -> Any:
    return x * _log(y) if x else mp.mpf(0)


def _over(x: Any, y: Any) -> Any:
    """x / y, where 0 / 0 is 0 and other quotients by 0 are infinite."""
    if y:
        return x / y
    return mp.inf * mp.sign(x) if x else mp.mpf(0)


log, xlogy, over, exp = _each(_log), _each(_xlogy), _each(_over), _each(mp.exp)
sign = _each(mp.sign)
choose = _each(lambda condition, x, y: x if condition else y)
times = _each(lambda x, y: x * y if x else mp.mpf(0))  # also where y is infinite


def _elementwise(
    items: Exact, slopes: Exact, terms: Exact | None = None, slope_terms: Exact | None = None
) -> Items:
    return Items(
        items,
        slopes,
        abs(items) if terms is None else terms,
        abs(slopes) if slope_terms is None else slope_terms,
    )


# --- predicted numbers --------------------------------------------------------------------------


def squared(p: Exact, t: Exact, o: Options) -> Items:
    return _elementwise((p - t) ** 2, 2 * (p - t))


def absolute(p: Exact, t: Exact, o: Options) -> Items:
    return _elementwise(abs(p - t), sign(p - t))


def huber(p: Exact, t: Exact, o: Options) -> Items:
    d, delta = p - t, mp.mpf(o.get("delta", 1.0))
    inside = abs(d) <= delta
    items = choose(inside, d**2 / 2, delta * (abs(d) - delta / 2))
    return _elementwise(items, choose(inside, d, delta * sign(d)))


def squared_logarithmic(p: Exact, t: Exact, o: Options) -> Items:
    x, y = p + o["epsilon"], t + o["epsilon"]
    ratio = log(over(x, y))
    return _elementwise(ratio**2, over(2 * ratio, x))


def poisson(p: Exact, t: Exact, o: Options) -> Items:
    x = p + o["epsilon"]
    part = xlogy(t, x)
    return _elementwise(p - part, 1 - over(t, x), abs(p) + abs(part))


def siamese(p: Exact, t: Exact, o: Options) -> Items:
    margin = mp.mpf(o.get("margin", 1.0))
    near = choose(p < margin, margin - p, mp.mpf(0))
    one, two = (1 - t) * p**2, t * near**2
    d_one, d_two = 2 * (1 - t) * p, -2 * t * near
    return _elementwise(one + two, d_one + d_two, abs(one) + abs(two), abs(d_one) + abs(d_two))


def hinge(p: Exact, t: Exact, o: Options) -> Items:
    active, zero = t * p < 1, mp.mpf(0)
    return _elementwise(choose(active, 1 - t * p, zero), choose(active, -t, zero))


def squared_hinge(p: Exact, t: Exact, o: Options) -> Items:
    margin = hinge(p, t, o).items
    return _elementwise(margin**2, -2 * t * margin)


# --- predicted classes --------------------------------------------------------------------------


def _smooth(t: Exact, share: Any, o: Options) -> Exact:
    alpha = mp.mpf(o.get("label_smoothing") or 0.0)
    smoothed: Exact = t * (1 - alpha) + alpha * share
    return smoothed


def binary_cross_entropy(p: Exact, t: Exact, o: Options) -> Items:
    y = _smooth(t, mp.mpf(1) / 2, o)
    if o.get("logits"):
        # up = -log(1 - sigmoid(z)) and down = -log(sigmoid(z))
        up, down = _softplus(p), _softplus(-p)
        one, two = times(y, down), times(1 - y, up)
        d_one, d_two = -y * exp(-up), (1 - y) * exp(-down)
    else:
        x, rest = p + o["epsilon"], 1 - p + o["epsilon"]
        one, two = -xlogy(y, x), -xlogy(1 - y, rest)
        d_one, d_two = -over(y, x), over(1 - y, rest)
    return _elementwise(one + two, d_one + d_two, abs(one) + abs(two), abs(d_one) + abs(d_two))


def _softplus_of(z: Any) -> Any:
    if mp.isinf(z):
        return z if z > 0 else mp.mpf(0)
    return z + mp.log1p(mp.exp(-z)) if z > 0 else mp.log1p(mp.exp(z))


_softplus = _each(_softplus_of)


def _focal(x: Any, gamma: Any) -> tuple[Any, Any]:
    """-(1 - x)**gamma * log(x), and its derivative."""
    rest, logarithm = 1 - x, _log(x)
    if gamma != int(gamma) and rest < 0:
        rest = mp.mpf(0)
    if gamma == 0:
        return -logarithm, -_over(mp.mpf(1), x)
    if not rest:  # x = 1, where the logarithm is 0 too, or beyond
        return mp.mpf(0), mp.mpf(0)
    power = rest ** (gamma - 1)
    return -power * rest * logarithm, gamma * power * logarithm - _over(power * rest, x)


def binary_focal(p: Exact, t: Exact, o: Options) -> Items:
    gamma = mp.mpf(o.get("gamma", 2.0))
    x = t * p + (1 - t) * (1 - p) + o["epsilon"]
    items, slopes = (_each(lambda v, i=i: _focal(v, gamma)[i])(x) for i in (0, 1))
    return _elementwise(items, slopes * (2 * t - 1))


def _lanes(parts: Exact, slopes: Exact, axis: int, terms: Any = None, d_terms: Any = None) -> Items:
    return Items(
        np.sum(parts, axis=axis),
        slopes,
        np.sum(abs(parts) if terms is None else terms, axis=axis),
        abs(slopes) if d_terms is None else d_terms,
        (axis,),
    )


def cross_entropy(p: Exact, t: Exact, o: Options) -> Items:
    axis = o.get("dim", -1) % p.ndim
    y = _smooth(t, mp.mpf(1) / p.shape[axis], o) * _class_weights(p, axis, o)
    if not o.get("logits"):
        x = p + o["epsilon"]
        return _lanes(-xlogy(y, x), -over(y, x), axis)
    others = _log_odds(p, axis)
    parts = times(y, others)
    total = np.sum(y, axis=axis, keepdims=True)
    # softmax * total - y, as softmax times the other targets less the target times the others
    softmax = exp(-others)
    one, two = softmax * (total - y), y * _each(mp.expm1)(-others)
    found = _lanes(parts, one + two, axis, None, abs(one) + abs(two))
    # Kernels take the logarithm of a sum that is 1 and little more, and 1 from softmax.
    return dataclasses.replace(found, rounding=np.sum(abs(y), axis=axis))


def _log_odds(z: Exact, axis: int) -> Exact:
    """-log_softmax."""

    def of_lane(lane: Exact) -> Exact:
        if any(v == mp.inf for v in lane):
            count = sum(v == mp.inf for v in lane)
            return np.asarray([mp.log(count) if v == mp.inf else mp.inf for v in lane])
        out = []
        for i, v in enumerate(lane):
            if v == -mp.inf:
                out.append(mp.inf)
                continue
            others = mp.fsum(mp.exp(w - v) for j, w in enumerate(lane) if j != i and w != -mp.inf)
            out.append(mp.log1p(others))
        return np.asarray(out, dtype=object)

    return np.asarray(np.apply_along_axis(of_lane, axis, z))


def _class_weights(p: Exact, axis: int, o: Options) -> Exact:
    weights = o.get("weight") or [1.0] * p.shape[axis]
    shape = [1] * p.ndim
    shape[axis] = p.shape[axis]
    each: Exact = np.reshape(exactly(weights), shape)
    return each


def focal(p: Exact, t: Exact, o: Options) -> Items:
    axis, gamma = o.get("dim", -1) % p.ndim, mp.mpf(o.get("gamma", 2.0))
    x = p + o["epsilon"]
    zero = mp.mpf(0)
    parts, slopes = (
        _each(lambda y, v, i=i: y * _focal(v, gamma)[i] if y else zero)(t, x) for i in (0, 1)
    )
    return _lanes(parts, slopes, axis)


def kl_divergence(p: Exact, t: Exact, o: Options) -> Items:
    axis = o.get("dim", -1) % p.ndim
    x, y = p + o["epsilon"], _smooth(t, mp.mpf(1) / p.shape[axis], o)
    one, two = xlogy(t, t), xlogy(y, x)
    # Without smoothing an entry is t * log(t / x), where nothing cancels.
    terms = abs(one) + abs(two) if o.get("label_smoothing") else None
    return _lanes(one - two, -over(y, x), axis, terms)


def dice(p: Exact, t: Exact, o: Options) -> Items:
    axes = tuple(range(1, p.ndim)) if p.ndim > 1 else tuple(range(p.ndim))
    smooth = mp.mpf(o.get("smooth", 1.0))
    both = np.sum(p**2 + t**2, axis=axes, keepdims=True) + smooth
    overlap = over(2 * np.sum(p * t, axis=axes, keepdims=True) + smooth, both)
    one, two = -2 * t / both, 2 * p * overlap / both
    items = np.sum(1 - overlap, axis=axes) if axes else 1 - overlap
    return Items(items, one + two, abs(items), abs(one) + abs(two), axes)


FORMULAS: Mapping[str, Callable[[Exact, Exact, Options], Items]] = {
    "BinaryCrossEntropyLoss": binary_cross_entropy,
    "BinaryFocalLoss": binary_focal,
    "CrossEntropyLoss": cross_entropy,
    "DiceCoeffLoss": dice,
    "FocalLoss": focal,
    "HingeLoss": hinge,
    "HuberLoss": huber,
    "KLDivergenceLoss": kl_divergence,
    "MAELoss": absolute,
    "MSELoss": squared,
    "MSLELoss": squared_logarithmic,
    "PoissonLoss": poisson,
    "SiameseContrastiveLoss": siamese,
    "SquaredHingeLoss": squared_hinge,
}
