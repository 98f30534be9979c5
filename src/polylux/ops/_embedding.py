"""Rows of a matrix, by their numbers."""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.ops._libraries import one_library
from polylux.ops._native import native


@native(check=one_library("embedding"))
def embedding(weight: Any, indices: Any, /) -> Any:
    """`weight[indices]`.

    Parameters
    ----------
    weight : array of shape (n, m), of a real floating dtype
    indices : integer array of any shape
        From 0 to n - 1. One out of range is the library's own error, or NaN where JAX traces.

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
    rows = xp.take(weight, xp.reshape(indices, (-1,)), axis=0)
    return xp.reshape(rows, (*indices.shape, weight.shape[1]))
