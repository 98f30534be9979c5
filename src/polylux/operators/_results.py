"""Results of a kernel, which are flat, as trees like the output, like `x`, and of both."""

from __future__ import annotations

from typing import Any

from polylux.flat import Layout
from polylux.operators._call import Call
from polylux.operators._levels import Arrays, Blocks
from polylux.typing import PyTree


def value_tree(values: Arrays, call: Call, outputs: Layout, others: Arrays) -> PyTree:
    """What `f` returned."""
    return outputs.unflatten(values, others)


def like_output(derivatives: Arrays, call: Call, outputs: Layout, others: Arrays) -> PyTree:
    """A tree like the output: zeros where that is not a floating-point array."""
    count = call.directions[0].shape[0] if call.batched else None
    return outputs.gradient_tree(derivatives, _zeros(call, others, count))


def like_x(cotangents: Arrays, call: Call, outputs: Layout, others: Arrays) -> PyTree:
    """A tree like `x`: zeros where that is not a floating-point array."""
    # Not that of the directions, which may be anything beside an integer array of the output.
    count = cotangents[0].shape[0] if call.batched else None
    return call.layout.gradient_tree(cotangents, _zeros(call, call.fixed, count))


def like_one_x(gradients: Arrays, call: Call, outputs: Layout, others: Arrays) -> PyTree:
    """The same without a leading axis, however many directions there are."""
    zeros_like = call.backend.namespace.zeros_like
    return call.layout.gradient_tree(gradients, list(map(zeros_like, call.fixed)))


def output_by_x(blocks: Blocks, call: Call, outputs: Layout, others: Arrays) -> PyTree:
    """A tree like the output of trees like `x`."""
    xp, layout = call.backend.namespace, call.layout

    def row(block: Arrays, shape: tuple[int, ...]) -> PyTree:
        zeros = [xp.zeros_like(_spread(xp, array, shape)) for array in call.fixed]
        return layout.gradient_tree(block, zeros)

    none = [
        row(tuple(xp.zeros_like(_spread(xp, leaf, o.shape)) for leaf in call.trainable), o.shape)
        for o in others
    ]
    shapes = [_shape_of_output(block, call.trainable) for block in blocks]
    return outputs.gradient_tree(list(map(row, blocks, shapes)), none)


def x_by_x(blocks: Blocks, call: Call, outputs: Layout, others: Arrays) -> PyTree:
    """A tree like `x` of trees like `x`."""
    xp, layout = call.backend.namespace, call.layout

    def row(block: Arrays, array: Any) -> PyTree:
        zeros = [xp.zeros_like(_spread(xp, a, array.shape)) for a in call.fixed]
        return layout.gradient_tree(block, zeros)

    none = [
        row(tuple(xp.zeros_like(_spread(xp, leaf, a.shape)) for leaf in call.trainable), a)
        for a in call.fixed
    ]
    return layout.gradient_tree(list(map(row, blocks, call.trainable)), none)


def _zeros(call: Call, arrays: Arrays, count: int | None) -> list[Any]:
    """Zeros like the arrays, after a leading axis of so many directions if there is one."""
    xp, before = call.backend.namespace, () if count is None else (count,)
    return [xp.zeros_like(_spread(xp, array, before) if before else array) for array in arrays]


def _spread(xp: Any, array: Any, before: tuple[int, ...]) -> Any:
    """The array repeated along further axes, in front of its own."""
    return xp.broadcast_to(array, (*before, *array.shape))


def _shape_of_output(block: Arrays, leaves: Arrays) -> tuple[int, ...]:
    shape = tuple(block[0].shape)
    return shape[: len(shape) - leaves[0].ndim]
