"""Transformations of a function of arrays: checkpoint, as one node of the tape; no vmap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from autograd.extend import JVPNode

from polylux_autograd import _tracing
from polylux_autograd.array_api._array import Array, Box, lift
from polylux_autograd.array_api._tape import forward_node, require_open, reverse_node

Arrays = tuple[Any, ...]
Transformed = Callable[..., Arrays]


def checkpoint(function: Transformed, arguments: Arrays) -> Arrays:
    """`function(*arguments)`, computed again where a backward pass needs it."""
    outputs = _checkpointed(function, arguments)
    # A value that the function has captured is traced, and recorded nowhere: its derivative would
    # be lost. Then the whole is recorded.
    return function(*arguments) if outputs is None else outputs


def _checkpointed(function: Transformed, arguments: Arrays) -> Arrays | None:
    """The outputs, traced as the arguments are; None if they are traced otherwise too."""
    arguments = tuple(map(lift, arguments))
    traces = {a._trace for a in arguments if type(a) is Box}
    if not traces:
        outputs = tuple(map(lift, function(*arguments)))
        return None if any(type(o) is Box for o in outputs) else outputs
    top = max(traces)
    require_open(top)
    on_top = [type(a) is Box and a._trace == top for a in arguments]
    places = [i for i, is_on_top in enumerate(on_top) if is_on_top]
    nodes = [arguments[i]._node for i in places]
    values = tuple([a._value if on else a for a, on in zip(arguments, on_top, strict=True)])
    if isinstance(nodes[0], JVPNode):
        return _pushed(function, values, places, [node.g for node in nodes], top)
    inner = _checkpointed(function, values)
    return None if inner is None else _recorded(function, values, places, nodes, top, inner)


def _pushed(
    function: Transformed, values: Arrays, places: list[int], tangents: Sequence[Any], top: float
) -> Arrays | None:
    """Forward mode keeps nothing itself; a trace that encloses it might."""
    count = len(values)

    def pushed(*both: Any) -> Arrays:
        directions: list[Any] = [None] * count
        for i, tangent in zip(places, both[count:], strict=True):
            directions[i] = tangent
        outputs, changes = _tracing.pushforward(function, both[:count], directions)
        return (*outputs, *changes)

    both = _checkpointed(pushed, (*values, *tangents))
    if both is None:
        return None
    half = len(both) // 2
    return tuple([
        Box(value, top, forward_node(tangent)) if value.dtype.kind in "fc" else value
        for value, tangent in zip(both[:half], both[half:], strict=True)
    ])  # fmt: skip


def _recorded(
    function: Transformed,
    values: Arrays,
    places: list[int],
    nodes: Sequence[Any],
    top: float,
    outputs: Arrays,
) -> Arrays:
    """The outputs as boxes of one node, whose rule runs the function again."""

    def rule(cotangents: _Cotangents) -> list[Any]:
        again, pull = _tracing.linearize(function, values)
        given = [
            cotangents.parts.get(k, Array(np.zeros(output.shape, output.dtype)))
            for k, output in enumerate(again)
        ]
        pulled = pull(given)
        return [pulled[i] for i in places]

    joint = reverse_node(nodes, rule)

    def traced(place: int, output: Any) -> Any:
        if output.dtype.kind not in "fc":
            return output
        return Box(output, top, reverse_node((joint,), lambda g: (_Cotangents({place: g}),)))

    return tuple([traced(place, output) for place, output in enumerate(outputs)])


class _Cotangents:
    """The cotangents of a node with several outputs, by output; the tape adds them up."""

    __slots__ = ("parts",)

    def __init__(self, parts: dict[int, Any]) -> None:
        self.parts = parts

    def __add__(self, other: _Cotangents) -> _Cotangents:
        return _Cotangents(self.parts | other.parts)
