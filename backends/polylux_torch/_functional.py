"""Derivatives inside `torch.func` and vmap, by `torch.func` itself.

Tensors of such a transformation have no memory of their own and cannot be made leaves of a graph,
as `_gradient` does; its functions hand over to those of the same name here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

Arrays = tuple[Any, ...]
Function = Callable[..., tuple[Any, Arrays]]
Map = Callable[..., tuple[Arrays, Arrays]]
Pull = Callable[[Arrays], Arrays]

# torch annotates them as without auxiliary output.
_vjp: Any = torch.func.vjp
_jvp: Any = torch.func.jvp


is_functional: Callable[[], bool] = torch._C._are_functorch_transforms_active
"""Whether this thread is inside a transformation of `torch.func`, or vmap. There is no public name
for this."""


@contextlib.contextmanager
def _without_hooks() -> Iterator[None]:
    """A context in which torch has no hooks on saved tensors, which `torch.func` refuses.

    Those of a checkpoint around this derivative: what is computed here is kept for its backward
    pass, and not computed anew.
    """
    hooks = []
    while (pair := torch._C._autograd._top_saved_tensors_default_hooks(True)) is not None:
        hooks.append(pair)
        torch._C._autograd._pop_saved_tensors_default_hooks()
    try:
        yield
    finally:
        for pack, unpack in reversed(hooks):
            torch._C._autograd._push_saved_tensors_default_hooks(pack, unpack)


def value_and_gradient(function: Function, leaves: Arrays) -> tuple[Any, Arrays, Arrays]:
    """Value, gradients by the leaves, and auxiliary output."""
    with _without_hooks():
        value, pull, aux = _vjp(function, *leaves, has_aux=True)
        return value, pull(torch.ones_like(value)), aux


def pullback(function: Map, leaves: Arrays) -> tuple[Arrays, Pull, Arrays]:
    """Outputs, the map from their cotangents to those of the leaves, and auxiliary output."""
    with _without_hooks():
        outputs, pull, aux = _vjp(function, *leaves, has_aux=True)
    return outputs, pull, aux


def pushforward(function: Map, leaves: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays, Arrays]:
    """Outputs, their derivatives along the tangents, and auxiliary output."""
    outputs, derivatives, aux = _jvp(function, leaves, tangents, has_aux=True)
    return outputs, derivatives, aux


def pushforward_by_pullbacks(
    function: Map, leaves: Arrays, tangents: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    """The same as the derivative of a pullback, which is linear, by its cotangents.

    For functions without a forward rule, and inside torch's one level of dual numbers.
    """
    outputs, pull, aux = pullback(function, leaves)
    zeros = tuple(map(torch.zeros_like, outputs))
    with _without_hooks():
        _, push = _vjp(pull, zeros)
        return outputs, push(tangents)[0], aux
