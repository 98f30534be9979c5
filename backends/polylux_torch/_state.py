"""What a thread is inside of: derivatives, dual numbers, a trace."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

set_grad_enabled: Callable[[bool], None] = torch._C._set_grad_enabled
"""For the hot path: `torch.no_grad` costs as much as some kernels."""


class _State(threading.local):
    depth = 0
    """Derivatives under way."""

    forward = False
    """Whether dual numbers are under way: torch has one level of them."""

    staging = False
    """Whether a step is being traced, so that tensors have no memory yet."""


STATE = _State()
