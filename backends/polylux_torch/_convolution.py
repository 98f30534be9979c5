"""Convolution and pools by torch's own functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch.nn.functional as F

Pairs = Sequence[tuple[int, int]]

_CONVOLUTIONS: Any = (F.conv1d, F.conv2d, F.conv3d)
_MAX_POOLS: Any = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
_MEAN_POOLS: Any = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)


def _convolution(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Sequence[int],
    padding: Pairs,
    dilation: Sequence[int],
    groups: int,
) -> Any:
    x, equal = _padded(x, padding, 0.0)
    function = _CONVOLUTIONS[len(stride) - 1]
    return function(x, weight, bias, stride, equal, dilation, groups)


def _max_pool(x: Any, window: Sequence[int], stride: Sequence[int], padding: Pairs) -> Any:
    # torch pads a pool by half of its window at most.
    half = all(2 * low <= k for k, (low, _) in zip(window, padding, strict=True))
    x, equal = _padded(x, padding, -float("inf"), symmetric=half)
    return _MAX_POOLS[len(window) - 1](x, window, stride, equal)


def _mean_pool(x: Any, window: Sequence[int], stride: Sequence[int], padding: Pairs) -> Any:
    half = all(2 * low <= k for k, (low, _) in zip(window, padding, strict=True))
    x, equal = _padded(x, padding, 0.0, symmetric=half)
    return _MEAN_POOLS[len(window) - 1](x, window, stride, equal)


def _padded(
    x: Any, padding: Pairs, value: float, symmetric: bool = True
) -> tuple[Any, Sequence[int]]:
    """`x`, and the padding that is left to torch, which knows equal sides only."""
    if symmetric and all(low == high for low, high in padding):
        return x, [low for low, _ in padding]
    sides = [side for pair in reversed(padding) for side in pair]
    return F.pad(x, sides, value=value), [0] * len(padding)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "convolution": _convolution,
    "max_pool": _max_pool,
    "mean_pool": _mean_pool,
}
