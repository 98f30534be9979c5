"""The array-API namespace: array_api_compat.torch, with what it gets wrong put right."""

from __future__ import annotations

import functools
import types
from typing import Any

import array_api_compat.torch as compat
import numpy as np
import torch

from polylux.selectors import AutoTorch
from polylux_torch import _arrays


def asarray(
    obj: Any,
    /,
    *,
    dtype: torch.dtype | None = None,
    device: Any = None,
    copy: bool | None = None,
) -> torch.Tensor:
    """As the standard's `asarray`; derivatives pass, numpy arrays are copied.

    torch's own refuses negative strides, warns at read-only memory, and cuts lists of traced
    tensors off from their derivatives.
    """
    if isinstance(obj, np.ndarray | np.generic):
        there = AutoTorch(device=None if device is None else str(device))
        (tensor,) = _arrays.from_host([np.asarray(obj)], there)
        return tensor if dtype is None else tensor.to(dtype)
    if isinstance(obj, list | tuple) and _holds_tensor(obj):
        first = _first_tensor(obj)
        stacked = torch.stack([asarray(item, device=first.device) for item in obj])
        return stacked.to(dtype=dtype, device=device)
    if isinstance(obj, torch.Tensor):
        moved = obj.to(dtype=dtype, device=device)
        return moved.clone() if copy and moved is obj else moved
    return compat.asarray(obj, dtype=dtype, device=device, copy=copy)


@functools.lru_cache(maxsize=256)
def isdtype(dtype: Any, kind: Any) -> bool:
    """As the standard's `isdtype`; kept, since losses ask at every call."""
    return compat.isdtype(dtype, kind)


def _holds_tensor(values: Any) -> bool:
    return any(
        isinstance(v, torch.Tensor) or (isinstance(v, list | tuple) and _holds_tensor(v))
        for v in values
    )


def _first_tensor(values: Any) -> torch.Tensor:
    for value in values:
        if isinstance(value, torch.Tensor):
            return value
        if isinstance(value, list | tuple) and _holds_tensor(value):
            return _first_tensor(value)
    raise AssertionError("called without a tensor")


def _without_promotion(native: Any, general: Any) -> Any:
    """`native` where both arguments have one dtype, `general` otherwise.

    The promotion of 0-d arrays that array_api_compat adds costs more than a small operation, and
    can change nothing between equal dtypes.
    """

    @functools.wraps(general)
    def function(x1: Any, x2: Any, /, **options: Any) -> Any:
        plain = not options and isinstance(x1, torch.Tensor) and isinstance(x2, torch.Tensor)
        if plain and x1.dtype is x2.dtype:
            return native(x1, x2)
        return general(x1, x2, **options)

    return function


def where(condition: torch.Tensor, x1: Any, x2: Any, /) -> torch.Tensor:
    """As the standard's `where`, Python scalars included."""
    if isinstance(x1, torch.Tensor) and isinstance(x2, torch.Tensor) and x1.dtype is x2.dtype:
        return torch.where(condition, x1, x2)
    return compat.where(condition, x1, x2)


def sign(x: torch.Tensor, /) -> torch.Tensor:
    """As the standard's `sign`, NaN for NaN; array_api_compat's write by a mask has no trace."""
    if not x.dtype.is_floating_point:
        return compat.sign(x)
    return torch.where(torch.isnan(x), torch.nan, torch.sign(x))


_COMMON_BINARY = (
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "pow", "logaddexp", "matmul",
)  # fmt: skip

namespace = types.ModuleType("polylux_torch.namespace", "torch by the array API standard")
namespace.__dict__.update({name: getattr(compat, name) for name in dir(compat)})
namespace.__dict__.update(asarray=asarray, isdtype=isdtype, sign=sign, where=where)
namespace.__dict__.update(
    {
        name: _without_promotion(getattr(torch, name), getattr(compat, name))
        for name in _COMMON_BINARY
    }
)
