"""Normalisations by torch's own functions; float16 and bfloat16 are computed in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F


def _widened(*arrays: Any) -> Any:
    return [a if a is None or a.dtype.itemsize > 2 else a.float() for a in arrays]


def _layer_norm(x: Any, scale: Any, bias: Any, axes: int, epsilon: float) -> Any:
    if x.dtype.itemsize == 2:
        wide, scale, bias = _widened(x, scale, bias)
        return _layer_norm(wide, scale, bias, axes, epsilon).to(x.dtype)
    return F.layer_norm(x, x.shape[x.ndim - axes :], scale, bias, epsilon)


def _rms_norm(x: Any, scale: Any, axes: int, epsilon: float) -> Any:
    if x.dtype.itemsize == 2:
        wide, scale = _widened(x, scale)
        return _rms_norm(wide, scale, axes, epsilon).to(x.dtype)
    return F.rms_norm(x, x.shape[x.ndim - axes :], scale, epsilon)


def _group_norm(x: Any, scale: Any, bias: Any, groups: int, epsilon: float) -> Any:
    if x.dtype.itemsize == 2:
        wide, scale, bias = _widened(x, scale, bias)
        return _group_norm(wide, scale, bias, groups, epsilon).to(x.dtype)
    return F.group_norm(x, groups, scale, bias, epsilon)


def _batch_norm(
    x: Any, scale: Any, bias: Any, mean: Any, variance: Any, momentum: float, epsilon: float
) -> tuple[Any, Any, Any]:
    wide, scale, bias = _widened(x, scale, bias)
    if mean is None:
        y = F.batch_norm(wide, None, None, scale, bias, True, momentum, epsilon)
        return y.to(x.dtype), None, None
    # torch writes into the statistics that it is given: into copies of the caller's.
    new_mean, new_variance = (
        torch.empty_like(old, dtype=wide.dtype).copy_(old) for old in (mean, variance)
    )
    y = F.batch_norm(wide, new_mean, new_variance, scale, bias, True, momentum, epsilon)
    return y.to(x.dtype), new_mean.to(mean.dtype), new_variance.to(variance.dtype)


def _normalize(x: Any, scale: Any, bias: Any, mean: Any, variance: Any, epsilon: float) -> Any:
    wide, scale, bias = _widened(x, scale, bias)
    mean, variance = mean.to(wide.dtype), variance.to(wide.dtype)
    return F.batch_norm(wide, mean, variance, scale, bias, False, 0.0, epsilon).to(x.dtype)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "batch_norm": _batch_norm,
    "normalize": _normalize,
}
