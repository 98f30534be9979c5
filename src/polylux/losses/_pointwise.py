"""Items of the elementwise losses, each a rule: the value and the slope of one prediction.

The target is no variable of these: losses cut it off from derivatives. A slope is written so that
nothing cancels that does not have to, and holds at the kinks, and where the value or one of its
terms is infinite. Plain array code is right there as well, on backends without custom rules, in
so far as one can write it so.
"""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.losses._logarithms import above_one, log_above, log_ratio, log_rest, log_shifted, rest
from polylux.rules import custom_rule, with_slope

# --- predicted numbers ---------------------------------------------------------------------------


def _sign(items: Any, p: Any, t: Any) -> tuple[Any, None]:
    return array_namespace(p).sign(p - t), None


@custom_rule(derivative=_sign)
def absolute_error(p: Any, t: Any) -> Any:
    """|p - t|; at 0 the slope is 0."""
    xp = array_namespace(p)
    difference = p - t
    # Not `abs`, whose derivative at 0 is 1 in JAX.
    return difference * xp.sign(difference)


def _in_range(xp: Any, p: Any, number: float) -> float:
    """A positive number, or the largest one that the dtype of `p` has."""
    return min(number, float(xp.finfo(p.dtype).max))


def _clipped(items: Any, p: Any, t: Any, *, delta: float) -> tuple[Any, None]:
    xp = array_namespace(p)
    d, delta = p - t, _in_range(xp, p, delta)
    return xp.where(d > delta, delta, xp.where(d < -delta, -delta, d)), None


@custom_rule(derivative=_clipped)
def huber_error(p: Any, t: Any, *, delta: float) -> Any:
    """Half the square of p - t up to `delta`, linear beyond."""
    xp = array_namespace(p)
    d, delta = p - t, _in_range(xp, p, delta)
    size = d * xp.sign(d)
    # With the smaller of the two in place of the size, neither branch can overflow.
    near = xp.where(size > delta, delta, size)
    return near * (size - near / 2)


@with_slope
def squared_log_error(p: Any, t: Any, *, epsilon: float) -> Any:
    """Square of log((p + e) / (t + e))."""
    xp = array_namespace(p)
    shifted = p + epsilon
    ratio = log_ratio(xp, shifted, t + epsilon, p - t)
    return ratio * ratio, 2 * ratio / shifted


def _poisson_slope(items: Any, p: Any, t: Any, *, epsilon: float) -> tuple[Any, None]:
    xp = array_namespace(p)
    shifted = xp.where(t == 0, 1.0, p + epsilon)
    return xp.where(t == 0, 1.0, ((p - t) + epsilon) / shifted), None


@custom_rule(derivative=_poisson_slope)
def poisson_error(p: Any, t: Any, *, epsilon: float) -> Any:
    """p - xlogy(t, p + e)."""
    xp = array_namespace(p)
    logarithm = log_shifted(xp, _nonzero(p, t), epsilon)
    return p - xp.where(t == 0, 0.0, t * logarithm)


# --- margins -------------------------------------------------------------------------------------


def _hinge_slope(items: Any, p: Any, t: Any) -> tuple[Any, None]:
    return array_namespace(p).where(t * p >= 1, 0.0, -t), None


@custom_rule(derivative=_hinge_slope)
def hinge_error(p: Any, t: Any) -> Any:
    """max(0, 1 - t p); at 1 the slope is 0."""
    missing = 1 - t * p
    # Not `where(missing > 0, missing, 0)`, which turns NaN into 0 and so hides it.
    return array_namespace(p).where(missing <= 0, 0.0, missing)


def _squared_hinge_slope(items: Any, p: Any, t: Any) -> tuple[Any, None]:
    return -2 * t * hinge_error.plain(p, t), None


@custom_rule(derivative=_squared_hinge_slope)
def squared_hinge_error(p: Any, t: Any) -> Any:
    """max(0, 1 - t p) squared."""
    missing = hinge_error.plain(p, t)
    return missing * missing


def _contrastive_slope(items: Any, p: Any, t: Any, *, margin: float) -> tuple[Any, None]:
    # Inside the margin, (1 - t) p - t (margin - p) with what cancels left out.
    return 2 * array_namespace(p).where(p < margin, p - t * margin, (1 - t) * p), None


