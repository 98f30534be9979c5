"""What kernels of means share: shorter formulas, and a branch where they are not as exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from polylux.backend import DerivativeRule
from polylux_jax._rules import custom_rule

LARGE = 2**14
"""Entries from which a pass over the arrays costs more than a branch does."""


def as_found(x: Any, target: Any, found: Any, *lanes: Any) -> Any:
    """The branch that leaves what was found as it is."""
    return found


def rule_of_mean(
    name: str, plain: Callable[..., Any], mean_and_slope: Callable[..., tuple[Any, Any]]
) -> Callable[..., Any]:
    """The mean `plain(x, target)` with its slope by `x`; the target is a constant."""

    def forward(x: Any, target: Any) -> tuple[Any, tuple[Any]]:
        mean, slope = mean_and_slope(x, target)
        return mean, (slope,)

    return custom_rule(DerivativeRule(name, plain, forward, _pullback, _pushforward, False))


def _pullback(residuals: tuple[Any], g: Any) -> tuple[Any, None]:
    return g * residuals[0], None


def _pushforward(residuals: tuple[Any], change: Any, _: Any) -> Any:
    (slope,) = residuals
    return jnp.zeros((), slope.dtype) if change is None else jnp.sum(slope * change)
