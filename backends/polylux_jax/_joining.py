"""Which arrays of a list lie together in a vector: each array of a step costs time."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from polylux_jax._vectors import EXACT, Shape

Arrays = tuple[Any, ...]
Places = tuple[int, ...]
Join = Callable[[Sequence[Any]], Any]
Cut = Callable[[Any, Sequence[Shape]], Sequence[Any]]

# Measured on two cores, with Adam, of 2 to 1,000 parameters. Of 1,024 entries each a step takes a
# third to nine tenths of the time; of 4,096, which take longer to copy in and out, up to a third
# more.
_SMALL = 2_048
"""Entries of an array that is better off in a vector."""

_SMALL_IN_ALL = 8_192
"""Entries of all arrays up to which each of them is."""


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
        self.groups = tuple(sorted(group for group in groups if len(group) > 1))
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
    are_few = sum(sizes.values()) <= _SMALL_IN_ALL
    small = [i for i in places if are_few or sizes[i] <= _SMALL]
    return tuple(small) if sum([sizes[i] for i in small]) <= EXACT else ()
