"""Transformations of a function of arrays: checkpoint and vmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

Arrays = tuple[Any, ...]
Transformed = Callable[..., Arrays]


def checkpoint(function: Transformed, arguments: Arrays) -> Arrays:
    """`function(*arguments)`, computed again where a backward pass needs it."""
    return tuple(jax.checkpoint(function)(*arguments))


def vmap(function: Transformed, arguments: Arrays) -> Arrays:
    """`function` of the items along the first axis of each argument."""
    return tuple(jax.vmap(function)(*arguments))
