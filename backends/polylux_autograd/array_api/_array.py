"""The array type and its autograd box: what both can do besides arithmetic."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from autograd.extend import Box as AutogradBox
from autograd.extend import VSpace

from polylux.errors import ArrayMixError, DeviceError

from ._tape import OPEN, require_open

__all__ = ["Array", "ArrayLike", "ArrayMethods", "Box", "lift", "raw"]

# Inside the backend an "array" is an Array, a Box, or numpy data on its way in.
ArrayLike = Any

_ndarray = np.ndarray  # one look-up less for every operation
_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")


class ArrayMethods:
    """Attributes and conversions of the standard's array object; `_operators` adds arithmetic."""

    __slots__ = ()

    # numpy hands every mixed operation to us
    __array_ufunc__ = None
    __array_priority__ = 1000.0

    _data: Any

    def _concrete(self) -> Any:
        return self._data

    @property
    def dtype(self) -> Any:
        """Data type of the elements."""
        return self._data.dtype

    @property
    def shape(self) -> Any:
        """Length of every axis."""
        return self._data.shape

    @property
    def ndim(self) -> Any:
        """Number of axes."""
        return self._data.ndim

    @property
    def size(self) -> Any:
        """Number of elements."""
        return self._data.size

    @property
    def device(self) -> str:
        """Always "cpu"."""
        return "cpu"

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        """The array itself: there is only the device "cpu"."""
        if device != "cpu":
            raise DeviceError(f'got device {device!r}, but arrays of this backend live on "cpu"')
        if stream is not None:
            raise ValueError(f"got stream {stream!r}, but the cpu has no streams; pass None")
        return self

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        if api_version is not None and api_version not in _VERSIONS:
            raise ValueError(
                f"got api_version {api_version!r}, but this namespace implements {_VERSIONS[-1]!r}"
            )
        from polylux_autograd import array_api  # the package this module is part of

        return array_api

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        data = self._concrete()
        if dtype is not None and np.dtype(dtype) != data.dtype:
            if copy is False:
                raise ValueError(f"a copy is needed to go from {data.dtype} to {dtype}")
            return data.astype(dtype)
        return data.copy() if copy else data

    def __dlpack__(
        self, /, *, stream: Any = None, max_version: Any = None, dl_device: Any = None,
        copy: bool | None = None,
    ) -> Any:
        data = self._concrete()
        if not data.flags.writeable:
            data = data.copy()  # numpy does not export read-only memory to old consumers
        return data.__dlpack__(
            stream=stream, max_version=max_version, dl_device=dl_device, copy=copy
        )

    def __dlpack_device__(self, /) -> Any:
        return self._data.__dlpack_device__()

    def __bool__(self, /) -> bool:
        return bool(self._concrete())

    def __int__(self, /) -> int:
        return int(self._concrete())

    def __float__(self, /) -> float:
        return float(self._concrete())

    def __complex__(self, /) -> complex:
        return complex(self._concrete())

    def __index__(self, /) -> int:
        return operator.index(self._concrete())

    def __len__(self) -> int:
        return len(self._data)

    def __setitem__(self, key: Any, value: Any, /) -> None:
        raise TypeError(
            "arrays of the autograd backend cannot be changed in place, a recorded derivative may "
            "still need the old values; build a new array with where, concat or stack"
        )

    __hash__ = object.__hash__


class Array(ArrayMethods):
    """An immutable array of the autograd backend: a wrapper around one numpy array."""

    __slots__ = ("__weakref__", "_data")

    def __init__(self, data: Any) -> None:
        # numpy gives scalars for 0-d results
        self._data = data if type(data) is _ndarray else np.asarray(data)

    def __repr__(self) -> str:
        return np.array2string(self._data, separator=", ", prefix="Array(").join(
            ("Array(", f", dtype={self._data.dtype})")
        )

    def __str__(self) -> str:
        return str(self._data)

    def __reduce__(self) -> Any:
        return Array, (self._data,)

    def __copy__(self) -> Array:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Array:
        return Array(self._data.copy())


