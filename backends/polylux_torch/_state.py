"""What a thread is inside of: derivatives, dual numbers, a trace."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch


class _State(threading.local):
    depth = 0
    """Derivatives under way."""

    forward = False
    """Whether dual numbers are under way: torch has one level of them."""

    staging = False
    """Whether a step is being traced, so that tensors have no memory yet."""


STATE = _State()

_set_grad_enabled: Callable[[bool], None] = torch._C._set_grad_enabled


def unrecorded(function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)` with nothing recorded; `torch.no_grad` costs as much as a kernel."""
    is_recording = torch.is_grad_enabled()
    _set_grad_enabled(False)
    try:
        return function(*arguments)
    finally:
        _set_grad_enabled(is_recording)
