"""Autograd arrays in and out: the host and copies; there is one device and one precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polylux.errors import DTypeError
from polylux.selectors import ADType
from polylux_autograd import _tracing
from polylux_autograd.array_api._array import Array, Box
from polylux_autograd.array_api._dtypes import DTYPES

_TAKEN = frozenset(DTYPES.values())


def owns(array_type: type) -> bool:
    """Whether values of this type are the backend's arrays or its traced values."""
    return issubclass(array_type, Array | Box)


def from_host(arrays: Sequence[np.ndarray[Any, Any]], selector: ADType) -> list[Any]:
    """New arrays around contiguous copies."""
    return [Array(_representable(array)) for array in arrays]


def to_host(arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """Read-only views: who got an array by its value cannot change it."""
    return [_read_only(array) for array in arrays]


def stop_gradient(array: Any) -> Any:
    """The same value, as a constant for every derivative."""
    return _tracing.stop_gradient(array)


def copy(arrays: Sequence[Any], selector: ADType) -> list[Any]:
    """The same values in fresh buffers."""
    return [Array(np.array(array._data, order="C")) for array in arrays]


def to_device(arrays: Sequence[Any], selector: ADType) -> list[Any]:
    """The same objects."""
    return list(arrays)


def from_foreign(arrays: Sequence[Any], selector: ADType) -> list[Any] | None:
    """None: the one copy that the host's way makes is needed anyhow."""
    return None


def device(array: Any) -> str:
    """Always `"cpu"`."""
    return "cpu"


def _representable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A contiguous copy in this machine's byte order."""
    dtype = array.dtype
    if dtype not in _TAKEN:
        dtype = dtype.newbyteorder("=")
        if dtype not in _TAKEN:
            raise DTypeError(
                f"the autograd backend has no dtype {dtype.name!r}; convert the array first, "
                "for example to float32 or float64"
            )
    return np.array(array, dtype=dtype, order="C")


def _read_only(array: Any) -> np.ndarray[Any, Any]:
    view: np.ndarray[Any, Any] = array._concrete().view()
    view.flags.writeable = False
    return view