@custom_rule(derivative=_contrastive_slope)
def contrastive_error(p: Any, t: Any, *, margin: float) -> Any:
    """(1 - t) p**2 + t max(0, margin - p)**2; at the margin the slope of the second term is 0."""
    missing = margin - p
    missing = array_namespace(p).where(missing <= 0, 0.0, missing)
    # In this order a weight of 0 gives 0, also where the square overflows.
    return (1 - t) * p * p + t * missing * missing


# --- two classes ---------------------------------------------------------------------------------

Weights = tuple[float, float]
"""Of the classes 0 and 1."""


def _smoothed(t: Any, label_smoothing: float) -> tuple[Any, Any]:
    """The shares of the positive and the negative class."""
    if not label_smoothing:
        return t, 1 - t
    kept, half = 1 - label_smoothing, label_smoothing / 2
    # Not 1 less the other, which is a small difference of large numbers at t = 1.
    return t * kept + half, (1 - t) * kept + half


def _binary_slope(
    items: Any, p: Any, t: Any, *, epsilon: float, label_smoothing: float
) -> tuple[Any, None]:
    positive, negative = _smoothed(t, label_smoothing)
    # negative / (1 - p + e) - positive / (p + e), over one denominator; p - positive in the order
    # that leaves the smoothing alone when p is the target.
    above = (p - t) + label_smoothing * (t - 0.5) + epsilon * (negative - positive)
    below = (p + epsilon) * rest(p, epsilon)
    if epsilon:
        return above / below, None
    # A class of probability 0 and of share 0 has no term.
    xp = array_namespace(p)
    certain = (above == 0) & (below == 0)
    return xp.where(certain, negative - positive, above / xp.where(certain, 1.0, below)), None


@custom_rule(derivative=_binary_slope)
def binary_cross_entropy(p: Any, t: Any, *, epsilon: float, label_smoothing: float) -> Any:
    """-xlogy(y, p + e) - xlogy(1 - y, 1 - p + e), for the smoothed target y."""
    return _binary_items(p, *_smoothed(t, label_smoothing), epsilon)


def _weighted_binary_slope(
    items: Any, p: Any, t: Any, *, epsilon: float, label_smoothing: float, weight: Weights
) -> tuple[Any, None]:
    positive, negative = _weighted(t, label_smoothing, weight)
    shifted, below = p + epsilon, rest(p, epsilon)
    if not epsilon:  # a class of share 0 has no term
        shifted = _nonzero(shifted, positive)
        below = _nonzero(below, negative)
    return negative / below - positive / shifted, None


@custom_rule(derivative=_weighted_binary_slope)
def weighted_binary_cross_entropy(
    p: Any, t: Any, *, epsilon: float, label_smoothing: float, weight: Weights
) -> Any:
    """-w1 xlogy(y, p + e) - w0 xlogy(1 - y, 1 - p + e), for the smoothed target y."""
    return _binary_items(p, *_weighted(t, label_smoothing, weight), epsilon)


def _weighted(t: Any, label_smoothing: float, weight: Weights) -> tuple[Any, Any]:
    positive, negative = _smoothed(t, label_smoothing)
    return weight[1] * positive, weight[0] * negative


def _binary_items(p: Any, positive: Any, negative: Any, epsilon: float) -> Any:
    xp = array_namespace(p)
    if epsilon:
        first, second = -log_shifted(xp, p, epsilon), -log_rest(xp, p, epsilon)
        return positive * first + negative * second
    first = -xp.log(_nonzero(p, positive))
    second = -log_rest(xp, xp.where(negative == 0, 0.0, p), epsilon)
    return positive * first + negative * second


@with_slope
def binary_cross_entropy_logits(z: Any, t: Any, *, label_smoothing: float) -> Any:
    """-y log(sigmoid(z)) - (1 - y) log(1 - sigmoid(z)), for the smoothed target y."""
    xp = array_namespace(z)
    positive, negative = _smoothed(t, label_smoothing)
    is_positive, size, common, less_probable = _logit_parts(xp, z)
    share = xp.where(is_positive, negative, positive)
    items = common + share * xp.where(share == 0, 0.0, size)
    slope = xp.where(is_positive, negative - less_probable, less_probable - positive)
    return items, slope


