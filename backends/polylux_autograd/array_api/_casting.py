"""Changing the data type: the standard's data type functions, and how gradients change theirs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._array import Array, Box, lift
from ._dtypes import (
    FiniteInfo,
    IntegerInfo,
    as_dtype,
    finite_info,
    integer_info,
    promote,
    promote_all,
)
from ._numpy import npx
from ._rules import linear

__all__ = ["astype", "can_cast", "cast_gradient", "finfo", "iinfo", "isdtype", "result_type"]


def _cast_forward(x: np.ndarray, *, dtype: np.dtype) -> Any:
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = x.real  # what is left of a complex cotangent for a real value
    return x.astype(dtype)


def _cast_back(g: Any, x: Any, *, dtype: np.dtype) -> Any:
    return cast_gradient(g, dtype=x.dtype)


#: between inexact dtypes; complex to real keeps the real part, and is its own adjoint
cast_gradient: Any = linear("cast", _cast_forward, _cast_back)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """`x` at another dtype; the gradient comes back at the dtype of `x`."""
    x = lift(x)
    dtype = np.dtype(dtype)
    if device is not None:
        x = x.to_device(device)
    old = x.dtype
    if old == dtype and not copy:
        return x
    if old.kind == "c" and dtype.kind != "c" and dtype.kind != "b":
        raise TypeError(f"got {old} to cast to {dtype}; take real(x) or abs(x) first")
    if type(x) is Box:
        if old.kind in "fc" and dtype.kind in "fc":
            return cast_gradient(x, dtype=dtype)
        return Array(x._concrete().astype(dtype))
    return Array(x._data.astype(dtype))


def _dtype_of(x: Any) -> Any:
    return x.dtype if isinstance(x, (Array, Box, np.ndarray, np.generic)) else np.dtype(x)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether a dtype, or the dtype of an array, may be cast to `to` without loss of kind."""
    return bool(np.can_cast(_dtype_of(from_), np.dtype(to)))


def finfo(type: Any, /) -> FiniteInfo:
    """Limits of a floating-point dtype."""
    return finite_info(_dtype_of(type))


def iinfo(type: Any, /) -> IntegerInfo:
    """Limits of an integer dtype."""
    return integer_info(_dtype_of(type))


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether `dtype` is of a kind, or of one of a tuple of kinds."""
    return bool(npx.isdtype(np.dtype(dtype), kind))


_PYTHON = (bool, int, float, complex)


def result_type(*arrays_and_dtypes: Any) -> Any:
    """Common dtype; Python scalars are weak, and a float keeps its precision beside integers."""
    if not arrays_and_dtypes:
        raise ValueError("result_type needs at least one array, dtype or scalar")
    scalars = [
        complex(x) if isinstance(x, complex) else float(x) if isinstance(x, float) else x
        for x in arrays_and_dtypes
        if isinstance(x, _PYTHON)
    ]
    dtypes = [_dtype_of(x) for x in arrays_and_dtypes if not isinstance(x, _PYTHON)]
    if not dtypes:
        return np.result_type(*scalars)
    if len(dtypes) == 1:
        strong = dtypes[0]
    elif len(dtypes) == 2:
        strong = promote(*dtypes)
    else:
        strong = promote_all(dtypes)
    return np.result_type(strong, *scalars) if scalars else as_dtype(strong)
