"""Indexing by key, by integer arrays along an axis, and the scatters that are their adjoints."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import SparseObject

from ._array import Array, ArraySpace, Box, lift
from ._rules import linear

__all__ = ["getitem", "take", "take_along_axis"]


def _is_basic(key: Any) -> bool:
    """Whether no element is picked twice: no integer arrays in the key."""
    if isinstance(key, tuple):
        return not any(isinstance(k, np.ndarray) and k.dtype.kind != "b" for k in key)
    return not (isinstance(key, np.ndarray) and key.dtype.kind != "b")


def _scatter_data(g: np.ndarray, *, key: Any, shape: tuple[int, ...]) -> Any:
    out = np.zeros(shape, g.dtype)
    if _is_basic(key):
        out[key] = g
    else:
        np.add.at(out, key, g)
    return out


def _add_at(into: Array, key: Any, g: np.ndarray) -> Array:
    """Add `g` where the key picks, in the buffer of `into`, which the backward pass owns."""
    if _is_basic(key):
        into._data[key] += g
    else:
        np.add.at(into._data, key, g)
    return into


def _getitem_transpose(g: Any, x: Any, *, key: Any) -> Any:
    if type(g) is Array and type(x) is Array:
        # autograd's sparse cotangent: a loop over `x[i]` costs no array of zeros for each i
        return SparseObject(ArraySpace(x), lambda into: _add_at(into, key, g._data))
    return _scatter(g, key=key, shape=x.shape)


_getitem: Any = linear("getitem", lambda x, *, key: x[key], _getitem_transpose)
_scatter: Any = linear("scatter", _scatter_data, lambda g, x, *, key, shape: _getitem(g, key=key))


def _plain_key(key: Any) -> Any:
    """The key with our arrays replaced by numpy's."""
    kind = type(key)
    if kind is int or kind is slice or key is None or key is Ellipsis:
        return key
    if kind is tuple:
        return tuple([_plain_key(k) for k in key])
    if kind is Array or kind is Box:
        data = key._concrete()
        if data.dtype.kind not in "iub":
            raise IndexError(f"an index array must be of integers or booleans, got {data.dtype}")
        return data
    return key


def getitem(self: Any, key: Any, /) -> Any:
    """The elements a key picks: integers, slices, None, Ellipsis, integer and boolean arrays."""
    key = _plain_key(key)
    return Array(self._data[key]) if type(self) is Array else _getitem(self, key=key)


getitem.__name__ = getitem.__qualname__ = "__getitem__"


def _take_data(x: np.ndarray, *, indices: np.ndarray, axis: int) -> Any:
    return np.take(x, indices, axis=axis)


def _put_data(
    g: np.ndarray, *, indices: np.ndarray, axis: int, shape: tuple[int, ...]
) -> Any:
    """Sum slices of `g` into the places that `take` read them from."""
    n = shape[axis]
    flat = np.where(indices < 0, indices + n, indices)
    if flat.size == 0 or n == 0:
        return np.zeros(shape, g.dtype)
    order = np.argsort(flat, kind="stable")
    places = flat[order]
    starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
    out = np.zeros(shape, g.dtype)
    key = (slice(None),) * axis + (places[starts],)
    if len(starts) == len(flat):  # nothing was taken twice
        out[key] = np.take(g, order, axis=axis)
    else:
        # sums of runs, a hundred times faster than np.add.at for wide slices
        out[key] = np.add.reduceat(np.take(g, order, axis=axis), starts, axis=axis)
    return out


_take: Any = linear(
    "take",
    _take_data,
    lambda g, x, *, indices, axis: _put(g, indices=indices, axis=axis, shape=x.shape),
)
_put: Any = linear(
    "put", _put_data,
    lambda g, x, *, indices, axis, shape: _take(g, indices=indices, axis=axis),
)


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    """Slices of `x` along an axis, in the order of the 1-d integer array `indices`."""
    x = lift(x)
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take needs an axis for an array of shape {x.shape}")
        axis = 0
    where_from = lift(indices)._concrete()
    axis = _normal_axis(axis, x.ndim)
    if where_from.ndim != 1:  # beyond the standard: an embedding lookup
        flat = take(x, Array(where_from.reshape(-1)), axis=axis)
        from ._manipulation import reshape

        shape = x.shape[:axis] + where_from.shape + x.shape[axis + 1 :]
        return reshape(flat, shape)
    return _take(x, indices=where_from, axis=axis)


def _along(indices: np.ndarray, shape: tuple[int, ...], axis: int) -> tuple[Any, ...]:
    """Full index of the elements that `take_along_axis` reads."""
    key: list[Any] = []
    for i, n in enumerate(shape):
        if i == axis:
            key.append(indices)
        else:
            own = [1] * len(shape)
            # an axis of length 1 is broadcast against the indices
            own[i] = n
            key.append(np.arange(n).reshape(own))
    return tuple(key)


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    """One element of every 1-d slice along the axis for each index in the same slice."""
    x = lift(x)
    places = lift(indices)._concrete()
    axis = _normal_axis(axis, x.ndim)
    if type(x) is Array:
        return Array(np.take_along_axis(x._data, places, axis=axis))
    return _getitem(x, key=_along(places, x.shape, axis))


def _normal_axis(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise IndexError(f"got axis {axis} for an array of {ndim} axes")
    return axis % ndim
