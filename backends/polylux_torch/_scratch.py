"""Memory for what a computation needs only while it runs, kept from one call to the next.

The system takes large blocks back when they are freed, and clears them page by page when they are
asked for again: in a computation that is a loop over memory this costs as much as the arithmetic.
"""

from __future__ import annotations

import threading
from typing import Any

import torch

BLOCK = 2**18
"""Entries at most: four arrays of float32 are 4 MB, and a block's own 50 us are little."""

_LARGE = 2**12
"""Entries from which kept memory is worth its look-up."""


class _Kept(threading.local):
    """One thread's buffers, by dtype."""

    def __init__(self) -> None:
        self.by_dtype: dict[torch.dtype, list[Any]] = {}


_KEPT = _Kept()


def scratch(like: Any, count: int) -> list[Any]:
    """Buffers of the shape and dtype of an array of one axis, and of any content.

    They are the caller's until it returns: the next caller gets the same.
    """
    size = like.numel()
    if size < _LARGE:
        return [torch.empty_like(like) for _ in range(count)]
    kept = _KEPT.by_dtype.setdefault(like.dtype, [])
    if len(kept) < count:
        with torch.inference_mode(False):
            kept += [like.new_empty(BLOCK) for _ in range(count - len(kept))]
    buffers = kept[:count]
    return buffers if size == BLOCK else [buffer[:size] for buffer in buffers]
