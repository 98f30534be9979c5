"""Transformations of a function of arrays: checkpoint, which is the function itself; no vmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Arrays = tuple[Any, ...]
Transformed = Callable[..., Arrays]


def checkpoint(function: Transformed, arguments: Arrays) -> Arrays:
    """`function(*arguments)`: without a backward pass nothing is kept for it."""
    return function(*arguments)
