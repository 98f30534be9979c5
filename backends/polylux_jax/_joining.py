"""Small arrays of a list in vectors: each array of a step costs time, whatever its size."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Arrays = tuple[Any, ...]
Shape = tuple[int, ...]
Places = tuple[int, ...]
Join = Callable[[Sequence[Any]], Any]
Cut = Callable[[Any, Sequence[Shape]], Sequence[Any]]

_barrier: Any = jax.lax.optimization_barrier

# Measured on two cores, with Adam. Ten parameters of 1,024 entries take two thirds of the time and
# less; of 4,096 each, which take longer to copy in and out, a quarter more.
_SMALL = 2_048
"""Entries of an array that is better off in a vector."""

_SMALL_IN_ALL = 8_192
"""Entries of all arrays up to which each of them is."""

_LARGE_IN_ALL = 32_768
"""Entries of all arrays from which a step takes so long that nothing is gained."""

_MOST = 16
"""Arrays in a vector: each adds loops that XLA takes 10 to 30 ms to compile, and those of equal
parameters that are apart it compiles only once."""


class Joining:
    """Which arrays of a list lie together in a vector; one object for each kind of list.

    Attributes
    ----------
    groups : tuple of tuple of int
        For each vector the places of its arrays in the list; they have one dtype.
    alone : tuple of int
        Places of the others.
    shapes : tuple of tuple of int
        Of all arrays.
    """

    __slots__ = ("alone", "groups", "shapes")

    def __init__(self, shapes: tuple[Shape, ...], dtypes: tuple[Any, ...]) -> None:
        self.shapes = shapes
        places = range(len(shapes))
        groups = [_small([i for i in places if dtypes[i] == d], shapes) for d in set(dtypes)]
        self.groups = tuple(sorted(group for group in groups if 2 <= len(group) <= _MOST))
        joined = set().union(*self.groups)
        self.alone = tuple([i for i in places if i not in joined])

    @classmethod
    def of(cls, arrays: Sequence[Any]) -> Joining | None:
        """How arrays like these are joined; None if none of them is."""
        shapes = tuple([array.shape for array in arrays])
        joining = _joining(shapes, tuple([array.dtype for array in arrays]))
        return joining if joining.groups else None

    def together(self, arrays: Sequence[Any], join: Join) -> Arrays:
        """Vectors, made by `join`, and then the arrays that are alone."""
        vectors = [join([arrays[i] for i in group]) for group in self.groups]
        return (*vectors, *[arrays[i] for i in self.alone])

    def apart(self, joined: Sequence[Any], cut: Cut) -> Arrays:
        """The arrays again, in their order; vectors are taken apart by `cut`."""
        found: list[Any] = [None] * len(self.shapes)
        vectors, alone = joined[: len(self.groups)], joined[len(self.groups) :]
        for vector, group in zip(vectors, self.groups, strict=True):
            parts = cut(vector, [self.shapes[i] for i in group])
            for i, part in zip(group, parts, strict=True):
                found[i] = part
        for i, array in zip(self.alone, alone, strict=True):
            found[i] = array
        return tuple(found)


_joining = functools.lru_cache(maxsize=256)(Joining)


def _small(places: list[int], shapes: tuple[Shape, ...]) -> Places:
    """Those of these arrays that are better off in a vector."""
    sizes = {i: math.prod(shapes[i]) for i in places}
    total = sum(sizes.values())
    if total > _LARGE_IN_ALL:
        return ()
    return tuple([i for i in places if total <= _SMALL_IN_ALL or sizes[i] <= _SMALL])


def join(arrays: Sequence[Any]) -> Any:
    """A vector of the entries of all arrays, traced."""
    # Behind a barrier: XLA would else make it part of each loop that reads it, which then asks at
    # every entry whose it is, and may work out a whole array anew for it.
    vector: Any = _barrier(jnp.concatenate([jnp.reshape(array, (-1,)) for array in arrays]))
    return vector


def cut(vector: Any, shapes: Sequence[Shape]) -> Sequence[Any]:
    """The arrays in a vector, traced."""
    # Once for all: XLA would else read the vector in each loop that uses one of them.
    parts: Sequence[Any] = _barrier(split(vector, shapes))
    return parts


def join_on_host(arrays: Sequence[Any]) -> Any:
    """A vector of numpy's: XLA would have to compile it anew for each kind of carry."""
    return np.concatenate([np.asarray(array).reshape(-1) for array in arrays])


def cut_on_host(vector: Any, shapes: Sequence[Shape]) -> Sequence[Any]:
    """The arrays in a vector, as views of numpy's."""
    return split(np.asarray(vector), shapes)


def split(vector: Any, shapes: Sequence[Shape]) -> list[Any]:
    """Arrays of these shapes, one after another in a vector of JAX's or of numpy's."""
    parts, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        parts.append(vector[start:stop].reshape(shape))
        start = stop
    return parts
