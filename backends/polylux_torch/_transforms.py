"""Transformations of a function of arrays: checkpoint and vmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.utils.checkpoint

from polylux_torch._functional import is_functional
from polylux_torch._state import STATE

Arrays = tuple[Any, ...]
Transformed = Callable[..., Arrays]


def checkpoint(function: Transformed, arguments: Arrays) -> Arrays:
    """`function(*arguments)`, computed again where a backward pass needs it."""
    if STATE.forward or is_functional() or not torch.is_grad_enabled():
        # Tensors of a forward derivative, of `torch.func` and of vmap end with it: a backward pass
        # that comes later could not compute with them again.
        return function(*arguments)
    depth = STATE.depth

    def within(*args: Any) -> Arrays:
        # A derivative that the function takes has to know, also the second time, that it stands
        # inside another one.
        STATE.depth, was = max(STATE.depth, depth), STATE.depth
        try:
            return function(*args)
        finally:
            STATE.depth = was

    # Random numbers of a trace are no numbers yet, whose generator's state could be kept.
    outputs: Arrays = torch.utils.checkpoint.checkpoint(
        within, *arguments, use_reentrant=False, preserve_rng_state=not STATE.staging
    )
    return outputs


def vmap(function: Transformed, arguments: Arrays) -> Arrays:
    """`function` of the items along the first axis of each argument."""
    STATE.depth += 1  # no cache may keep what is traced in here
    try:
        outputs: Arrays = torch.vmap(function)(*arguments)
    finally:
        STATE.depth -= 1
    # In a trace and inside another vmap there is no memory to be asked for.
    return outputs if STATE.staging or is_functional() else _apart(outputs, arguments)


def _apart(outputs: Arrays, arguments: Arrays) -> Arrays:
    """The outputs in memory that they share neither with each other nor with an argument."""
    taken = {array.untyped_storage().data_ptr() for array in arguments}
    result = []
    for output in outputs:
        # What is the same for each item comes out of vmap as one item with a stride of zero.
        if not output.is_contiguous() or output.untyped_storage().data_ptr() in taken:
            output = output.clone(memory_format=torch.contiguous_format)
        taken.add(output.untyped_storage().data_ptr())
        result.append(output)
    return tuple(result)
