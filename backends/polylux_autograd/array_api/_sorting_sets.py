"""Sorting and sets: the order carries no derivative, the sorted values do."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._array import Array, Box, lift
from ._indexing import take, take_along_axis
from ._manipulation import reshape
from ._numpy import npx

__all__ = ["argsort", "sort", "unique_all", "unique_counts", "unique_inverse", "unique_values"]


def argsort(
    x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Array:
    """The indices that sort `x` along an axis."""
    return Array(
        npx.argsort(lift(x)._concrete(), axis=axis, descending=descending, stable=stable)
    )


def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """`x` sorted along an axis."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.sort(x._data, axis=axis, descending=descending, stable=stable))
    order = argsort(x, axis=axis, descending=descending, stable=True)
    return take_along_axis(x, order, axis=axis)


class UniqueAll(NamedTuple):
    """Result of `unique_all`."""

    values: Any
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """Result of `unique_counts`."""

    values: Any
    counts: Array


class UniqueInverse(NamedTuple):
    """Result of `unique_inverse`."""

    values: Any
    inverse_indices: Array


def unique_all(x: Any, /) -> UniqueAll:
    """The distinct elements, where each is first found, how to rebuild `x`, and their numbers."""
    x = lift(x)
    values, indices, inverse, counts = npx.unique_all(x._concrete())
    found = Array(values)
    if type(x) is Box:
        found = take(reshape(x, (-1,)), Array(np.asarray(indices)), axis=0)
    return UniqueAll(found, Array(indices), Array(inverse), Array(counts))


def unique_counts(x: Any, /) -> UniqueCounts:
    """The distinct elements and how often each is found."""
    result = unique_all(x)
    return UniqueCounts(result.values, result.counts)


def unique_inverse(x: Any, /) -> UniqueInverse:
    """The distinct elements and the indices that rebuild `x` from them."""
    result = unique_all(x)
    return UniqueInverse(result.values, result.inverse_indices)


def unique_values(x: Any, /) -> Any:
    """The distinct elements."""
    x = lift(x)
    return unique_all(x).values if type(x) is Box else Array(npx.unique_values(x._data))
