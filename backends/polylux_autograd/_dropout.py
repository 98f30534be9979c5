"""Dropout as one node of the tape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from polylux.threefry import host_below
from polylux_autograd import array_api as xp
from polylux_autograd._fused import fused

Data = np.ndarray[Any, Any]


def _masked(x: Any, dropped: Any, scale: float) -> Any:
    wide = xp.astype(x, xp.float32) if x.dtype == xp.float16 else x
    return xp.astype(xp.where(dropped, xp.zeros_like(wide), wide * scale), x.dtype, copy=False)


def _masked_forward(x: Data, dropped: Data, scale: float) -> Any:
    if not x.ndim or x.dtype.itemsize < 4:
        return None
    out = x * scale
    out[dropped] = 0
    return out, None


def _masked_pullback(g: Data, _: Any, needed: Any, x: Data, dropped: Data, scale: float) -> Any:
    slope = g * scale
    slope[dropped] = 0
    return slope, None, None


_mask = fused("dropout", reference=_masked, forward=_masked_forward, pullback=_masked_pullback)


def _dropout(x: Any, key: Any, count: Any, rate: float) -> Any:
    dropped = host_below(key._concrete(), count._concrete(), math.prod(x.shape), rate)
    return _mask(x, xp.asarray(dropped.reshape(x.shape)), 1 / (1 - rate))


KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType({"dropout": _dropout})
