"""recursive_make_zero: new arrays, or the ones that are there; and what is no number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polylux
from polylux import recursive_make_zero, recursive_make_zero_

each = pytest.mark.parametrize(
    "zero", [recursive_make_zero, recursive_make_zero_], ids=["new", "in place"]
)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int32, np.bool_])
def test_zeros_have_shape_and_dtype(zero: Callable[..., Any], dtype: Any, library: Any) -> None:
    got = zero({"a": [library.array([[1, 1]], dtype)]})["a"][0]
    host = library.host(got)
    assert host.dtype == dtype
    np.testing.assert_array_equal(host, np.zeros((1, 2), dtype))


def test_new_zeros_leave_the_tree_alone(library: Any) -> None:
    x = library.array([1.0])
    assert recursive_make_zero(x) is not x
    assert library.host(x) == 1


def test_zeros_in_place_are_in_place_where_that_can_be(library: Any) -> None:
    x = library.array([1.0])
    got = recursive_make_zero_([x])[0]
    assert library.host(got) == 0
    assert (got is x) == (library.name in ("numpy", "torch"))


@each
def test_numbers_become_zero_and_other_leaves_stay(zero: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    x = {"n": 3, "rate": 0.5, "z": 1j, "flag": True, "name": "relu", "rng": rng, "none": None}
    got = zero(x)
    assert [repr(got[name]) for name in ("n", "rate", "z")] == ["0", "0.0", "0j"]
    assert got["flag"] is True
    assert (got["name"], got["rng"], got["none"]) == ("relu", rng, None)
    assert x["n"] == 3


@each
def test_tied_arrays_stay_tied(zero: Callable[..., Any], library: Any) -> None:
    tied = library.array([1.0])
    got = zero((tied, {"again": tied}))
    assert got[0] is got[1]["again"]


@each
def test_inside_an_objective_zeros_are_constants(
    zero: Callable[..., Any], selector: polylux.ADType
) -> None:
    w = polylux.to_backend(np.asarray([3.0]), selector)

    def f(p: Any) -> Any:
        return polylux.array_namespace(p).sum(p * p + zero([p])[0] * p)

    assert polylux.to_host(polylux.gradient(f, selector, w)) == 6
    assert polylux.to_host(w) == 3


def test_random_key_of_jax_stays() -> None:
    jax = pytest.importorskip("jax")
    key = jax.random.key(1)
    assert recursive_make_zero([key])[0] is key
    assert polylux.recursive_add_([key], [key])[0] is key
