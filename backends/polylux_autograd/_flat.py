"""Groups of arrays that are views of flat vectors, one for each dtype."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from polylux_autograd.array_api._array import Array

Vector = np.ndarray[Any, Any]

BLOCK = 1 << 17
"""Entries worked on at a time: five float32 vectors of them, 2.6 MB, fit into a third-level cache.
Of a quarter as many an update takes a tenth longer, and so it does of thirty times as many."""


class Layout:
    """Where each array of a group lies in the flat vectors.

    Attributes
    ----------
    dtypes : tuple of dtype
        One for each vector.
    lengths : tuple of int
        Of the vectors.
    places : tuple
        For each array the number of its vector, its slice of it, and its shape.
    """

    __slots__ = ("_blocks", "dtypes", "lengths", "places")

    def __init__(self, arrays: tuple[Any, ...]) -> None:
        lengths: dict[Any, int] = {}
        numbers: dict[Any, int] = {}
        places = []
        for array in arrays:
            dtype, shape = array.dtype, array.shape
            start = lengths.get(dtype, 0)
            stop = lengths[dtype] = start + math.prod(shape)
            number = numbers.setdefault(dtype, len(numbers))
            places.append((number, slice(start, stop), shape))
        self.dtypes = tuple(lengths)
        self.lengths = tuple(lengths.values())
        self.places = tuple(places)
        self._blocks = tuple(self._cut())

    def blocks(self, gradients: tuple[Any, ...]) -> Iterator[tuple[int, slice, Vector]]:
        """Number of a vector, slice of it, and the gradients' entries there, block by block."""
        flat = [gradient._data.reshape(-1) for gradient in gradients]
        for number, piece, sources in self._blocks:
            if len(sources) == 1:
                leaf, part = sources[0]
                yield number, piece, flat[leaf] if part is None else flat[leaf][part]
            else:
                yield number, piece, np.concatenate([flat[leaf] for leaf, _ in sources])

    def _cut(self) -> Iterator[tuple[int, slice, tuple[tuple[int, slice | None], ...]]]:
        """Large arrays in several blocks each, small neighbours together in one."""
        for number in range(len(self.dtypes)):
            gathered: list[tuple[int, slice | None]] = []
            start = stop = 0
            for leaf, (own, place, _) in enumerate(self.places):
                if own != number:
                    continue
                size = place.stop - place.start
                if gathered and place.stop - start > BLOCK:
                    yield number, slice(start, stop), tuple(gathered)
                    gathered = []
                if size > BLOCK:
                    for first in range(0, size, BLOCK):
                        last = min(first + BLOCK, size)
                        piece = slice(place.start + first, place.start + last)
                        yield number, piece, ((leaf, slice(first, last)),)
                    continue
                if not gathered:
                    start = place.start
                gathered.append((leaf, None))
                stop = place.stop
            if gathered:
                yield number, slice(start, stop), tuple(gathered)


class Views(tuple[Any, ...]):
    """A tuple of arrays that knows the flat vectors behind them.

    The tuple itself carries the vectors: whoever hands it in again hands them in too, no matter
    how many runs go on at once, and nothing is kept alive by a cache.
    """

    layout: Layout
    vectors: tuple[Vector, ...]

    @classmethod
    def of(cls, layout: Layout, vectors: tuple[Vector, ...]) -> Views:
        """The arrays of a layout in these vectors."""
        views = cls(
            [Array(vectors[n][place].reshape(shape)) for n, place, shape in layout.places]
        )
        views.layout = layout
        views.vectors = vectors
        return views

    def copy(self) -> Views:
        """The same values in fresh vectors."""
        return Views.of(self.layout, tuple([vector.copy() for vector in self.vectors]))

    def __reduce__(self) -> Any:
        return tuple, (tuple(self),)


def flat_group(arrays: tuple[Any, ...], layout: Layout | None, in_place: bool) -> Views:
    """These arrays as views: themselves if they are that already, else copies.

    With a `layout`, as views of that layout, in its dtypes. With `in_place` arrays that are alone
    of their dtype need no copies either: the vectors may be their own memory.
    """
    if type(arrays) is Views and (layout is None or arrays.layout is layout):
        return arrays
    if layout is None:
        layout = Layout(arrays)
    if in_place and len(arrays) == len(layout.dtypes):
        own = [array._data for array in arrays]
        flags = [data.flags.c_contiguous and data.flags.writeable for data in own]
        if all(flags) and [data.dtype for data in own] == [*layout.dtypes]:
            return Views.of(layout, tuple([data.reshape(-1) for data in own]))
    vectors = tuple(
        [np.empty(n, dtype) for n, dtype in zip(layout.lengths, layout.dtypes, strict=True)]
    )
    views = Views.of(layout, vectors)
    for view, array in zip(views, arrays, strict=True):
        view._data[...] = array._data
    return views
