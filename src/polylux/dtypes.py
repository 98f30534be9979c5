"""What kind of number a dtype holds, for the dtypes of any array library."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

Kind: TypeAlias = Literal["float", "low", "complex", "integer", "bool", "other"]
"""`"float"` is float32 and float64; `"low"` the floats of fewer digits, computed in float32."""

MACHINE_EPSILON = {
    # Distance from 1 to the next number: 2 to the minus number of stored fraction bits.
    "float64": 2.0**-52,
    "float32": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
}

_BY_NAME: dict[str, Kind] = {
    "float64": "float",
    "float32": "float",
    "float16": "low",
    "bfloat16": "low",
    "complex64": "complex",
    "complex128": "complex",
    "bool": "bool",
    **{f"{sign}int{bits}": "integer" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


class Kinds(dict[Any, Kind]):
    """The kinds of the dtypes of one array type, each found at its first use."""

    def __missing__(self, dtype: Any) -> Kind:
        kind = self[dtype] = _BY_NAME.get(dtype_name(dtype), "other")
        return kind


# By array type first: the dtype objects of two libraries may have one hash, and comparing them
# raises or warns in some.
_KINDS: dict[type, Kinds] = {}


def kinds_of(array_type: type) -> Kinds:
    """The kinds of the dtypes of arrays of this type."""
    return _KINDS.setdefault(array_type, Kinds())


def kind_of(array: Any) -> Kind:
    """The kind of an array's dtype."""
    try:
        return _KINDS[type(array)][array.dtype]
    except KeyError:
        return kinds_of(type(array))[array.dtype]


def dtype_name(dtype: Any) -> str:
    """The standard's name of a dtype: `"float32"` for `torch.float32` and `np.dtype("<f4")`."""
    # str() is the one spelling that numpy, torch, JAX and array-api-strict have in common.
    return str(dtype).rpartition(".")[2]


_REAL_PARTS = {"complex64": "float32", "complex128": "float64"}
_COMPLEX = {real: name for name, real in _REAL_PARTS.items()}
_RANKS = {"bool": 0, "integer": 1, "low": 2, "float": 2, "complex": 3}
_PROMOTED: dict[tuple[str, str], str] = {}


def promoted(a: str, b: str) -> str:
    """The dtype that holds the numbers of both; dtypes by the standard's names and `"bfloat16"`.

    A kind wins over a lower one, whatever the widths: float32 with int64 is float32, as torch and
    JAX have it and numpy has not. Raises `KeyError` for a dtype of no known kind.
    """
    try:
        return _PROMOTED[a, b]
    except KeyError:
        _PROMOTED[a, b] = result = _promote(a, b)
        return result


def _promote(a: str, b: str) -> str:
    low, high = sorted((a, b), key=lambda name: _RANKS[_BY_NAME[name]])
    kind = _BY_NAME[high]
    if kind == "complex" and _RANKS[_BY_NAME[low]] >= 2:
        real = _promote(_REAL_PARTS.get(low, low), _REAL_PARTS[high])
        return _COMPLEX[real]
    if _RANKS[_BY_NAME[low]] < _RANKS[kind] or low == high:
        return high
    if kind in ("bool", "integer"):
        return dtype_name(np.result_type(low, high))
    if {low, high} == {"float16", "bfloat16"}:
        return "float32"  # one has the digits, the other the range
    return min(low, high, key=MACHINE_EPSILON.__getitem__)


def with_number(name: str, number: type) -> str:
    """The dtype of arrays of dtype `name` with a Python int, float or complex beside them."""
    rank = _RANKS[_BY_NAME[name]]
    if number is int:
        return name if rank >= 1 else "int64"
    if number is float:
        return name if rank >= 2 else "float64"
    return _promote(name if rank >= 2 else "float64", "complex64")


_STANDARD_KINDS = {
    "float": "real floating",
    "bfloat": "real floating",
    "complex": "complex floating",
    "int": "integral",
    "uint": "integral",
    "bool": "bool",
}
_STANDARD: dict[tuple[type, Any], str] = {}


def dtype_kind(array: Any) -> str:
    """`"real floating"`, `"complex floating"`, `"integral"`, `"bool"` or `"other"`.

    Wider than `kind_of`: dtypes that polylux's own functions refuse (float8) are told too.
    """
    key = (type(array), array.dtype)
    try:
        return _STANDARD[key]
    except KeyError:
        name = dtype_name(array.dtype)
        kinds = (kind for prefix, kind in _STANDARD_KINDS.items() if name.startswith(prefix))
        _STANDARD[key] = kind = next(kinds, "other")
        return kind
