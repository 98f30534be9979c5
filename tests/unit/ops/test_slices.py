"""eachslice and multigate: parts of arrays, and derivatives that reach every part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import ops
from polylux.errors import ArrayMixError, DomainError, OptionError, ShapeError

X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -3])
def test_slices_are_those_of_numpy(dim: int, library: Any) -> None:
    got = ops.eachslice(library.array(X), dim)
    assert isinstance(got, list)
    expected = [np.take(X, i, axis=dim) for i in range(X.shape[dim])]
    assert len(got) == len(expected)
    for mine, theirs in zip(got, expected, strict=True):
        host = library.host(mine)
        assert host.dtype == np.float64
        np.testing.assert_array_equal(host, theirs)


@pytest.mark.parametrize(
    ("ordering", "shape", "count"),
    [
        (ops.TimeFirst(), (5, 2, 3), 5),
        (ops.BatchFirst(), (2, 5, 3), 5),
        (ops.BatchFirst(), (5, 3), 5),
        (ops.TimeFirst(), (5, 3), 5),
        (ops.BatchFirst(), (2, 5, 3, 3), 5),
    ],
    ids=["time first", "batch first", "batch first, no batch", "time first, no batch", "images"],
)
def test_orderings_name_the_axis_of_time(ordering: Any, shape: Any, count: int) -> None:
    slices = ops.eachslice(np.ones(shape), ordering)
    assert len(slices) == count


def test_slices_of_numpy_arrays_are_views() -> None:
    x = np.zeros((2, 3))
    ops.eachslice(x, 1)[2][...] = 1
    ops.multigate(x, 3)[0][...] = 2
    np.testing.assert_array_equal(x, [[2, 0, 1], [2, 0, 1]])


def test_integer_arrays_are_cut_too(library: Any) -> None:
    x = library.array([[1, 2], [3, 4]], np.int32)
    np.testing.assert_array_equal(library.host(ops.eachslice(x, 1)[0]), [1, 3])
    np.testing.assert_array_equal(library.host(ops.multigate(x, 2)[1]), [[2], [4]])


def test_slices_with_and_without_use_have_their_own_derivatives(
    selector: polylux.ADType,
) -> None:
    # d/dx of sum(x0 * x2): x2, nothing for x1, x0
    def f(x: Any) -> Any:
        first, _, last = ops.eachslice(x, 1)
        return polylux.array_namespace(x).sum(first * last)

    x = np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    got = polylux.to_host(polylux.gradient(f, selector, x))
    np.testing.assert_array_equal(got, [[3, 0, 1], [6, 0, 4]])


def test_slices_without_any_use_have_a_derivative_of_zeros(selector: polylux.ADType) -> None:
    def f(x: Any) -> Any:
        ops.eachslice(x["a"], 0)
        ops.multigate(x["a"], 2)
        return polylux.array_namespace(x["b"]).sum(x["b"])

    x = {"a": np.ones((2, 2)), "b": np.ones(1)}
    got = polylux.to_host(polylux.gradient(f, selector, x))
    np.testing.assert_array_equal(got["a"], np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("dim", "error"), [("time", OptionError), (1.0, OptionError), (2, ShapeError), (-3, ShapeError)]
)
def test_axis_that_is_none_is_an_error(dim: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="eachslice"):
        ops.eachslice(np.ones((2, 2)), dim)


@pytest.mark.parametrize("slices", [ops.eachslice, ops.multigate])
def test_what_is_no_array_is_an_error(slices: Any) -> None:
    with pytest.raises(ArrayMixError, match="builtins.list, which is no array"):
        slices([[1.0, 2.0]], 1)


@pytest.mark.parametrize("shape", [(6,), (2, 6), (2, 3, 6)], ids=str)
@pytest.mark.parametrize("n", [1, 2, 6])
def test_gates_are_equal_parts_of_the_last_axis(shape: Any, n: int, library: Any) -> None:
    x = np.arange(float(np.prod(shape))).reshape(shape)
    got = ops.multigate(library.array(x), n)
    assert isinstance(got, tuple)
    for mine, theirs in zip(got, np.split(x, n, axis=-1), strict=True):
        assert library.host(mine).dtype == np.float64
        np.testing.assert_array_equal(library.host(mine), theirs)


def test_gates_have_the_derivative_of_a_concatenation(selector: polylux.ADType) -> None:
    weights = np.asarray([[1.0, 2.0], [3.0, 4.0]])

    def f(x: Any) -> Any:
        xp = polylux.array_namespace(x)
        a, _, c = ops.multigate(x, 3)
        return xp.sum(a * xp.asarray(weights, dtype=x.dtype)) + xp.sum(a * c)

    x = np.arange(12.0).reshape(2, 6)
    a, c = x[:, :2], x[:, 4:]
    got = polylux.to_host(polylux.gradient(f, selector, x))
    np.testing.assert_array_equal(got, np.concat([weights + c, 0 * a, a], axis=1))


@pytest.mark.parametrize("shape", [(7,), (2, 4), ()], ids=str)
def test_gates_that_do_not_divide_are_an_error(shape: Any, library: Any) -> None:
    with pytest.raises(ShapeError, match=r"multiple of 3.*shape \("):
        ops.multigate(library.array(np.ones(shape)), 3)


@pytest.mark.parametrize(("n", "error"), [(0, DomainError), (-1, DomainError), (2.0, OptionError)])
def test_number_of_gates_is_a_positive_int(n: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="multigate"):
        ops.multigate(np.ones(4), n)
