"""Kernels by name: JAX's own functions or shorter formulas, and definitions compiled as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from polylux_jax import _compiled, _convolution, _cross_entropy, _divergence, _dropout, _scan

# Under jit XLA fuses neutral definitions as well as `jax.nn`: no activation of its own was faster
# in a whole training step. And none but `relu` keeps to the conventions: `jax.nn.softmax` of
# float16 adds up in float16, and the derivative of `jax.nn.sigmoid`, s * (1 - s), loses its digits
# at 30.
KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **_compiled.KERNELS,
        **_cross_entropy.KERNELS,
        **_divergence.KERNELS,
        **_convolution.KERNELS,
        **_dropout.KERNELS,
        **_scan.KERNELS,
    }
)
