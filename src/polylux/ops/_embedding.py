"""Rows of a matrix, by their numbers."""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.dtypes import dtype_name
from polylux.ops._libraries import one_library
from polylux.ops._native import native

_NARROW = ("int8", "int16", "uint8", "uint16")
"""Dtypes that may not hold the number of rows."""


@native(check=one_library("embedding"))
def embedding(weight: Any, indices: Any, /) -> Any:
    """`weight[indices]`.

    Parameters
    ----------
    weight : array of shape (n, m), of a real floating dtype
    indices : integer array of any shape
        From 0 to n - 1. One out of range, such as -1, is the library's own error, or NaN in JAX,
        which does not look at values.

    Returns
    -------
    array of shape (*indices.shape, m)
        The gradient adds up what rows get that are taken more than once.

    Examples
    --------
    >>> import numpy as np
    >>> embedding(np.asarray([[1.0], [2.0]]), np.asarray([1, 1, 0]))
    array([[2.],
           [2.],
           [1.]])
    """
    xp = array_namespace(weight)
    if dtype_name(indices.dtype) in _NARROW:
        indices = xp.astype(indices, xp.int32)
    # Some libraries count negative numbers from the end, torch does not; n is wrong for all.
    indices = xp.where(indices < 0, xp.full_like(indices, weight.shape[0]), indices)
    rows = xp.take(weight, xp.reshape(indices, (-1,)), axis=0)
    return xp.reshape(rows, (*indices.shape, weight.shape[1]))
