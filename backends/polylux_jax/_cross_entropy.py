"""Native kernels of the mean cross entropy of logits: shorter formulas where they are as exact.

What is rare is left to a branch that is taken when the mean shows it: infinite logits, and shares
of a class that is all but certain, for which `x - log(sum(exp(x)))` and `softmax - 1` lose their
digits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from polylux.backend import DerivativeRule, PartialKernel
from polylux_jax._means import LARGE, as_found, rule_of_mean
from polylux_jax._rules import custom_rule

Arrays = tuple[Any, ...]
Neutral = Callable[..., Any]

_finfo: Callable[[Any], Any] = jnp.finfo  # bfloat16 too, unlike numpy's

_UNCERTAIN = 0.5
"""A mean of at least so many times each lane's shares is right but for 2 ulp, and so is the largest
entry of its gradient."""


def _softmax_cross_entropy_mean(neutral: Neutral, z: Any, t: Any, dim: int = -1) -> Any:
    return neutral(z, t, dim) if z.size < LARGE else _mean_by_shares(neutral, dim)(z, t)


@functools.lru_cache(maxsize=64)
def _mean_by_shares(neutral: Neutral, dim: int) -> Callable[[Any, Any], Any]:
    """The kernel for large arrays; kept, since each new branch would be compiled outside of jit.

    The definition takes the place of the short formula, at twice the cost, where the mean is small.
    """

    def sums(array: Any) -> Any:
        return jnp.sum(array, axis=dim, keepdims=True)

    def short_mean(z: Any, t: Any) -> tuple[Any, Any, Arrays]:
        """The mean; whether it is exact; logits less their lane's largest, their exponentials, and
        of each lane the sum of these and of `t`."""
        shifted = z - jax.lax.stop_gradient(jnp.max(z, axis=dim, keepdims=True))
        weights = jnp.exp(shifted)
        total, shares = sums(weights), sums(t)
        mean = jnp.mean(shares * jnp.log(total) - sums(shifted * t))
        is_exact = mean >= _UNCERTAIN * jnp.max(jnp.abs(shares))
        return mean, is_exact, (shifted, weights, total, shares)

    def short(z: Any, t: Any, mean: Any, weights: Any, scale: Any) -> tuple[Any, Any]:
        return mean, weights * scale - t * (1 / scale.size)

    def definition(z: Any, t: Any, *found: Any) -> Any:
        return neutral(z, t, dim)

    exact = jax.value_and_grad(definition)

    def plain(z: Any, t: Any) -> Any:
        mean, is_exact, _ = short_mean(z, t)
        return jax.lax.cond(is_exact, as_found, definition, z, t, mean)

    def forward(z: Any, t: Any) -> tuple[Any, Arrays]:
        mean, is_exact, (shifted, weights, total, shares) = short_mean(z, t)
        # Handed on, since XLA would find them a second time inside the branch.
        scale = shares / (total * total.size)
        mean, slope = jax.lax.cond(is_exact, short, exact, z, t, mean, weights, scale)
        return mean, (slope, (jnp.log(total) - shifted) * (1 / total.size))

    return custom_rule(
        DerivativeRule("softmax_cross_entropy_mean", plain, forward, _pullback, _pushforward, False)
    )


def _softmax_cross_entropy_labels_mean(
    neutral: Neutral, z: Any, labels: Any, dim: int = -1, check: Callable[[], bool] | None = None
) -> Any:
    if z.size < LARGE or z.shape[dim] * _finfo(z.dtype).eps >= 1:
        return neutral(z, labels, dim, check)
    is_known = check is not None and check()
    places = labels.astype(jnp.promote_types(labels.dtype, jnp.int32))
    return _mean_by_labels(neutral, dim, is_known)(z, places)


@functools.lru_cache(maxsize=64)
def _mean_by_labels(neutral: Neutral, dim: int, is_known: bool) -> Callable[[Any, Any], Any]:
    """The kernel for large arrays: the definition, but for its guard against infinite logits.

    Where one is found, the numbers of the lanes are found again, from guarded entries. These have
    no axis of one place, at which XLA would vectorize nothing.
    """

    def lanes(z: Any, labels: Any, largest: Any) -> tuple[Any, Any]:
        """Entries' weights beside the largest, without the label's; the label's logit less it."""
        largest = jnp.minimum(largest, _finfo(z.dtype).max)
        weights = jnp.exp(z - jnp.expand_dims(largest, dim))
        own = jnp.take_along_axis(z, jnp.expand_dims(labels, dim), axis=dim, mode="fill")
        own = jnp.squeeze(own, dim) - largest
        if not is_known:  # and not too large, which is filled with NaN
            own = jnp.where(labels >= 0, own, jnp.nan)
        return jnp.where(is_label(z, labels), 0.0, weights), own

    def is_label(z: Any, labels: Any) -> Any:
        each = jax.lax.broadcasted_iota(z.dtype, z.shape, dim % z.ndim)
        return each == jnp.expand_dims(labels.astype(z.dtype), dim)

    def summed(weights: Any, own: Any) -> Arrays:
        """The mean; the sum of each lane's weights; what turns a weight into a slope."""
        others, missing = jnp.sum(weights, axis=dim), jnp.exp(own) - 1
        mean = jnp.mean(jnp.log1p(others + missing) - own)
        return mean, others, 1 / ((others + missing + 1) * own.size)

    def guarded(z: Any, labels: Any, found: Arrays, largest: Any) -> Arrays:
        """With infinite logits as those that share their lane: where they are, each weighs 1."""
        weights, own = lanes(z, labels, largest)
        own = jnp.where((largest == jnp.inf) & (own < 0), -jnp.inf, jnp.minimum(own, 0.0))
        return summed(jnp.minimum(weights, 1.0), own)

    def both(z: Any, labels: Any) -> tuple[Any, Arrays]:
        """Weights, some perhaps infinite; what `summed` has of them or of guarded ones."""
        largest = jnp.max(z, axis=dim)
        weights, own = lanes(z, labels, largest)
        found = summed(weights, own)
        is_finite = jnp.isfinite(found[0])
        return weights, jax.lax.cond(is_finite, as_found, guarded, z, labels, found, largest)

    def plain(z: Any, labels: Any) -> Any:
        return both(z, labels)[1][0]

    @jax.custom_jvp
    def mean_and_slope(z: Any, labels: Any) -> tuple[Any, Any]:
        weights, (mean, others, scale) = both(z, labels)
        # XLA has two numbers of a lane in one loop cheaper in a difference than in a choice.
        label = jnp.where(is_label(z, labels), jnp.expand_dims(others * scale, dim), 0.0)
        return mean, jnp.minimum(weights, 1.0) * jnp.expand_dims(scale, dim) - label

    exact = jax.value_and_grad(lambda z, labels: neutral(z, labels, dim, lambda: is_known))

    @mean_and_slope.defjvp
    def _(operands: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        z, labels = operands
        _, changes = jax.jvp(lambda z: exact(z, labels), (z,), tangents[:1])
        return mean_and_slope(z, labels), changes

    return rule_of_mean("softmax_cross_entropy_labels_mean", plain, mean_and_slope)


def _pullback(residuals: Arrays, g: Any) -> Arrays:
    return tuple([g * slope for slope in residuals])


def _pushforward(residuals: Arrays, *tangents: Any) -> Any:
    pairs = zip(residuals, tangents, strict=True)
    return sum(jnp.sum(slope * tangent) for slope, tangent in pairs if tangent is not None)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "softmax_cross_entropy_mean": PartialKernel(_softmax_cross_entropy_mean),
    "softmax_cross_entropy_labels_mean": PartialKernel(_softmax_cross_entropy_labels_mean),
}
