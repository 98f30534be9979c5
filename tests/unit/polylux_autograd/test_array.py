"""The array object: attributes, conversions, mixing with numpy, immutability, boxes alike."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("autograd")

import polylux_autograd.array_api as xp
from polylux import to_host
from polylux.errors import ArrayMixError
from polylux_autograd._tracing import value_and_gradient

DATA = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def both(check):
    """Run `check` on an Array and on a Box of the same values."""
    check(xp.asarray(DATA))
    value_and_gradient(lambda x: (*(check(x), xp.sum(x))[1:], ()), [DATA])


def test_attributes_are_those_of_the_standard():
    def check(x):
        assert (x.shape, x.ndim, x.size, x.dtype, x.device) == ((2, 3), 2, 6, xp.float64, "cpu")
        assert x.T.shape == x.mT.shape == (3, 2)
        assert x.to_device("cpu") is x
        assert x.__array_namespace__() is xp
        assert x.__array_namespace__(api_version="2024.12") is xp
        assert len(x) == 2

    both(check)


def test_conversions_give_the_value():
    def check(x):
        y = x[0, 1]
        assert (float(y), int(y), complex(y), bool(y)) == (2.0, 2, 2 + 0j, True)
        np.testing.assert_array_equal(np.from_dlpack(x), DATA)
        assert x.__dlpack_device__() == DATA.__dlpack_device__()
        assert f"{x}" == str(DATA)
        assert hash(x) == hash(x)

    both(check)
    assert [10, 20, 30][xp.asarray(1)] == 20
    np.testing.assert_array_equal(np.asarray(xp.asarray(DATA)), DATA)
    assert np.asarray(xp.asarray(DATA), dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("function", [np.asarray, np.mean, lambda x: np.dot(x, DATA[0])])
def test_numpy_cannot_drop_the_derivative_of_a_traced_array(function):
    def objective(x):
        return xp.sum(x) + xp.asarray(function(x)).sum(), ()

    with pytest.raises((ArrayMixError, TypeError)):
        value_and_gradient(objective, (xp.asarray(DATA),))


def test_the_numbers_of_a_traced_array_are_to_be_had_on_the_host():
    def objective(x):
        np.testing.assert_array_equal(to_host(x), DATA)
        return xp.sum(x), ()

    value_and_gradient(objective, (xp.asarray(DATA),))


def test_wrong_device_stream_and_version_are_refused():
    x = xp.asarray(DATA)
    for call in (
        lambda: x.to_device("gpu"),
        lambda: x.to_device("cpu", stream=1),
        lambda: xp.zeros(3, device="gpu"),
        lambda: x.__array_namespace__(api_version="2030.01"),
    ):
        with pytest.raises(ValueError, match="got"):
            call()


def test_numpy_on_the_left_hands_over_to_us():
    def check(x):
        for out in (DATA + x, DATA * x, np.float32(2) * x, DATA @ x.T, DATA - x, DATA**x):
            assert type(out) is type(x)
        assert type(DATA < x) is xp.Array

    both(check)


def test_numpy_functions_do_not_silently_cut_the_trace():
    def check(x):
        with pytest.raises(TypeError):
            np.exp(x)

    both(check)


def test_arrays_cannot_be_changed_in_place():
    def check(x):
        with pytest.raises(TypeError, match="where, concat or stack"):
            x[0] = 1.0
        y = x
        y += 1
        np.testing.assert_array_equal(np.from_dlpack(x), DATA)
        np.testing.assert_array_equal(np.from_dlpack(y), DATA + 1)

    both(check)


def test_pickle_and_copies_of_an_array():
    x = xp.asarray(DATA, dtype=xp.float32)
    for twin in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x)):
        assert type(twin) is xp.Array
        assert twin.dtype == xp.float32
        np.testing.assert_array_equal(np.asarray(twin), DATA)
    assert not np.shares_memory(np.asarray(copy.deepcopy(x)), np.asarray(x))


def test_a_box_is_not_pickled():
    with pytest.raises(TypeError, match="stop_gradient"):
        value_and_gradient(lambda x: (pickle.dumps(x), ()), [DATA])


def test_repr_names_the_dtype():
    assert repr(xp.asarray([1.0], dtype=xp.float32)) == "Array([1.], dtype=float32)"


@pytest.mark.parametrize(
    "stranger", ["text", None, [1, 2], object()], ids=["text", "None", "list", "object"]
)
def test_strangers_are_refused_with_a_way_out(stranger):
    x = xp.asarray(DATA)
    with pytest.raises(TypeError):
        x + stranger
    with pytest.raises(TypeError, match="asarray"):
        xp.exp(stranger)
    with pytest.raises(TypeError, match="asarray"):
        xp.add(x, stranger)


def test_asarray_shares_numpy_memory_unless_told_to_copy():
    assert np.shares_memory(np.asarray(xp.asarray(DATA)), DATA)
    assert not np.shares_memory(np.asarray(xp.asarray(DATA, copy=True)), DATA)
    with pytest.raises(ValueError, match="copy"):
        xp.asarray(DATA, dtype=xp.float32, copy=False)


def test_namespace_names_its_version_and_kinds():
    assert xp.__array_api_version__ == "2024.12"
    info = xp.__array_namespace_info__()
    assert info.default_device() in info.devices()
    assert info.default_dtypes()["real floating"] == xp.float64
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"}
    assert xp.finfo(xp.float32).eps == 2.0**-23
    assert xp.iinfo(xp.int8).max == 127


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
def test_choosing_among_many_elements_is_that_of_numpy(dtype):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((50, 60)).astype(dtype) for _ in range(2))
    if dtype != "int64":
        a[0, :3] = b[1, :3] = np.nan, np.inf, -0.0
    mask = rng.random((50, 60)) > 0.5
    for x, y in ((a, b), (a, 0), (0, b), (a, -0.0), (a, b[:, :1]), (a.T.copy().T, b), (1.5, b)):
        got = np.asarray(xp.where(xp.asarray(mask), *(
            xp.asarray(v) if isinstance(v, np.ndarray) else v for v in (x, y))))
        expected = np.where(mask, x, y)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
        if dtype != "int64":
            np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))


def test_special_values_the_standard_fixes_and_numpy_misses():
    a = xp.asarray([np.inf, 1.0, -1.0, 7.0])
    b = xp.asarray([2.0, -np.inf, np.inf, 2.0])
    np.testing.assert_array_equal(np.asarray(xp.floor_divide(a, b)), [np.inf, -0.0, -0.0, 3.0])
    assert complex(xp.expm1(xp.asarray(complex(np.inf, 0)))) == complex(np.inf, 0)
