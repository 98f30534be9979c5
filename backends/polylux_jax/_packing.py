"""Small groups of arrays in one buffer between two steps: each buffer of a call costs time."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

# Above it copying in and out of the vector costs more than the buffers that are saved: on two
# cores a step of 5,000 parameters gains a third, one of 270,000 loses.
_LARGEST = 1 << 14


class Plan:
    """How the arrays of a group lie in one vector; the same object for the same group."""

    __slots__ = ("join", "shapes", "split", "treedef")

    def __init__(self, treedef: Any, shapes: tuple[tuple[int, ...], ...]) -> None:
        self.treedef = treedef
        self.shapes = shapes
        self.join: Callable[[Any], Any] = jax.jit(self.pack)
        self.split: Callable[[Any], Any] = jax.jit(self.unpack)

    def pack(self, group: Any) -> Any:
        """The arrays of a group as one vector."""
        return jnp.concatenate([jnp.reshape(leaf, (-1,)) for leaf in jax.tree.leaves(group)])

    def unpack(self, vector: Any) -> Any:
        """The group again."""
        leaves, start = [], 0
        for shape in self.shapes:
            stop = start + math.prod(shape)
            leaves.append(jnp.reshape(vector[start:stop], shape))
            start = stop
        return jax.tree.unflatten(self.treedef, leaves)


class Packed(Sequence[Any]):
    """A group that lies in one vector; split when someone looks into it."""

    __slots__ = ("_group", "plan", "vector")

    def __init__(self, vector: Any, plan: Plan) -> None:
        self.vector = vector
        self.plan = plan
        self._group: Any = None

    def group(self) -> Any:
        """The group as nested tuples of arrays."""
        if self._group is None:
            self._group = self.plan.split(self.vector)
        return self._group

    def __getitem__(self, index: Any) -> Any:
        return self.group()[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.group())

    def __len__(self) -> int:
        return len(self.group())


def packed(group: Any) -> tuple[Any, Plan | None]:
    """A group as its vector and plan; or as it is, and None, if it is better left so."""
    if type(group) is Packed:
        return group.vector, group.plan
    leaves, treedef = jax.tree.flatten(group)
    if len(leaves) < 2 or len({leaf.dtype for leaf in leaves}) > 1:
        return group, None
    shapes = tuple([leaf.shape for leaf in leaves])
    if sum(map(math.prod, shapes)) > _LARGEST:
        return group, None
    plan = _plan(treedef, shapes)
    return plan.join(group), plan


@functools.lru_cache(maxsize=256)
def _plan(treedef: Any, shapes: tuple[tuple[int, ...], ...]) -> Plan:
    return Plan(treedef, shapes)
