"""Dropout with random words that numpy makes: torch's calls would cost many times as much."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from polylux.threefry import host_below, threefry
from polylux_torch._state import STATE


def _dropout(x: Any, key: Any, count: Any, rate: float) -> Any:
    length = x.numel()
    if STATE.staging or key.device.type != "cpu":
        # No memory to look into, or another device's: the same words by torch's own operations.
        index = torch.arange((length + 1) // 2, dtype=torch.int32, device=key.device)
        words = torch.cat(threefry((key[:1], key[1:]), (index, count)))[:length]
        dropped = ((words >> 8) & 0xFFFFFF) < math.ceil(rate * 2**24)
    else:
        dropped = torch.from_numpy(host_below(key.numpy(), count.numpy(), length, rate))
    return (x * (1 / (1 - rate))).masked_fill(dropped.reshape(x.shape), 0.0)


KERNELS: Mapping[str, Callable[..., Any]] = {"dropout": _dropout}
