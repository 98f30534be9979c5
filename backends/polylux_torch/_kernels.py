"""Native kernels by name: torch's own functions where they are faster than the neutral definition.

Each equals the definition of the same name in the core, kinks, infinities and second derivatives
included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from polylux_torch import (
    _activations,
    _convolution,
    _cross_entropy,
    _dropout,
    _gelu,
    _losses,
    _normalization,
    _recurrent,
)
from polylux_torch._functional import is_functional

_WIDE = 12
"""As many outputs and more are computed as fast from a matrix that lies row by row in memory. Fewer
take twice as long, and so does the derivative by the matrix; one is no product of matrices."""

_LARGE = 2**15
"""Entries of an input from which a copy of such a matrix, column by column, is well spent."""


def _dense(x: Any, weight: Any, bias: Any) -> Any:
    if bias is None:
        return x @ weight
    if x.numel() >= _LARGE and 1 < weight.shape[-1] < _WIDE and not is_functional():
        weight = torch.t_copy(weight).t()
    if x.ndim == 2:
        return torch.addmm(bias, x, weight)
    if x.ndim < 2:
        return x @ weight + bias
    # One operation, where a sum of its own would go through memory once more.
    lanes = x.reshape(-1, x.shape[-1])
    return torch.addmm(bias, lanes, weight).reshape(*x.shape[:-1], weight.shape[-1])


def _scale(x: Any, weight: Any, bias: Any = None) -> Any:
    return x * weight if bias is None else torch.addcmul(bias, x, weight)


def _embedding(weight: Any, indices: Any) -> Any:
    if indices.dtype not in (torch.int32, torch.int64):  # the kernel knows no others
        indices = indices.long()
    return F.embedding(indices, weight)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "rsqrt": torch.rsqrt,
    "dense": _dense,
    "scale": _scale,
    "embedding": _embedding,
    **_activations.KERNELS,
    **_gelu.KERNELS,
    **_cross_entropy.KERNELS,
    **_losses.KERNELS,
    **_convolution.KERNELS,
    **_normalization.KERNELS,
    **_dropout.KERNELS,
    **_recurrent.KERNELS,
}
