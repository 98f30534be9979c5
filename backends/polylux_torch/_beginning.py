"""Where a backward pass begins: at a value, or at the prediction of a loss whose slope is known.

Each node of torch's graph costs some microseconds, of a custom function more. A loss that is the
whole objective, as most are, has no need of its own: its gradient by the prediction is at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from polylux_torch._state import STATE, unrecorded

Arrays = tuple[Any, ...]


def begin_at(value: Any, prediction: Any, slope: Callable[[], Any], given: Any) -> None:
    """Note that a value's gradient by the prediction is `slope()`, if it may be asked for.

    The value must depend on nothing else that is differentiated. `slope` is called once, with
    nothing recorded; None says that the gradient is not at hand any more. It reads nothing of the
    user's but `given`. Hooks on the value are heard, those on its node of the graph are not.
    """
    # Only at the top: elsewhere graphs are gone through from their ends, and a note would keep
    # alive what these set free.
    if STATE.depth == 1 and not value.ndim and value.grad_fn is not None:
        marks = _marks(value, prediction, given)
        value._polylux_beginning = prediction, slope, given, marks  # a tuple costs least


def beginning_of(value: Any) -> tuple[Arrays, Arrays]:
    """Tensors from which a backward pass gives a number's gradients, and their cotangents."""
    note = value.__dict__.pop("_polylux_beginning", None)
    if note is not None and value._backward_hooks is None and not value.retains_grad:
        prediction, slope, given, marks = note
        if marks == _marks(value, prediction, given):
            cotangent = unrecorded(slope)
            if cotangent is not None:
                return (prediction,), (cotangent,)
    return (value,), (torch.ones_like(value),)


def _marks(value: Any, prediction: Any, given: Any) -> tuple[Any, ...]:
    """What changes when one of these is written into, or detached in place."""
    return (
        value.grad_fn, value._version, given._version,
        prediction.grad_fn, prediction._version, prediction.requires_grad,
    )  # fmt: skip
