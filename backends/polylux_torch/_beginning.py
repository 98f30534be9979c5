"""Where a backward pass begins: at a value, or at the prediction of a loss whose slope is known.

Each node of torch's graph costs some microseconds, of a custom function more. A loss that is the
whole objective, as most are, has no need of its own: its gradient by the prediction is at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Arrays = tuple[Any, ...]

_NAME = "_polylux_beginning"

_ONES: dict[torch.dtype, Any] = {}

_set_grad_enabled: Callable[[bool], None] = torch._C._set_grad_enabled


def begin_at(value: Any, prediction: Any, slope: Callable[[], Any]) -> None:
    """Note that a number's gradient by the prediction is `slope()`, and that it has no other.

    None instead of a gradient means that it is not at hand any more.
    """
    setattr(value, _NAME, (prediction, prediction._version, value._version, slope))


def beginning_of(value: Any, is_traced: bool) -> tuple[Arrays, Arrays, Arrays]:
    """Tensors from which a backward pass gives a number's gradients, and their cotangents.

    The third are those among the cotangents that must not be given to anybody.
    """
    known = value.__dict__.get(_NAME)
    if known is not None and value._backward_hooks is None and not value.retains_grad:
        prediction, *versions, slope = known
        # An operation in place would have made other tensors of them.
        if versions == [prediction._version, value._version]:
            is_recording = torch.is_grad_enabled()
            _set_grad_enabled(False)
            try:
                cotangent = slope()
            finally:
                _set_grad_enabled(is_recording)
            if cotangent is not None:
                return (prediction,), (cotangent,), ()
    if is_traced or not value.is_cpu:
        return (value,), (torch.ones_like(value),), ()
    one = _ONES.get(value.dtype)
    if one is None or one._version:  # a backward pass of the user's may have written into it
        one = _ONES[value.dtype] = torch.ones((), dtype=value.dtype, device="cpu")
    return (value,), (one,), (one,)
