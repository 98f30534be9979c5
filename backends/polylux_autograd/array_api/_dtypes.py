"""Data types: the standard's names, promotion that keeps a float's precision, limits, constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._numpy import npx

__all__ = ["DTYPES", "FiniteInfo", "IntegerInfo", "as_dtype", "finite_info", "integer_info",
           "is_floating", "is_real_floating", "promote", "promote_all"]

DTYPES = {
    name: np.dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "complex64", "complex128",
    )
}

_KIND_RANK = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 2}
_promoted: dict[tuple[Any, Any], Any] = {}


def as_dtype(dtype: Any) -> np.dtype | None:
    """`dtype` as a numpy dtype object; None stays None."""
    return None if dtype is None else np.dtype(dtype)


def promote(a: Any, b: Any) -> Any:
    """Common dtype of two arrays; with an integer or boolean partner the inexact one wins.

    The standard leaves mixed kinds undefined, and numpy gives float64 for float32 with int64.
    """
    try:
        return _promoted[a, b]
    except KeyError:
        pass
    rank_a, rank_b = _KIND_RANK.get(a.kind, 3), _KIND_RANK.get(b.kind, 3)
    if rank_a == 2 and rank_b < 2:
        result = a
    elif rank_b == 2 and rank_a < 2:
        result = b
    else:
        result = np.result_type(a, b)
    _promoted[a, b] = result
    return result


def promote_all(dtypes: list[Any]) -> Any:
    """Common dtype of several arrays, whatever their order."""
    inexact = [d for d in dtypes if d.kind in "fc"]
    chosen = inexact or dtypes
    return npx.result_type(*chosen)


def is_floating(dtype: np.dtype) -> bool:
    """Whether values of this dtype can be differentiated: real or complex floating point."""
    return dtype.kind in "fc"


def is_real_floating(dtype: np.dtype) -> bool:
    """Whether the dtype is real floating point."""
    return dtype.kind == "f"


@dataclass(frozen=True, slots=True)
class FiniteInfo:
    """Limits of a floating-point dtype, as Python numbers."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: np.dtype


@dataclass(frozen=True, slots=True)
class IntegerInfo:
    """Limits of an integer dtype, as Python numbers."""

    bits: int
    max: int
    min: int
    dtype: np.dtype


def finite_info(dtype: np.dtype) -> FiniteInfo:
    """Limits of a real or complex floating-point dtype (of its components)."""
    info = np.finfo(dtype)
    return FiniteInfo(
        int(info.bits), float(info.eps), float(info.max), float(info.min),
        float(info.smallest_normal), np.dtype(info.dtype),
    )


def integer_info(dtype: np.dtype) -> IntegerInfo:
    """Limits of an integer dtype."""
    info = np.iinfo(dtype)
    return IntegerInfo(int(info.bits), int(info.max), int(info.min), np.dtype(info.dtype))
