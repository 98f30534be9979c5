"""value_and_gradient and gradient on every backend, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from polylux import (
    NoAutoDiff,
    array_namespace,
    gradient,
    selector_of,
    to_backend,
    to_host,
    value_and_gradient,
)
from polylux.errors import ArrayMixError, NothingTrainableError, ObjectiveError, OptionError


def cubes(p, weight=1.0):
    return (weight * p["a"] ** 3).sum() + p["b"][0].sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_gradient_of_a_tree(selector, dtype):
    a = np.asarray([1.0, -2.0, 3.0], dtype=dtype)
    x = {"a": a, "b": (np.ones(2, dtype=dtype), None)}
    value, grad = to_host(value_and_gradient(cubes, selector, x))
    assert float(value) == 22.0
    np.testing.assert_array_equal(grad["a"], 3 * a**2)
    np.testing.assert_array_equal(grad["b"][0], [1, 1])
    assert {value.dtype, grad["a"].dtype, grad["b"][0].dtype} == {np.dtype(dtype)}


def test_constants_are_handed_on_and_not_differentiated(selector):
    x = {"a": np.asarray([1.0, 2.0]), "b": [np.zeros(1)]}
    grad = to_host(gradient(cubes, selector, x, np.asarray([10.0, 100.0])))
    assert set(grad) == {"a", "b"}
    np.testing.assert_array_equal(grad["a"], [30.0, 1200.0])


def test_python_float_is_a_point_in_double_precision(selector):
    value, slope = value_and_gradient(lambda x: x**3, selector, 2.0)
    assert (float(value), float(slope)) == (8.0, 12.0)
    assert to_host(slope).dtype == np.float64


def test_integer_leaves_get_zeros(selector):
    x = {"w": np.asarray([2.0]), "k": np.asarray([3, 4], dtype=np.int32)}
    grad = to_host(
        gradient(
            lambda p: (p["w"] * array_namespace(p["w"]).astype(p["k"], p["w"].dtype)).sum(),
            selector,
            x,
        )
    )
    np.testing.assert_array_equal(grad["w"], [7.0])
    np.testing.assert_array_equal(grad["k"], [0, 0])
    assert grad["k"].dtype == np.int32


def test_second_derivative_by_nesting(selector):
    # x^4: 4 x^3, then 12 x^2.
    def slope(x):
        return gradient(lambda z: (z**4).sum(), selector_of(x), x).sum()

    x = np.asarray([1.0, 2.0, -3.0])
    np.testing.assert_allclose(to_host(gradient(slope, selector, x)), 12 * x**2, rtol=1e-14)


def test_third_derivative_by_nesting(selector):
    def first(x):
        return gradient(lambda z: (z**5).sum(), selector_of(x), x).sum()

    def second(x):
        return gradient(first, selector_of(x), x).sum()

    x = np.asarray([1.0, 2.0])
    np.testing.assert_allclose(to_host(gradient(second, selector, x)), 60 * x**2, rtol=1e-13)


def test_inner_function_may_capture_the_outer_point(selector):
    # d/dx of (d/dz (x z^2) at z = x) = d/dx (2 x^2) = 4 x: no confusion of the two derivatives.
    def outer(x):
        return gradient(lambda z: (x * z**2).sum(), selector_of(x), x).sum()

    x = np.asarray([1.0, 3.0])
    np.testing.assert_allclose(to_host(gradient(outer, selector, x)), 4 * x, rtol=1e-14)


def test_points_of_another_library_are_moved(selector):
    from polylux import AutoAutograd, AutoJax, AutoTorch

    for other in (AutoTorch(), AutoJax(), AutoAutograd()):
        x = to_backend(np.asarray([1.0, 2.0]), other)
        grad = gradient(lambda p: (p**2).sum(), selector, x)
        assert selector_of(grad).backend == selector.backend
        np.testing.assert_array_equal(to_host(grad), [2.0, 4.0])


def test_a_user_s_tensor_keeps_its_flags_and_its_grad():
    torch = pytest.importorskip("torch")
    from polylux import AutoTorch

    x = torch.ones(3, requires_grad=True)
    grad = gradient(lambda p: (p**2).sum(), AutoTorch(), x)
    assert x.grad is None
    assert x.requires_grad
    assert not grad.requires_grad
    y = torch.ones(3)
    gradient(lambda p: (p**2).sum(), AutoTorch(), y)
    assert not y.requires_grad


def test_closure_over_a_changed_number_is_seen(selector):
    factor = 1.0

    def f(x):
        return (x * factor).sum()

    x = np.ones(2)
    for factor in (1.0, 5.0, 1.0):  # f captures it
        np.testing.assert_array_equal(to_host(gradient(f, selector, x)), np.full(2, factor))


@pytest.mark.parametrize(
    ("f", "x", "error", "match"),
    [
        (lambda x: x, np.ones(2), ObjectiveError, r"real scalar, got shape \(2,\)"),
        (lambda x: 1.0, np.ones(2), ObjectiveError, "Python number"),
        (lambda x: (x > 0).all(), np.ones(2), ObjectiveError, "dtype"),
        (lambda x: np.asarray(1.0), np.ones(2), ArrayMixError, "must be an array of"),
        (lambda x: x.sum(), np.arange(2), NothingTrainableError, "no trainable leaf"),
        (3.0, np.ones(2), OptionError, r"\(f, selector, x, \*constants\)"),
    ],
    ids=["not 0-d", "float", "boolean", "numpy", "integers", "not callable"],
)
def test_bad_call_is_an_error_that_says_what_came(selector, f, x, error, match):
    with pytest.raises(error, match=match):
        value_and_gradient(f, selector, x)


def test_no_differentiation_on_the_host():
    from polylux.errors import UnsupportedError

    with pytest.raises(UnsupportedError, match=r"does not differentiate; use AutoTorch\(\)"):
        gradient(lambda x: x.sum(), NoAutoDiff(), np.ones(2))
