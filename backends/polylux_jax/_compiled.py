"""Definitions of many operations compiled as one, also where no jit is around them.

There each operation takes 20 us or more by itself, and a rule 100 us.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax

from polylux.backend import PartialKernel


def _compiled(*places: int, named: str | None = None) -> PartialKernel:
    """The definition under jit; in these places, and of this name, are settings and no arrays."""

    @functools.lru_cache(maxsize=1)
    def jitted(neutral: Callable[..., Any]) -> Callable[..., Any]:
        return jax.jit(neutral, static_argnums=places, static_argnames=named)

    def kernel(neutral: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        return jitted(neutral)(*arguments, **settings)

    return PartialKernel(kernel)


KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "softmax": _compiled(1, named="dim"),
        "log_softmax": _compiled(1, named="dim"),
        "logsumexp": _compiled(1, named="dim"),
        "gelu": _compiled(1, named="approximate"),
        "layer_norm": _compiled(3, 4),
        "rms_norm": _compiled(2, 3),
        "group_norm": _compiled(3, 4),
        "batch_norm": _compiled(5, 6),
        "normalize": _compiled(5),
    }
)