@with_slope
def weighted_binary_cross_entropy_logits(
    z: Any, t: Any, *, label_smoothing: float, weight: Weights
) -> Any:
    """-w1 y log(sigmoid(z)) - w0 (1 - y) log(1 - sigmoid(z)), for the smoothed target y."""
    xp = array_namespace(z)
    positive, negative = _weighted(t, label_smoothing, weight)
    is_positive, size, common, less_probable = _logit_parts(xp, z)
    total = positive + negative
    share = xp.where(is_positive, negative, positive)
    items = total * common + share * xp.where(share == 0, 0.0, size)
    less_probable = total * less_probable
    slope = xp.where(is_positive, negative - less_probable, less_probable - positive)
    return items, slope


def _logit_parts(xp: Any, z: Any) -> tuple[Any, Any, Any, Any]:
    """Whether z >= 0, |z|, -log of the more probable class, and the other one's probability.

    Both logarithms have the third in common, and the less probable class has -|z| more.
    """
    is_positive = z >= 0
    size = xp.where(is_positive, z, -z)
    decay = xp.exp(-size)
    return is_positive, size, xp.log1p(decay), decay / (1 + decay)


@with_slope
def binary_focal(p: Any, t: Any, *, epsilon: float, gamma: float) -> Any:
    """-(1 - q)**gamma log(q), for q = t p + (1 - t) (1 - p) + e."""
    negative, absent = 1 - t, 1 - p
    probability = t * p + negative * absent + epsilon
    if epsilon < 0.5:
        missing = t * absent + negative * p - epsilon
    else:
        missing = t * (1 - epsilon - p) + negative * (p - epsilon)
    xp = array_namespace(p)
    surprise = -log_above(xp, probability, -missing)
    items, slope = focal_terms(xp, probability, missing, surprise, gamma)
    return items, slope * (t - negative)


# --- many classes --------------------------------------------------------------------------------


def _share_over(items: Any, p: Any, y: Any, *, epsilon: float) -> tuple[Any, None]:
    if epsilon:
        return -y / (p + epsilon), None
    return array_namespace(p).where(y == 0, 0.0, -y) / _nonzero(p, y), None


@custom_rule(derivative=_share_over)
def cross_entropy_terms(p: Any, y: Any, *, epsilon: float) -> Any:
    """-xlogy(y, p + e)."""
    xp = array_namespace(p)
    if epsilon:
        return y * -log_shifted(xp, p, epsilon)
    return xp.where(y == 0, 0.0, y * -xp.log(_nonzero(p, y)))


@custom_rule(derivative=_share_over)
def divergence_terms(p: Any, y: Any, *, epsilon: float) -> Any:
    """xlogx(y) - xlogy(y, p + e)."""
    xp = array_namespace(p)
    shifted, target = _nonzero(p + epsilon, y), xp.where(y == 0, 1.0, y)
    ratio = log_ratio(xp, shifted, target, (p - y) + epsilon)
    return xp.where(y == 0, 0.0, y * -ratio)


@with_slope
def focal_terms_of_class(p: Any, t: Any, *, epsilon: float, gamma: float) -> Any:
    """-t (1 - q)**gamma log(q), for q = p + e; 0 where t is."""
    xp = array_namespace(p)
    p = _nonzero(p, t)
    surprise = -log_shifted(xp, p, epsilon)
    items, slope = focal_terms(xp, p + epsilon, -above_one(p, epsilon), surprise, gamma)
    return t * items, t * slope


def _nonzero(p: Any, y: Any) -> Any:
    """`p`, or 1 where the term is left out, so that no derivative of it is infinite."""
    return array_namespace(p).where(y == 0, 1.0, p)


def focal_terms(
    xp: Any, q: Any, missing: Any, surprise: Any, gamma: float
) -> tuple[Any, Any]:
    """-(1 - q)**gamma log(q), and its derivative, from `q`, 1 - q and -log(q)."""
    if gamma == 0:
        return surprise, -1 / q
    if gamma == 1:
        power, lower = missing, 1.0
    elif gamma == int(gamma):
        lower = missing if gamma == 2 else missing ** int(gamma - 1)
        power = lower * missing
    else:
        # Epsilon may lift q above 1, and then the power is that of 0.
        some = missing > 0
        base = xp.where(some, missing, 1.0)
        lower = xp.where(some, base ** (gamma - 1), 0.0)
        power = xp.where(some, lower * base, 0.0)
    return power * surprise, -(gamma * lower * surprise + power / q)
