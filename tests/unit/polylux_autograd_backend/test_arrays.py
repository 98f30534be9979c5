"""Autograd arrays in and out: values, dtypes, aliasing."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from polylux.errors import DTypeError
from polylux.selectors import AutoAutograd
from polylux_autograd import array_api as xp
from polylux_autograd._backend import AutogradBackend

BACKEND = AutogradBackend()
SELECTOR = AutoAutograd()

DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip


def taken(array: np.ndarray) -> xp.Array:
    return BACKEND.from_host([array], SELECTOR)[0]


def test_owns_arrays_and_traced_values_only() -> None:
    assert BACKEND.owns(xp.Array)
    assert BACKEND.owns(xp.Box)
    assert not any(map(BACKEND.owns, [np.ndarray, np.float64, float, list]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_from_host_keeps_values_and_dtype(dtype: str) -> None:
    host = np.asarray([[0, 1, 2], [3, 4, 100]]).astype(dtype)
    np.testing.assert_array_equal(BACKEND.to_host([taken(host)])[0], host, strict=True)


@pytest.mark.parametrize("make", [
    pytest.param(lambda: np.arange(6.0)[::-1], id="negative strides"),
    pytest.param(lambda: np.arange(6.0).reshape(2, 3).T, id="transposed"),
    pytest.param(lambda: np.broadcast_to(np.float32(2), (2, 3)), id="broadcast"),
    pytest.param(lambda: np.asarray(np.float32(2.5)), id="0-d"),
    pytest.param(lambda: np.empty((0, 3), np.float32), id="empty"),
    pytest.param(lambda: np.arange(3, dtype=">f4"), id="byte-swapped"),
    pytest.param(lambda: np.frombuffer(b"\0\0\x80?", "<f4"), id="read-only"),
])  # fmt: skip
def test_from_host_takes_any_layout(make) -> None:
    host = make()
    array = taken(host)
    assert array.dtype.isnative
    np.testing.assert_array_equal(BACKEND.to_host([array])[0], host)


def test_from_host_never_shares_memory() -> None:
    host = np.zeros(4)
    array = taken(host)
    host[:] = 7.0
    assert float(xp.max(array)) == 0.0


def test_what_to_host_gives_cannot_be_written_to() -> None:
    array = taken(np.zeros(4))
    with pytest.raises(ValueError, match="read-only"):
        BACKEND.to_host([array])[0][0] = 1.0


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.longdouble, "U3", object])
def test_a_dtype_that_the_backend_lacks_is_an_error(dtype) -> None:
    with pytest.raises(DTypeError, match="the autograd backend has no dtype .* float32 or float64"):
        taken(np.zeros(2, dtype))


def test_copy_makes_fresh_buffers() -> None:
    original = taken(np.arange(6.0, dtype=np.float32).reshape(2, 3))
    (copied,) = BACKEND.copy([original], SELECTOR)
    first, second = BACKEND.to_host([original, copied])
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, second, strict=True)


def test_there_is_one_device_and_one_precision() -> None:
    array = taken(np.zeros(4))
    assert BACKEND.to_device([array], SELECTOR)[0] is array
    assert BACKEND.device(array) == "cpu"
    assert BACKEND.precision_scope([array]) is None
    assert BACKEND.from_foreign([array], SELECTOR) is None
