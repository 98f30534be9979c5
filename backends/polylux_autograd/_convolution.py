"""Convolution and pools as one node of the tape each: windows copied into a matrix, and products.

As in `_kernels`, a rule here holds at first order in reverse mode; for everything else the
reference is traced, which says the same in functions of the namespace.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from polylux_autograd import array_api as xp
from polylux_autograd._fused import fused

Data = np.ndarray[Any, Any]
Pairs = Sequence[tuple[int, int]]


def _slices(
    window: Sequence[int], stride: Sequence[int], dilation: Sequence[int], lengths: Sequence[int]
) -> Iterator[Any]:
    """For each entry of a window, row-major, where that entry of all windows lies."""
    for offsets in itertools.product(*map(range, window)):
        yield (
            ...,
            *(
                slice(k * d, k * d + s * (n - 1) + 1, s)
                for k, s, d, n in zip(offsets, stride, dilation, lengths, strict=True)
            ),
        )


def _lengths(
    x: Any, window: Sequence[int], stride: Sequence[int], padding: Pairs, dilation: Sequence[int]
) -> tuple[int, ...]:
    return tuple(
        (n + low + high - d * (k - 1) - 1) // s + 1
        for n, k, s, (low, high), d in zip(
            x.shape[2:], window, stride, padding, dilation, strict=True
        )
    )


# --- the references: plain functions of the namespace ------------------------------------------


def _padded(x: Any, padding: Pairs, value: float) -> Any:
    for axis, counts in enumerate(padding, 2):
        shape = x.shape
        before, after = (
            [xp.full((*shape[:axis], count, *shape[axis + 1 :]), value, dtype=x.dtype)]
            if count
            else []
            for count in counts
        )
        if before or after:
            x = xp.concat([*before, x, *after], axis=axis)
    return x


def _stacked(
    x: Any,
    window: Sequence[int],
    stride: Sequence[int],
    padding: Pairs,
    dilation: Sequence[int],
    value: float,
) -> Any:
    """Entries of the windows, along a new axis after the channels."""
    lengths = _lengths(x, window, stride, padding, dilation)
    x = _padded(x, padding, value)
    return xp.stack([x[place] for place in _slices(window, stride, dilation, lengths)], axis=2)


def _convolution(
    x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    outputs, per_group, *window = weight.shape
    patches = _stacked(x, window, stride, padding, dilation, 0.0)
    lengths = patches.shape[3:]
    inner = per_group * math.prod(window)
    patches = xp.reshape(patches, (x.shape[0], groups, inner, math.prod(lengths)))
    y = xp.reshape(weight, (groups, outputs // groups, inner)) @ patches
    y = xp.reshape(y, (x.shape[0], outputs, *lengths))
    return y if bias is None else y + xp.reshape(bias, (outputs, *[1] * len(window)))


def _max_pool(x: Any, window: Any, stride: Any, padding: Any) -> Any:
    patches = _stacked(x, window, stride, padding, (1,) * len(window), -math.inf)
    first = xp.expand_dims(xp.argmax(patches, axis=2), axis=2)
    return xp.squeeze(xp.take_along_axis(patches, first, axis=2), axis=2)


def _mean_pool(x: Any, window: Any, stride: Any, padding: Any) -> Any:
    patches = _stacked(x, window, stride, padding, (1,) * len(window), 0.0)
    wide = xp.astype(patches, xp.float32) if x.dtype == xp.float16 else patches
    return xp.astype(xp.sum(wide, axis=2) / math.prod(window), x.dtype, copy=False)


# --- convolution in numpy ------------------------------------------------------------------------


def _padded_data(x: Data, padding: Pairs, value: float) -> Data:
    if not any(map(any, padding)):
        return x
    shape = [n + low + high for n, (low, high) in zip(x.shape[2:], padding, strict=True)]
    out = np.full((*x.shape[:2], *shape), value, x.dtype)
    out[_inside(x.shape[2:], padding)] = x
    return out


def _inside(lengths: Sequence[int], padding: Pairs) -> Any:
    return (..., *(slice(low, low + n) for n, (low, _) in zip(lengths, padding, strict=True)))


def _convolution_forward(
    x: Data, weight: Data, bias: Data | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    if x.dtype != weight.dtype or (bias is not None and bias.dtype != x.dtype):
        return None
    outputs, per_group, *window = weight.shape
    lengths = _lengths(x, window, stride, padding, dilation)
    batch = x.shape[0]
    # Channels first and the batch beside the places: one large product for each group.
    wide = _padded_data(x, padding, 0.0).swapaxes(0, 1)
    columns = np.empty((x.shape[1], math.prod(window), batch, *lengths), x.dtype)
    for k, place in enumerate(_slices(window, stride, dilation, lengths)):
        columns[:, k] = wide[place]
    columns = columns.reshape(groups, per_group * math.prod(window), -1)
    y = weight.reshape(groups, outputs // groups, -1) @ columns
    if bias is not None:
        y += bias.reshape(groups, -1, 1)
    y = np.ascontiguousarray(y.reshape(outputs, batch, *lengths).swapaxes(0, 1))
    return y, columns


def _convolution_pullback(
    g: Data,
    columns: Any,
    needed: Any,
    x: Data,
    weight: Data,
    bias: Data | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Any:
    outputs, per_group, *window = weight.shape
    batch, lengths = g.shape[0], g.shape[2:]
    rows = np.ascontiguousarray(g.swapaxes(0, 1)).reshape(groups, outputs // groups, -1)
    by_x = by_weight = by_bias = None
    if needed[2]:
        by_bias = rows.sum(axis=2).reshape(outputs)
    if needed[1]:
        by_weight = (rows @ columns.swapaxes(1, 2)).reshape(weight.shape)
    if needed[0]:
        spread = weight.reshape(groups, outputs // groups, -1).swapaxes(1, 2) @ rows
        spread = spread.reshape(groups * per_group, math.prod(window), batch, *lengths)
        shape = [n + low + high for n, (low, high) in zip(x.shape[2:], padding, strict=True)]
        wide = np.zeros((batch, x.shape[1], *shape), g.dtype)
        across = wide.swapaxes(0, 1)
        for k, place in enumerate(_slices(window, stride, dilation, lengths)):
            across[place] += spread[:, k]
        by_x = np.ascontiguousarray(wide[_inside(x.shape[2:], padding)])
    return by_x, by_weight, by_bias, None, None, None, None


# --- pools in numpy ------------------------------------------------------------------------------


def _max_pool_forward(x: Data, window: Any, stride: Any, padding: Any) -> Any:
    single = (1,) * len(window)
    lengths = _lengths(x, window, stride, padding, single)
    wide = _padded_data(x, padding, -math.inf)
    places = list(_slices(window, stride, single, lengths))
    out = wide[places[0]].copy()
    for place in places[1:]:
        np.maximum(out, wide[place], out=out)  # NaN stays
    return out, (wide, out, places)


def _max_pool_pullback(
    g: Data, residuals: Any, needed: Any, x: Data, window: Any, stride: Any, padding: Any
) -> Any:
    wide, out, places = residuals
    slope = np.zeros_like(wide)
    free = np.ones(out.shape, bool)
    for place in places:
        entries = wide[place]
        first = ((entries == out) | (entries != entries)) & free
        free &= ~first
        slope[place] += np.where(first, g, 0)
    return np.ascontiguousarray(slope[_inside(x.shape[2:], padding)]), None, None, None


def _mean_pool_forward(x: Data, window: Any, stride: Any, padding: Any) -> Any:
    if x.dtype.itemsize < 4:
        return None
    single = (1,) * len(window)
    lengths = _lengths(x, window, stride, padding, single)
    wide = _padded_data(x, padding, 0.0)
    places = list(_slices(window, stride, single, lengths))
    out = wide[places[0]].copy()
    for place in places[1:]:
        out += wide[place]
    out /= math.prod(window)
    return out, (wide.shape, places)


def _mean_pool_pullback(
    g: Data, residuals: Any, needed: Any, x: Data, window: Any, stride: Any, padding: Any
) -> Any:
    shape, places = residuals
    slope = np.zeros(shape, g.dtype)
    share = g / math.prod(window)
    for place in places:
        slope[place] += share
    return np.ascontiguousarray(slope[_inside(x.shape[2:], padding)]), None, None, None


KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "convolution": fused(
            "convolution",
            reference=_convolution,
            forward=_convolution_forward,
            pullback=_convolution_pullback,
        ),
        "max_pool": fused(
            "max_pool",
            reference=_max_pool,
            forward=_max_pool_forward,
            pullback=_max_pool_pullback,
        ),
        "mean_pool": fused(
            "mean_pool",
            reference=_mean_pool,
            forward=_mean_pool_forward,
            pullback=_mean_pool_pullback,
        ),
    }
)
