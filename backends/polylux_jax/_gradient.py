"""Derivatives of a function of leaves: value and gradient, pullback, pushforward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Arrays = tuple[Any, ...]
Function = Callable[..., tuple[Any, Arrays]]
Map = Callable[..., tuple[Arrays, Arrays]]
Pull = Callable[[Arrays], Arrays]


def value_and_gradient(function: Function, leaves: Arrays) -> tuple[Any, Arrays, Arrays]:
    """Value, gradient and auxiliary output; nests with itself and with `jax.jit`."""
    # One argument holding all leaves: cheaper than `argnums` over a thousand of them.
    differentiate = jax.value_and_grad(lambda group: function(*group), has_aux=True)
    (value, aux), gradients = differentiate(leaves)
    return strong(value), _distinct(gradients), aux


def pullback(function: Map, leaves: Arrays) -> tuple[Arrays, Pull, Arrays]:
    """Outputs, the map from their cotangents to those of the leaves, and auxiliary output."""
    outputs, pull, aux = jax.vjp(lambda group: function(*group), leaves, has_aux=True)
    return tuple(map(strong, outputs)), lambda cotangents: _distinct(pull(cotangents)[0]), aux


def pushforward(
    function: Map, leaves: Arrays, tangents: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    """Outputs, their derivatives along the tangents, and auxiliary output."""
    outputs, derivatives, aux = jax.jvp(function, leaves, tangents, has_aux=True)
    return tuple(map(strong, outputs)), tuple(map(strong, derivatives)), aux


def strong(array: Any) -> Any:
    """The array without JAX's weak type, which a value made from Python numbers carries.

    A weakly typed state would change its type, and be traced again, after the first step.
    """
    return jnp.asarray(array, dtype=array.dtype) if jax.typeof(array).weak_type else array


def _distinct(gradients: Arrays) -> Arrays:
    """The gradients with a buffer for each: the rule of an addition hands one on to both sides."""
    if len(set(map(id, gradients))) == len(gradients):
        return gradients
    seen: set[int] = set()
    result = []
    for gradient in gradients:
        result.append(jnp.array(gradient, copy=True) if id(gradient) in seen else gradient)
        seen.add(id(gradient))
    return tuple(result)
