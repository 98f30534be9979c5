"""Choosing and searching: where, argmax, argmin, nonzero, count_nonzero, searchsorted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._array import Array, Box, lift, raw
from ._dtypes import promote
from ._numpy import npx
from ._rules import fill, fit, is_traced, primitive

__all__ = ["argmax", "argmin", "count_nonzero", "nonzero", "searchsorted", "where"]


def _where_data(condition: np.ndarray, a: Any, b: Any) -> Any:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype != b.dtype:
        common = promote(a.dtype, b.dtype)
        a, b = a.astype(common, copy=False), b.astype(common, copy=False)
    return np.where(condition, a, b)


_where: Any = primitive(
    "where",
    _where_data,
    [
        None,
        lambda g, ans, c, x1, x2: fit(where(c, g, 0), x1),
        lambda g, ans, c, x1, x2: fit(where(c, 0, g), x2),
    ],
    [
        None,
        lambda t, ans, c, x1, x2: fill(where(c, t, 0), ans),
        lambda t, ans, c, x1, x2: fill(where(c, 0, t), ans),
    ],
)


def where(condition: Any, x1: Any, x2: Any, /) -> Any:
    """`x1` where the condition holds, else `x2`."""
    mask = Array(lift(condition)._concrete())
    if is_traced(x1, x2):
        return _where(
            mask,
            x1 if type(x1) is Box else _operand(x1),
            x2 if type(x2) is Box else _operand(x2),
        )
    return Array(_where_data(mask._data, raw(x1), raw(x2)))


def _operand(x: Any) -> Any:
    value = raw(x)
    return Array(value) if isinstance(value, np.ndarray) else value


def argmax(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Index of the first largest element."""
    return Array(npx.argmax(lift(x)._concrete(), axis=axis, keepdims=keepdims))


def argmin(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Index of the first smallest element."""
    return Array(npx.argmin(lift(x)._concrete(), axis=axis, keepdims=keepdims))


def count_nonzero(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Number of elements that are not zero."""
    return Array(npx.count_nonzero(lift(x)._concrete(), axis=axis, keepdims=keepdims))


def nonzero(x: Any, /) -> tuple[Array, ...]:
    """Indices of the elements that are not zero, one array for each axis."""
    return tuple(Array(i) for i in npx.nonzero(lift(x)._concrete()))


def searchsorted(
    x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None
) -> Array:
    """Where to insert `x2` into the sorted `x1`."""
    order = None if sorter is None else lift(sorter)._concrete()
    values = lift(x2)._concrete()
    return Array(npx.searchsorted(lift(x1)._concrete(), values, side=side, sorter=order))
