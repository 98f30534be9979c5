"""Creating arrays: from values, from other libraries' arrays, and of constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from polylux.errors import DeviceError

from ._array import Array, Box, lift
from ._casting import astype
from ._dtypes import as_dtype
from ._numpy import npx
from ._rules import linear

__all__ = ["arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like",
           "linspace", "ones", "ones_like", "zeros", "zeros_like"]


def _require_cpu(device: Any) -> None:
    if device is not None and device != "cpu":
        raise DeviceError(f'got device {device!r}, but arrays of this backend live on "cpu"')


_copy: Any = linear("copy", lambda x: x.copy(), lambda g, x: g)


def _holds_boxes(obj: Any) -> bool:
    return type(obj) in (list, tuple) and any(type(o) is Box or _holds_boxes(o) for o in obj)


def _unwrapped(obj: Any) -> Any:
    """Nested sequences with our arrays replaced by numpy's."""
    if type(obj) in (list, tuple):
        return [_unwrapped(o) for o in obj]
    return obj._concrete() if type(obj) in (Array, Box) else obj


def asarray(
    obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Any:
    """`obj` as an array; numpy data is shared unless `copy` is true."""
    _require_cpu(device)
    dtype = as_dtype(dtype)
    if type(obj) is Box:
        if dtype is not None and dtype != obj.dtype:
            if copy is False:
                raise ValueError(f"a copy is needed to go from {obj.dtype} to {dtype}")
            return astype(obj, dtype)
        return _copy(obj) if copy else obj
    if _holds_boxes(obj):
        from ._manipulation import stack

        return asarray(stack([asarray(o) for o in obj]), dtype=dtype)
    if type(obj) is Array:
        if not copy and (dtype is None or dtype == obj.dtype):
            return obj
        obj = obj._data
    return Array(npx.asarray(_unwrapped(obj), dtype=dtype, copy=copy))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """An array on the memory of another library's array, or a copy of it."""
    _require_cpu(device)
    if type(x) in (Array, Box):
        return asarray(x, copy=copy)
    return Array(np.from_dlpack(x, copy=copy))


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None
) -> Array:
    """Evenly spaced numbers from `start` to below `stop`."""
    _require_cpu(device)
    return Array(npx.arange(start, stop, step, dtype=as_dtype(dtype)))


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None,
    endpoint: bool = True,
) -> Array:
    """`num` evenly spaced numbers from `start` to `stop`."""
    _require_cpu(device)
    return Array(npx.linspace(start, stop, num, dtype=as_dtype(dtype), endpoint=endpoint))


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None,
    device: Any = None,
) -> Array:
    """Ones on the k-th diagonal, zeros elsewhere."""
    _require_cpu(device)
    return Array(npx.eye(n_rows, n_cols, k=k, dtype=as_dtype(dtype)))


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of unset values."""
    _require_cpu(device)
    return Array(npx.empty(shape, dtype=as_dtype(dtype)))


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of zeros."""
    _require_cpu(device)
    return Array(npx.zeros(shape, dtype=as_dtype(dtype)))


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of ones."""
    _require_cpu(device)
    return Array(npx.ones(shape, dtype=as_dtype(dtype)))


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """An array of one value; a traced value stays traced."""
    _require_cpu(device)
    if type(fill_value) is Box:
        from ._broadcasting import broadcast_to

        value = fill_value if dtype is None else astype(fill_value, dtype, copy=False)
        return broadcast_to(value, (shape,) if isinstance(shape, int) else tuple(shape))
    if type(fill_value) is Array:
        fill_value = fill_value._data
    return Array(npx.full(shape, fill_value, dtype=as_dtype(dtype)))


def empty_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of unset values with the shape of `x`."""
    x = lift(x)
    return empty(x.shape, dtype=x.dtype if dtype is None else dtype, device=device)


def zeros_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of zeros with the shape of `x`."""
    x = lift(x)
    return zeros(x.shape, dtype=x.dtype if dtype is None else dtype, device=device)


def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of ones with the shape of `x`."""
    x = lift(x)
    return ones(x.shape, dtype=x.dtype if dtype is None else dtype, device=device)


def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """An array of one value with the shape of `x`."""
    x = lift(x)
    return full(x.shape, fill_value, dtype=x.dtype if dtype is None else dtype, device=device)
