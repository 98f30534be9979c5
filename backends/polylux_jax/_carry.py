"""What one step hands to the next: its arrays, small ones in one buffer, and the coming numbers."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from polylux.backend import Numbers
from polylux_jax._numbers import Table, place_of

# Each buffer of a call costs time. Above this many numbers copying in and out of one vector costs
# more than the buffers that are saved: on two cores a step of 9,600 parameters, 28,800 numbers with
# Adam's, takes three fourths of the time; one of 19,000 parameters loses a fortieth, one of 34,000
# an eighth. In between, 30,720 numbers in 30 arrays gain little and take twice the time to compile.
_LARGEST = 30_000


class Packing:
    """How the arrays of a carry, and a place, lie in one vector; one object for each kind."""

    __slots__ = ("dtype", "shapes", "split", "treedef")

    def __init__(self, treedef: Any, shapes: tuple[tuple[int, ...], ...], dtype: Any) -> None:
        self.treedef = treedef
        self.shapes = shapes
        self.dtype = dtype
        self.split: Callable[[Any], Any] = jax.jit(lambda vector: self.unpack(vector)[0])

    def pack(self, carry: Any, place: Any) -> Any:
        """The arrays of a carry as one vector; its last entry is the place."""
        parts = [jnp.reshape(leaf, (-1,)) for leaf in jax.tree.leaves(carry)]
        return jnp.concatenate([*parts, jnp.reshape(place, (1,)).astype(self.dtype)])

    def unpack(self, vector: Any) -> tuple[Any, Any]:
        """The carry again, in nested tuples, and the place."""
        leaves, start = [], 0
        for shape in self.shapes:
            stop = start + math.prod(shape)
            leaves.append(jnp.reshape(vector[start:stop], shape))
            start = stop
        return jax.tree.unflatten(self.treedef, leaves), vector[-1].astype(jnp.int32)


def packing_of(carry: Any) -> Packing | None:
    """How the arrays of a carry lie in one vector; None if they are better left as they are."""
    leaves, treedef = jax.tree.flatten(carry)
    if len(leaves) < 2 or len({leaf.dtype for leaf in leaves}) > 1:
        return None
    shapes = tuple([leaf.shape for leaf in leaves])
    if sum(map(math.prod, shapes)) > _LARGEST:
        return None
    return _packing(treedef, shapes, leaves[0].dtype)


_packing = functools.lru_cache(maxsize=256)(Packing)


class Carry(Sequence[Any]):
    """A carry as a step returns it; in nested tuples when someone looks into it.

    Attributes
    ----------
    content : array or tuple of nested tuples and an array
        The arrays, and the place of the last row: in one vector, or as they are.
    packing : Packing or None
        How they lie in the vector.
    table : Table
        The numbers of the next updates.
    update : int
        Number of the update whose row is next.
    """

    __slots__ = ("_opened", "content", "packing", "table", "update")

    def __init__(
        self, content: Any, packing: Packing | None, table: Table, update: int
    ) -> None:
        self.content = content
        self.packing = packing
        self.table = table
        self.update = update
        self._opened: Any = None

    @classmethod
    def at(cls, carry: Any, numbers: Numbers) -> Carry:
        """A carry, of this class or in nested tuples, with a table that has `numbers`."""
        size = 1  # who knows whether another update follows
        if isinstance(carry, Carry):
            if carry.update == numbers.update:
                if carry.table.function == numbers.function:
                    size = 2 * carry.table.size
                table = Table.of(numbers, size)
                return cls(carry.content, carry.packing, table, numbers.update)
            carry = carry.opened()
        packing = packing_of(carry)
        place = jnp.asarray(place_of(numbers.update - 1), dtype=jnp.int32)
        content = (carry, place) if packing is None else packing.pack(carry, place)
        return cls(content, packing, Table.of(numbers, size), numbers.update)

    def opened(self) -> Any:
        """The carry in nested tuples."""
        if self.packing is None:
            return self.content[0]
        if self._opened is None:
            self._opened = self.packing.split(self.content)
        return self._opened

    def __getitem__(self, index: Any) -> Any:
        return self.opened()[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.opened())

    def __len__(self) -> int:
        return len(self.opened())
