"""Custom derivative rules, as `jax.custom_jvp`s, which serve both modes to any order.

`jax.custom_vjp` would break forward mode. A rule without a pushforward gets the transpose of its
pullback; JAX's reverse mode transposes it again, which gives back the pullback's own operations.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from polylux.backend import DerivativeRule

Arrays = tuple[Any, ...]


def custom_rule(rule: DerivativeRule) -> Callable[..., Any]:
    """`rule.plain` as a function whose derivatives are the rule's."""

    @functools.lru_cache(maxsize=64)
    def with_settings(items: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
        return _with_settings(rule, dict(items))

    def apply(*operands: Any, **settings: Any) -> Any:
        return with_settings(tuple(settings.items()))(*operands)

    return apply


def _with_settings(rule: DerivativeRule, settings: dict[str, Any]) -> Callable[..., Any]:
    function: Any = jax.custom_jvp(functools.partial(rule.plain, **settings))

    def jvp(operands: Arrays, tangents: Arrays) -> tuple[Any, Any]:
        moving = [
            None if isinstance(t, SymbolicZero) or not jnp.issubdtype(x.dtype, jnp.floating) else t
            for x, t in zip(operands, tangents, strict=True)
        ]
        if rule.elementwise:
            # By the function itself: a derivative that is written by the output obeys the rule.
            output = function(*operands)
            residuals = (output, *operands)
        else:
            output, residuals = rule.forward(*operands, **settings)
        if rule.pushforward is not None:
            tangent = rule.pushforward(residuals, *moving, **settings)
        else:
            tangent = _transposed(rule, settings, operands, residuals, output, moving)
        return output, jax.tree.map(_fitting, tangent, output)

    function.defjvp(jvp, symbolic_zeros=True)
    return function  # type: ignore[no-any-return]


def _transposed(
    rule: DerivativeRule,
    settings: dict[str, Any],
    operands: Arrays,
    residuals: Arrays,
    output: Any,
    moving: list[Any],
) -> Any:
    """The pushforward as the transpose of the pullback, which is linear in its cotangent."""
    places = [i for i, tangent in enumerate(moving) if tangent is not None]

    def pulled(cotangent: Any) -> Arrays:
        parts = rule.cotangents(operands, residuals, cotangent, settings)
        return tuple(
            [
                jnp.zeros_like(operands[i]) if parts[i] is None else _fitting(parts[i], operands[i])
                for i in places
            ]
        )

    (tangent,) = jax.linear_transpose(pulled, output)(tuple([moving[i] for i in places]))
    return tangent


def _fitting(tangent: Any, array: Any) -> Any:
    """A tangent or cotangent in the dtype of its array."""
    return jnp.asarray(tangent, dtype=array.dtype)
