"""scan as one loop of XLA's, compiled once however long the sequence is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
from jax import lax


# Compiled by itself too, for calls outside of any jit: a bare `lax.scan` compiles at each of them.
@functools.partial(jax.jit, static_argnums=(2, 4))
def _scan(
    xs: Any, carry: Any, function: Callable[..., Any], constants: Any, keep: bool
) -> tuple[Any, Any]:
    carry, ys = lax.scan(lambda handed, x: function(handed, x, *constants), carry, xs)
    return ys if keep else ys[-1], carry


KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType({"scan": _scan})
