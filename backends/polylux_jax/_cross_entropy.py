"""A native kernel of the mean cross entropy of logits: the shorter formula where it is as exact.

`x - log(sum(exp(x)))` and `softmax - 1` lose their digits for a class that is all but certain. In
a mean that is large they do not show: so a large array takes the definition, at twice the cost,
only where the mean is small, or where it is NaN beside infinite logits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from polylux.backend import DerivativeRule, PartialKernel
from polylux_jax._rules import custom_rule

Arrays = tuple[Any, ...]
Neutral = Callable[..., Any]

_LARGE = 2**14
"""Entries from which a pass over the arrays costs more than a branch does."""

_UNCERTAIN = 0.5
"""A mean of at least this is right but for 2 ulp, and so is the largest entry of its gradient."""


def _softmax_cross_entropy_mean(neutral: Neutral, z: Any, t: Any, dim: int = -1) -> Any:
    return neutral(z, t, dim) if z.size < _LARGE else _mean(neutral, dim)(z, t)


@functools.lru_cache(maxsize=64)
def _mean(neutral: Neutral, dim: int) -> Callable[[Any, Any], Any]:
    """The kernel for large arrays; kept, since each new branch would be compiled outside of jit."""

    def sums(array: Any) -> Any:
        return jnp.sum(array, axis=dim, keepdims=True)

    def short_mean(z: Any, t: Any) -> tuple[Any, Arrays]:
        """The mean, and numbers of each lane: the largest logit, factors of the derivatives."""
        largest = jax.lax.stop_gradient(jnp.max(z, axis=dim, keepdims=True))
        shifted = z - largest
        total, shares = sums(jnp.exp(shifted)), sums(t)
        logarithm = jnp.log(total)
        mean = jnp.mean(shares * logarithm - sums(shifted * t))
        return mean, (largest, shares / (total * total.size), logarithm)

    def short(z: Any, t: Any, mean: Any, lanes: Arrays) -> tuple[Any, Any]:
        largest, scale, _ = lanes
        return mean, jnp.exp(z - largest) * scale - t * (1 / scale.size)

    def definition(z: Any, t: Any, mean: Any, lanes: Arrays) -> Any:
        return neutral(z, t, dim)

    exact = jax.value_and_grad(definition)

    def plain(z: Any, t: Any) -> Any:
        mean, lanes = short_mean(z, t)
        return jax.lax.cond(mean >= _UNCERTAIN, _third, definition, z, t, mean, lanes)

    def forward(z: Any, t: Any) -> tuple[Any, Arrays]:
        mean, lanes = short_mean(z, t)
        mean, slope = jax.lax.cond(mean >= _UNCERTAIN, short, exact, z, t, mean, lanes)
        largest, _, logarithm = lanes
        return mean, (slope, (logarithm - (z - largest)) * (1 / logarithm.size))

    return custom_rule(
        DerivativeRule("softmax_cross_entropy_mean", plain, forward, _pullback, _pushforward, False)
    )


def _third(z: Any, t: Any, mean: Any, lanes: Arrays) -> Any:
    return mean


def _pullback(residuals: Arrays, g: Any) -> Arrays:
    return tuple([g * slope for slope in residuals])


def _pushforward(residuals: Arrays, *tangents: Any) -> Any:
    pairs = zip(residuals, tangents, strict=True)
    return sum(jnp.sum(slope * tangent) for slope, tangent in pairs if tangent is not None)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "softmax_cross_entropy_mean": PartialKernel(_softmax_cross_entropy_mean),
}
