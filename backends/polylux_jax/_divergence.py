"""A native kernel of the mean divergence: one logarithm of a ratio where its digits are enough.

Near 1 the logarithm of a rounded ratio has lost digits, which log1p of the difference has. In a
mean that is large they do not show.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from polylux.backend import PartialKernel
from polylux_jax._means import LARGE, as_found, rule_of_mean

Neutral = Callable[..., Any]

_UNCERTAIN = 0.5
"""A mean of at least so many times that of the shares is right but for 2 ulp: each term is but for
the rounding of its share."""


def _mean_of_items(
    neutral: Neutral, p: Any, t: Any, rule: Any, dim: int | None = None, **settings: Any
) -> Any:
    epsilon = settings.get("epsilon")
    if rule.__name__ != "divergence_terms" or dim is None or not epsilon or p.size < LARGE:
        return neutral(p, t, rule, dim, **settings)
    return _divergence(neutral, rule, dim, epsilon)(p, t)


@functools.lru_cache(maxsize=64)
def _divergence(
    neutral: Neutral, rule: Any, dim: int, epsilon: float
) -> Callable[[Any, Any], Any]:
    """The kernel for large arrays; kept, since each new branch would be compiled outside of jit."""

    def count(p: Any) -> int:
        return int(p.size) // int(p.shape[dim])

    def definition(p: Any, t: Any, mean: Any) -> Any:
        return neutral(p, t, rule, dim, epsilon=epsilon)

    def plain(p: Any, t: Any) -> Any:
        is_zero = t == 0
        logarithm = jnp.log(jnp.where(is_zero, 1.0, t) / (p + epsilon))
        total = jnp.sum(jnp.where(is_zero, 0.0, t * logarithm))
        is_exact = total >= _UNCERTAIN * jnp.sum(jnp.abs(t))
        return jax.lax.cond(is_exact, as_found, definition, p, t, total / count(p))

    def mean_and_slope(p: Any, t: Any) -> tuple[Any, Any]:
        return plain(p, t), t / ((p + epsilon) * -count(p))

    return rule_of_mean("divergence_mean", plain, mean_and_slope)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "mean_of_items": PartialKernel(_mean_of_items),
}
