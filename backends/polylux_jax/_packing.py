"""Small groups of arrays in one buffer between two steps: each buffer of a call costs time."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

# Above it copying in and out of the vector costs more than the buffers that are saved: on two
# cores a step of 5,000 parameters, 15,000 numbers with Adam's, gains a third; one of 270,000 loses.
_LARGEST = 1 << 14

Groups = Sequence[Any]
"""Nested tuples of arrays."""


class Plan:
    """How the arrays of several groups lie in one vector; the same object for the same groups."""

    __slots__ = ("_parts", "join", "shapes", "treedefs")

    def __init__(self, treedefs: tuple[Any, ...], shapes: tuple[tuple[int, ...], ...]) -> None:
        self.treedefs = treedefs
        self.shapes = shapes
        self.join: Callable[[Groups], Any] = jax.jit(self.pack)
        self._parts = [jax.jit(functools.partial(self._part, i)) for i in range(len(treedefs))]

    def pack(self, groups: Groups) -> Any:
        """The arrays of the groups as one vector."""
        return jnp.concatenate([jnp.reshape(leaf, (-1,)) for leaf in jax.tree.leaves(groups)])

    def unpack(self, vector: Any) -> list[Any]:
        """The groups again."""
        leaves, start = [], 0
        for shape in self.shapes:
            stop = start + math.prod(shape)
            leaves.append(jnp.reshape(vector[start:stop], shape))
            start = stop
        groups, start = [], 0
        for treedef in self.treedefs:
            stop = start + treedef.num_leaves
            groups.append(jax.tree.unflatten(treedef, leaves[start:stop]))
            start = stop
        return groups

    def group(self, vector: Any, number: int) -> Any:
        """One of the groups."""
        return self._parts[number](vector)

    def _part(self, number: int, vector: Any) -> Any:
        return self.unpack(vector)[number]


class Packed(Sequence[Any]):
    """A group that lies in a vector, with others; split when someone looks into it."""

    __slots__ = ("_group", "number", "plan", "vector")

    def __init__(self, vector: Any, plan: Plan, number: int) -> None:
        self.vector = vector
        self.plan = plan
        self.number = number
        self._group: Any = None

    def group(self) -> Any:
        """The group as nested tuples of arrays."""
        if self._group is None:
            self._group = self.plan.group(self.vector, self.number)
        return self._group

    def __getitem__(self, index: Any) -> Any:
        return self.group()[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.group())

    def __len__(self) -> int:
        return len(self.group())


def packed(groups: Groups) -> tuple[Any, Plan] | None:
    """The vector of these groups and its plan, or None if they are better left as they are."""
    first = groups[0] if groups else None
    if type(first) is Packed and len(groups) == len(first.plan.treedefs):
        for i, group in enumerate(groups):
            if type(group) is not Packed or group.vector is not first.vector or group.number != i:
                break
        else:
            return first.vector, first.plan
    groups = unpacked(groups)
    flat = [jax.tree.flatten(group) for group in groups]
    leaves = [leaf for group, _ in flat for leaf in group]
    if len(leaves) < 2 or len({leaf.dtype for leaf in leaves}) > 1:
        return None
    shapes = tuple([leaf.shape for leaf in leaves])
    if sum(map(math.prod, shapes)) > _LARGEST:
        return None
    plan = _plan(tuple([treedef for _, treedef in flat]), shapes)
    return plan.join(groups), plan


def unpacked(groups: Groups) -> list[Any]:
    """The groups as nested tuples of arrays, wherever they lie."""
    return [group.group() if type(group) is Packed else group for group in groups]


@functools.lru_cache(maxsize=256)
def _plan(treedefs: tuple[Any, ...], shapes: tuple[tuple[int, ...], ...]) -> Plan:
    return Plan(treedefs, shapes)
