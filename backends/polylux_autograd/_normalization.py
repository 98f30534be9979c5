"""Normalisations as one node of the tape each.

As in `_kernels`, the rule here holds at first order in reverse mode; for everything else the
reference is traced, which says the same in functions of the namespace.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from polylux_autograd import array_api as xp
from polylux_autograd._fused import fused
from polylux_autograd._tracing import stop_gradient

Data = np.ndarray[Any, Any]
Shape = tuple[int, ...]

# All norms are one function: `x` is seen in the shape `view`, each lane along some `axes` of it is
# brought to mean 0 (if `centered`) and mean square 1, and in the shape of `x` again it is
# multiplied by a scale and added to a bias, both seen in the shape `affine`.


def _standardize(
    x: Any,
    scale: Any,
    bias: Any,
    view: Shape,
    axes: Shape,
    affine: Shape,
    centered: bool,
    epsilon: float,
) -> Any:
    wide = xp.astype(x, xp.float32) if x.dtype == xp.float16 else x
    seen = xp.reshape(wide, view)
    if centered:
        seen = seen - xp.mean(seen, axis=axes, keepdims=True)
    squares = xp.mean(seen * seen, axis=axes, keepdims=True)
    y = xp.reshape(seen / xp.sqrt(squares + epsilon), x.shape)
    if scale is not None:
        y = y * xp.reshape(scale, affine)
    if bias is not None:
        y = y + xp.reshape(bias, affine)
    return xp.astype(y, x.dtype, copy=False)


def _standardize_forward(
    x: Data,
    scale: Data | None,
    bias: Data | None,
    view: Shape,
    axes: Shape,
    affine: Shape,
    centered: bool,
    epsilon: float,
) -> Any:
    if x.dtype.itemsize < 4 or not x.size:
        return None
    if any(p is not None and p.dtype != x.dtype for p in (scale, bias)):
        return None
    seen = x.reshape(view)
    if centered:
        seen = seen - seen.mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt((seen * seen).mean(axis=axes, keepdims=True) + epsilon, dtype=x.dtype)
    unit = seen * inverse
    y = unit.reshape(x.shape)
    if scale is not None:
        y = y * scale.reshape(affine)
    if bias is not None:
        y = y + bias.reshape(affine)
    return y, (unit, inverse)


def _standardize_pullback(
    g: Data,
    residuals: Any,
    needed: Any,
    x: Data,
    scale: Data | None,
    bias: Data | None,
    view: Shape,
    axes: Shape,
    affine: Shape,
    centered: bool,
    epsilon: float,
) -> Any:
    unit, inverse = residuals
    by_x = by_scale = by_bias = None
    # The axes that the scale and the bias were broadcast along.
    offset = g.ndim - len(affine)
    shared = tuple(a for a in range(g.ndim) if a < offset or affine[a - offset] == 1)
    if needed[2]:
        assert bias is not None
        by_bias = g.sum(axis=shared).reshape(bias.shape)
    if needed[1]:
        assert scale is not None
        by_scale = (g * unit.reshape(g.shape)).sum(axis=shared).reshape(scale.shape)
    if needed[0]:
        slope = (g if scale is None else g * scale.reshape(affine)).reshape(view)
        by_x = slope - unit * (slope * unit).mean(axis=axes, keepdims=True)
        if centered:
            by_x -= slope.mean(axis=axes, keepdims=True)
        by_x = (by_x * inverse).reshape(x.shape)
    return by_x, by_scale, by_bias, None, None, None, None, None


_standardized = fused(
    "standardize",
    reference=_standardize,
    forward=_standardize_forward,
    pullback=_standardize_pullback,
)


def _layer_norm(x: Any, scale: Any, bias: Any, axes: int, epsilon: float) -> Any:
    last = tuple(range(x.ndim - axes, x.ndim))
    return _standardized(x, scale, bias, x.shape, last, x.shape[x.ndim - axes :], True, epsilon)


def _rms_norm(x: Any, scale: Any, axes: int, epsilon: float) -> Any:
    last = tuple(range(x.ndim - axes, x.ndim))
    return _standardized(x, scale, None, x.shape, last, x.shape[x.ndim - axes :], False, epsilon)


def _group_norm(x: Any, scale: Any, bias: Any, groups: int, epsilon: float) -> Any:
    view = (x.shape[0], groups, math.prod(x.shape[1:]) // groups)
    return _standardized(x, scale, bias, view, (2,), _channels(x), True, epsilon)


def _batch_norm(
    x: Any, scale: Any, bias: Any, mean: Any, variance: Any, momentum: float, epsilon: float
) -> tuple[Any, Any, Any]:
    axes = (0, *range(2, x.ndim))
    y = _standardized(x, scale, bias, x.shape, axes, _channels(x), True, epsilon)
    if mean is None:
        return y, None, None
    data = stop_gradient(x)
    wide = xp.astype(data, xp.float32) if data.dtype == xp.float16 else data
    batch_mean = xp.mean(wide, axis=axes)
    batch_variance = xp.var(wide, axis=axes, correction=1)

    def moved(old: Any, new: Any) -> Any:
        sum_ = (1 - momentum) * xp.astype(old, new.dtype, copy=False) + momentum * new
        return xp.astype(sum_, old.dtype, copy=False)

    return y, moved(mean, batch_mean), moved(variance, batch_variance)


def _channels(x: Any) -> Shape:
    return (1, x.shape[1], *[1] * (x.ndim - 2))


KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "layer_norm": _layer_norm,
        "rms_norm": _rms_norm,
        "group_norm": _group_norm,
        "batch_norm": _batch_norm,
    }
)
