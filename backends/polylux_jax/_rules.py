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
import numpy as np
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
    forward: Any = jax.custom_jvp(functools.partial(rule.forward, **settings))

    def pushed(operands: Arrays, moving: list[Any], output: Any, residuals: Arrays) -> Any:
        if rule.pushforward is not None:
            tangent = rule.pushforward(residuals, *moving, **settings)
        else:
            tangent = _transposed(rule, settings, operands, residuals, output, moving)
        if isinstance(output, tuple):
            return tuple(map(_fitting, tangent, output))
        return _fitting(tangent, output)

    def jvp(operands: Arrays, tangents: Arrays) -> tuple[Any, Any]:
        if rule.elementwise:
            # By the function itself: a derivative that is written by the output obeys the rule.
            output = function(*operands)
            residuals: Arrays = (output, *operands)
        else:
            output, residuals = forward(*operands)
        return output, pushed(operands, _moving(operands, tangents), output, residuals)

    def forward_jvp(operands: Arrays, tangents: Arrays) -> tuple[Any, Any]:
        """In a derivative of a derivative: the output's is the rule's, the residuals' are not."""
        moving = _moving(operands, tangents)
        output, residuals = forward(*operands)
        tangent = pushed(operands, moving, output, residuals)
        places = [i for i, part in enumerate(moving) if part is not None]
        by_rule: list[Any] = []

        def plain(*values: Any) -> Arrays:
            placed = list(operands)
            for i, value in zip(places, values, strict=True):
                placed[i] = value
            output, residuals = rule.forward(*placed, **settings)
            obeying = rule.obeying(placed, residuals, output, tangent)
            by_rule[:] = [None if a is b else a for a, b in zip(obeying, residuals, strict=True)]
            return residuals

        _, changes = jax.jvp(plain, [operands[i] for i in places], [moving[i] for i in places])
        changes = [c if t is None else t for c, t in zip(changes, by_rule, strict=True)]
        return (output, residuals), (tangent, tuple(changes))

    function.defjvp(jvp, symbolic_zeros=True)
    forward.defjvp(forward_jvp, symbolic_zeros=True)
    return function  # type: ignore[no-any-return]


def _moving(operands: Arrays, tangents: Arrays) -> list[Any]:
    """The tangents, None in place of zeros."""
    return [
        None if isinstance(tangent, SymbolicZero) or not _is_float(x) else tangent
        for x, tangent in zip(operands, tangents, strict=True)
    ]


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
    outputs = output if isinstance(output, tuple) else (output,)
    floats = [k for k, array in enumerate(outputs) if _is_float(array)]

    def pulled(*cotangents: Any) -> Arrays:
        given = list(map(jnp.zeros_like, outputs))
        for k, cotangent in zip(floats, cotangents, strict=True):
            given[k] = cotangent
        cotangent = tuple(given) if isinstance(output, tuple) else given[0]
        parts = rule.cotangents(operands, residuals, cotangent, settings)
        return tuple(
            [
                jnp.zeros_like(operands[i]) if parts[i] is None else _fitting(parts[i], operands[i])
                for i in places
            ]
        )

    transpose = jax.linear_transpose(pulled, *[outputs[k] for k in floats])
    found: list[Any] = [None] * len(outputs)
    for k, tangent in zip(floats, transpose(tuple([moving[i] for i in places])), strict=True):
        found[k] = tangent
    return tuple(found) if isinstance(output, tuple) else found[0]


def _fitting(tangent: Any, array: Any) -> Any:
    """A tangent or cotangent in the dtype of its array; what JAX has for integers beside them."""
    if not _is_float(array):
        return np.zeros(array.shape, jax.dtypes.float0)
    return jnp.asarray(tangent, dtype=array.dtype)


def _is_float(array: Any) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.floating))