class Box(ArrayMethods, AutogradBox):  # type: ignore[misc]
    """An Array, or a Box of an outer trace, that is being differentiated."""

    __slots__ = ()

    @property
    def _data(self) -> Any:
        value = self._value
        while type(value) is Box:
            value = value._value
        return value._data

    def _concrete(self) -> Any:
        if self._trace not in OPEN:
            require_open(self._trace)
        return self._data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        # numpy's functions would go on with the bare numbers, and drop the derivative in silence.
        self._concrete()  # a leaked value has an error of its own
        raise ArrayMixError(
            "numpy was given a traced array of the autograd backend, and would drop its "
            "derivative; write with xp = array_namespace(x) and call its functions, or take "
            "the numbers alone with to_host(x)"
        )

    def __repr__(self) -> str:
        return f"traced {Array(self._data)!r}"

    def __str__(self) -> str:
        return str(self._data)

    def __reduce__(self) -> Any:
        raise TypeError("a traced array cannot be pickled; pickle it after stop_gradient")

    def __copy__(self) -> Box:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Box:
        return self


Box.register(Array)


class ArraySpace(VSpace):  # type: ignore[misc]
    """The vector space of Arrays of one shape and dtype, for autograd's own operators."""

    __slots__ = ("dtype", "shape", "size")

    def __init__(self, value: Array) -> None:
        self.shape = value.shape
        self.dtype = value.dtype
        self.size = value.size

    @property
    def iscomplex(self) -> Any:
        """Whether the space is over the complex numbers."""
        return self.dtype.kind == "c"

    def zeros(self) -> Array:
        """The origin."""
        return Array(np.zeros(self.shape, self.dtype))

    def ones(self) -> Array:
        """The vector of ones."""
        return Array(np.ones(self.shape, self.dtype))

    def standard_basis(self) -> Any:
        """Every unit vector in turn."""
        for index in np.ndindex(*self.shape):
            vector = np.zeros(self.shape, self.dtype)
            vector[index] = 1
            yield Array(vector)

    def randn(self) -> Array:
        """A normally distributed vector, another one at every call."""
        return Array(np.random.default_rng().standard_normal(self.shape).astype(self.dtype))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ArraySpace)
            and self.shape == other.shape
            and self.dtype == other.dtype
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"ArraySpace(shape={self.shape}, dtype={self.dtype})"

    def _mut_add(self, x: Any, y: Any) -> Any:
        return x + y

    def _inner_prod(self, x: Any, y: Any) -> Any:
        from ._reductions import sum as total

        return total(x * y)

    def _covector(self, x: Any) -> Any:
        from ._elementwise import conj

        return conj(x) if self.iscomplex else x


ArraySpace.register(Array)


def lift(x: Any) -> Any:
    """`x` as an Array or Box; numpy data is wrapped, not copied."""
    kind = type(x)
    if kind is Array or kind is Box:
        return x
    if isinstance(x, (np.ndarray, np.generic, bool, int, float, complex)):
        return Array(np.asarray(x))
    raise ArrayMixError(
        f"got a value of type {kind.__module__}.{kind.__qualname__} where an array of the autograd "
        "backend is needed; convert it with polylux.to_backend(..., AutoAutograd()), or from numpy "
        "with asarray"
    )


def raw(x: Any) -> Any:
    """The numpy array behind an untraced operand; a Python scalar stays weak."""
    kind = type(x)
    if kind is Array:
        return x._data
    if kind is float or kind is int or kind is bool or kind is complex:
        return x
    # np.float64 is a float for Python: weak, so that x / np.sqrt(d) keeps float32, as in torch
    if isinstance(x, float):
        return float(x)
    if isinstance(x, complex):
        return complex(x)
    return lift(x)._concrete()
