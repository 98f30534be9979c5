"""Dropout as one compiled function, for calls outside of any jit: its words take 120 operations."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from polylux.threefry import threefry


@functools.partial(jax.jit, static_argnums=3)
def _dropout(x: Any, key: Any, count: Any, rate: float) -> Any:
    index = jnp.arange((x.size + 1) // 2, dtype=jnp.int32)
    words = jnp.concatenate(threefry((key[:1], key[1:]), (index, count)))[: x.size]
    dropped = (((words >> 8) & 0xFFFFFF) < math.ceil(rate * 2**24)).reshape(x.shape)
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    return jnp.where(dropped, 0, wide * (1 / (1 - rate))).astype(x.dtype)


KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType({"dropout": _dropout})
