"""stop_gradient: values pass, derivatives do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import gradient, stop_gradient, to_backend, to_host


def test_the_derivative_of_a_stopped_factor_is_left_out(selector: polylux.ADType) -> None:
    def f(x: Any) -> Any:
        return polylux.array_namespace(x).sum(x**2 * stop_gradient(x) ** 3)

    got = to_host(gradient(f, selector, np.asarray([1.0, -2.0])))
    np.testing.assert_allclose(got, [2.0 * 1.0, 2.0 * (-2.0) ** 4], rtol=1e-15)


def test_a_derivative_inside_a_derivative_is_stopped_for_the_outer_one(
    selector: polylux.ADType,
) -> None:
    def inner(x: Any) -> Any:
        return x**3

    def outer(x: Any) -> Any:
        return x * stop_gradient(gradient(inner, polylux.selector_of(x), x))

    assert float(gradient(outer, selector, np.asarray(2.0))) == pytest.approx(12.0, rel=1e-15)


def test_a_tree_keeps_containers_other_leaves_and_dtypes(selector: polylux.ADType) -> None:
    tree = {"w": np.ones(2, np.float32), "n": [np.arange(3), 4, "name", None]}
    stopped = stop_gradient(to_backend(tree, selector))
    host = to_host(stopped)
    assert host["w"].dtype == np.float32
    np.testing.assert_array_equal(host["n"][0], [0, 1, 2])
    assert host["n"][1:] == [4, "name", None]


def test_numpy_arrays_and_arrays_that_no_backend_owns_come_back_themselves() -> None:
    strict = pytest.importorskip("array_api_strict")
    tree = [np.ones(2), strict.ones(2)]
    assert all(a is b for a, b in zip(stop_gradient(tree), tree, strict=True))


def test_arrays_of_two_backends_may_stand_in_one_tree() -> None:
    tree = [to_backend(np.ones(2), s) for s in (polylux.AutoTorch(), polylux.AutoAutograd())]
    assert [type(a) for a in stop_gradient(tree)] == [type(a) for a in tree]


def test_a_tied_leaf_stays_tied(selector: polylux.ADType) -> None:
    array = to_backend(np.ones(2), selector)
    first, second = stop_gradient([array, array])
    assert first is second
