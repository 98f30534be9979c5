"""JAX arrays in and out: values, dtypes, aliasing, devices, the scope."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from polylux.errors import DeviceError, DTypeError
from polylux.selectors import AutoJax
from polylux_jax._backend import JaxBackend

BACKEND = JaxBackend()
JAX = AutoJax()

DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip


def aligned(count: int) -> np.ndarray:
    """A float32 array at an address that JAX would share."""
    memory = np.zeros(4 * count + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + 4 * count].view(np.float32)


# The first batch of a signature goes another way than those that follow.
TWICE = pytest.mark.parametrize("before", [0, 1], ids=["first", "repeated"])


def taken(array: np.ndarray, before: int = 0, selector: AutoJax = JAX) -> jax.Array:
    for _ in range(before):
        BACKEND.from_host([array], selector)
    return BACKEND.from_host([array], selector)[0]


def test_owns_arrays_and_tracers_of_every_kind() -> None:
    seen = [type(jnp.ones(3)), type(jax.random.key(0))]

    def look(x: jax.Array) -> jax.Array:
        seen.append(type(x))
        return x.sum()

    for transform in (jax.jit, jax.grad, jax.vmap):
        transform(look)(jnp.ones((3,)))
    assert all(map(BACKEND.owns, seen))
    assert not any(map(BACKEND.owns, [np.ndarray, np.float32, float, list]))


@TWICE
@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in ("int64", "uint64")])
def test_from_host_keeps_values_and_dtype(dtype: str, before: int) -> None:
    host = np.asarray([[0, 1, 2], [3, 4, 100]]).astype(dtype)
    array = taken(host, before)
    assert array.dtype == host.dtype
    assert not array.weak_type
    np.testing.assert_array_equal(BACKEND.to_host([array])[0], host, strict=True)


@TWICE
def test_from_host_keeps_bfloat16(before: int) -> None:
    host = np.asarray([1.5, -2.0, 3e38], ml_dtypes.bfloat16)
    array = taken(host, before)
    assert array.dtype == jnp.bfloat16
    back = BACKEND.to_host([array])[0]
    assert back.dtype == ml_dtypes.bfloat16
    assert back.tobytes() == host.tobytes()


def test_from_host_keeps_every_digit_of_float64() -> None:
    host = np.asarray([0.1, np.pi, 1e300])
    assert BACKEND.to_host([taken(host)])[0].tobytes() == host.tobytes()
    assert not jax.config.jax_enable_x64


@TWICE
@pytest.mark.parametrize("make", [
    pytest.param(lambda: np.arange(6.0, dtype=np.float32)[::-1], id="negative strides"),
    pytest.param(lambda: np.arange(6.0, dtype=np.float32)[::2], id="strided"),
    pytest.param(lambda: np.arange(6.0, dtype=np.float32).reshape(2, 3).T, id="transposed"),
    pytest.param(lambda: np.broadcast_to(np.float32(2), (2, 3)), id="broadcast"),
    pytest.param(lambda: np.asarray(np.float32(2.5)), id="0-d"),
    pytest.param(lambda: np.empty((0, 3), np.float32), id="empty"),
    pytest.param(lambda: np.arange(3, dtype=">f4"), id="byte-swapped"),
    pytest.param(lambda: np.frombuffer(b"\0\0\x80?", "<f4"), id="read-only"),
])  # fmt: skip
def test_from_host_takes_any_layout(make, before: int) -> None:
    host = make()
    array = taken(host, before)
    assert array.shape == host.shape
    np.testing.assert_array_equal(BACKEND.to_host([array])[0], host)


@TWICE
def test_from_host_never_shares_memory(before: int) -> None:
    host = aligned(1024)
    array = taken(host, before)
    host[:] = 7.0
    assert array.unsafe_buffer_pointer() != host.ctypes.data
    assert float(jnp.max(array)) == 0.0


@pytest.mark.parametrize(("wide", "narrow"), [("int64", "int32"), ("uint64", "uint32")])
def test_wide_integers_become_narrow_where_they_fit(wide: str, narrow: str) -> None:
    bounds = np.iinfo(narrow)
    host = np.asarray([bounds.min, 3, bounds.max], wide)
    array = taken(host)
    assert array.dtype == narrow
    np.testing.assert_array_equal(np.asarray(array).astype(wide), host)


@pytest.mark.parametrize(
    ("value", "dtype"), [(2**40 + 1, "int64"), (-(2**31) - 1, "int64"), (2**32, "uint64")]
)
def test_an_integer_that_does_not_fit_is_an_error(value: int, dtype: str) -> None:
    with pytest.raises(DTypeError, match=rf"range is \[.*\], and these values lie in .*{value}"):
        taken(np.asarray([0, value], dtype))


def test_an_empty_array_of_wide_integers_fits() -> None:
    assert taken(np.empty((0,), np.int64)).dtype == jnp.int32


def test_wide_integers_beside_float64_keep_their_dtype() -> None:
    counts, values = BACKEND.from_host([np.asarray([2**40 + 1]), np.asarray([0.5])], JAX)
    assert (counts.dtype, values.dtype) == (np.int64, np.float64)
    assert BACKEND.to_host([counts])[0].tolist() == [2**40 + 1]


@pytest.mark.parametrize("dtype", [np.longdouble, np.clongdouble, "M8[s]", "U3"])
def test_a_dtype_that_jax_lacks_is_an_error(dtype) -> None:
    with pytest.raises(DTypeError, match="JAX has no dtype"):
        taken(np.zeros(2, dtype))


def test_a_random_key_does_not_go_to_the_host() -> None:
    with pytest.raises(DTypeError, match=r"jax\.random\.key_data"):
        BACKEND.to_host([jax.random.key(0)])


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int32"])
def test_copy_makes_fresh_buffers(dtype: str) -> None:
    original = taken(np.asarray([1, 2, 3]).astype(dtype))
    (copied,) = BACKEND.copy([original], JAX)
    assert copied.unsafe_buffer_pointer() != original.unsafe_buffer_pointer()
    assert copied.dtype == original.dtype
    original.delete()
    assert copied.tolist() == [1, 2, 3]


def test_to_device_returns_the_same_object_where_it_is_there() -> None:
    array = jnp.ones(3)
    assert BACKEND.to_device([array], AutoJax())[0] is array
    assert BACKEND.to_device([array], AutoJax(device="cpu"))[0] is array
    assert BACKEND.device(array) == "cpu:0"


@TWICE
def test_from_host_puts_arrays_on_the_selectors_device(before: int) -> None:
    array = taken(np.ones(5, np.float32), before, AutoJax(device="cpu:0"))
    assert array.devices() == {jax.devices("cpu")[0]}


@pytest.mark.parametrize("name", ["gpu:7", "cpu:99", "cpu:x", "abacus"])
def test_an_unknown_device_is_an_error_that_lists_the_known(name: str) -> None:
    with pytest.raises(DeviceError, match=f"no device '{name}'; it has cpu:0"):
        BACKEND.to_device([jnp.ones(3)], AutoJax(device=name))


def test_stop_gradient_is_a_constant_for_a_derivative() -> None:
    gradient = jax.grad(lambda x: x * BACKEND.stop_gradient(x))(jnp.float32(3))
    assert float(gradient) == 3.0


def test_precision_scope_is_entered_for_wide_floats_only() -> None:
    wide = taken(np.ones(2))
    assert BACKEND.precision_scope([jnp.ones(2), jnp.ones(2, int), np.ones(2, int)]) is None
    for arrays in ([jnp.ones(2), wide], [np.ones(2)], [np.ones(2, complex)]):
        scope = BACKEND.precision_scope(arrays)
        assert scope is not None
        with scope:
            assert (wide * 2).dtype == jnp.float64
            assert BACKEND.precision_scope([wide]) is None
        assert not jax.config.jax_enable_x64
