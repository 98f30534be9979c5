"""Arrays in and out of a backend, and which backend owns them."""

from __future__ import annotations

import fractions
from typing import Any

import array_api_compat.numpy
import numpy as np
import pytest

from polylux import arrays
from polylux.errors import ArrayMixError, DTypeError, OptionError, UnknownBackendError
from polylux.selectors import ADType, Auto, AutoAutograd, AutoJax, AutoTorch, NoAutoDiff

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]


def host_tree() -> dict[str, Any]:
    tied = np.arange(3, dtype=np.float32)
    return {
        "w": np.linspace(-1, 1, 6).reshape(2, 3),
        "tied": [tied, tied],
        "n": np.int64(3),
        "name": "dense",
        "rate": 0.1,
        "none": None,
    }


def test_numpy_belongs_to_the_host() -> None:
    assert arrays.selector_of(np.ones(2)) == NoAutoDiff()
    assert arrays.selector_of(np.float32(1), 3.0) == NoAutoDiff()
    assert arrays.array_namespace(np.ones(2), 1.0, None) is array_api_compat.numpy


@pytest.mark.parametrize(
    ("leaf", "is_array"),
    [
        (np.ones(2), True),
        (np.float64(1.0), True),
        (np.zeros((0,), dtype=bool), True),
        (np.ones(2, dtype=complex), True),
        (np.array(["a"]), False),
        (np.array([None]), False),
        (np.zeros(2, dtype=[("x", "f4")]), False),
        (np.datetime64("2020-01-01"), False),
        (1.0, False),
        (True, False),
        (3j, False),
        ("a", False),
        (None, False),
        ([1.0], False),
        (fractions.Fraction(1, 2), False),
    ],
    ids=repr,
)
def test_arrays_hold_numbers(leaf: Any, is_array: bool) -> None:
    assert arrays.is_array(leaf) is is_array


def test_to_host_leaves_numpy_as_it_is() -> None:
    tree = host_tree()
    again = arrays.to_host(tree)
    assert again["w"] is tree["w"]
    assert again["name"] == "dense"
    assert again["rate"] == 0.1
    assert again["none"] is None


def test_arrays_move_there_and_back_with_values_and_dtypes(selector: ADType) -> None:
    tree = host_tree()
    there = arrays.to_backend(tree, selector)
    assert type(arrays.selector_of(there["w"], there["n"])) is type(selector)
    assert there["name"] == "dense"
    assert there["rate"] == 0.1
    assert there["none"] is None
    back = arrays.to_host(there)
    assert type(back["w"]) is np.ndarray
    for name in ("w", "n"):
        np.testing.assert_array_equal(back[name], tree[name], strict=name == "w")


def test_tied_leaves_stay_tied(selector: ADType) -> None:
    there = arrays.to_backend(host_tree(), selector)
    assert there["tied"][0] is there["tied"][1]
    back = arrays.to_host(there)
    assert back["tied"][0] is back["tied"][1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_are_kept(selector: ADType, dtype: str) -> None:
    one = np.ones(3, dtype=dtype)
    there = arrays.to_backend(one, selector)
    if dtype == "int64" and selector.backend == "jax":
        # JAX has no 64-bit integers outside its precision scope: range-checked, then narrowed.
        assert str(there.dtype) == "int32"
        return
    back = arrays.to_host(there)
    assert back.dtype == one.dtype
    np.testing.assert_array_equal(back, one)


def test_moved_arrays_share_no_memory(selector: ADType) -> None:
    mine = np.zeros(64)
    there = arrays.to_backend(mine, selector)
    mine[:] = 1.0
    assert float(np.max(arrays.to_host(there))) == 0.0


def test_arrays_that_are_there_are_returned_as_they_are(selector: ADType) -> None:
    there = arrays.to_backend(np.ones(3), selector)
    assert arrays.to_backend(there, selector) is there


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(6.0)[::-1],
        np.arange(12.0)[::2],
        np.zeros((0, 3)),
        np.array(2.5),
        np.broadcast_to(np.float64(1.5), (2, 2)),
        np.arange(3.0).astype(">f8"),
    ],
    ids=["transposed", "negative stride", "strided", "empty", "0-d", "read-only", "byte order"],
)
def test_memory_layouts_that_frameworks_stumble_over(selector: ADType, array: Any) -> None:
    back = arrays.to_host(arrays.to_backend(array, selector))
    np.testing.assert_array_equal(back, array)
    assert back.shape == array.shape


@pytest.mark.parametrize("source", [AutoTorch(), AutoJax(), AutoAutograd()], ids=repr)
def test_one_frameworks_arrays_move_to_another(source: ADType, selector: ADType) -> None:
    values = {"w": np.linspace(0, 1, 7), "b": np.arange(3, dtype=np.float32)}
    there = arrays.to_backend(arrays.to_backend(values, source), selector)
    assert type(arrays.selector_of(there["w"])) is type(selector)
    back = arrays.to_host(there)
    for name, value in values.items():
        np.testing.assert_array_equal(back[name], value, strict=True)


def test_an_integer_that_does_not_fit_is_an_error_not_another_number() -> None:
    with pytest.raises(DTypeError):
        arrays.to_backend(np.array([2**40 + 1]), AutoJax())


def test_the_namespace_is_the_backends(selector: ADType) -> None:
    there = arrays.to_backend(np.ones(3, dtype=np.float32), selector)
    xp = arrays.array_namespace(there, 2.0, None)
    assert xp is arrays.array_namespace(there)  # the second time from the cache
    assert float(xp.sum(there)) == 3.0
    assert xp is not array_api_compat.numpy


def test_arrays_of_two_libraries_say_how_to_convert(selector: ADType) -> None:
    there = arrays.to_backend(np.ones(3), selector)
    for call in (arrays.array_namespace, arrays.selector_of):
        with pytest.raises(ArrayMixError, match=r"different libraries: .*numpy\.ndarray") as caught:
            call(there, np.ones(3))
        assert "xp.asarray(constant, dtype=x.dtype)" in str(caught.value)


def test_arrays_of_a_library_that_nobody_claims_are_told_apart() -> None:
    strict = pytest.importorskip("array_api_strict")
    foreign = strict.asarray([1.0, 2.0])
    assert arrays.is_array(foreign)
    assert arrays.array_namespace(foreign) is strict
    np.testing.assert_array_equal(arrays.to_host(foreign), [1.0, 2.0])
    with pytest.raises(ArrayMixError, match="no registered backend owns array_api_strict"):
        arrays.selector_of(foreign)


@pytest.mark.parametrize(
    "wrong", [[1.0], "x", {"a": 1}, object()], ids=["list", "str", "dict", "object"]
)
def test_what_is_no_array_is_named(wrong: Any) -> None:
    with pytest.raises(ArrayMixError, match="which is no array of a known library"):
        arrays.array_namespace(wrong)


@pytest.mark.parametrize("values", [(), (1.0,), (None, 2)], ids=["nothing", "a scalar", "None"])
def test_at_least_one_array_is_needed(values: Any) -> None:
    with pytest.raises(ArrayMixError, match="array_namespace needs at least one array"):
        arrays.array_namespace(*values)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [("torch", OptionError), (AutoTorch, OptionError), (Auto("tocrh"), UnknownBackendError)],
    ids=["string", "class", "unknown name"],
)
def test_to_backend_needs_a_selector(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        arrays.to_backend(np.ones(2), wrong)
