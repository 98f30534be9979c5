"""Central differences: exact on polynomials, within the stated bound elsewhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import polylux
from polylux import AutoFiniteDiff, gradient, stop_gradient, value_and_gradient
from polylux.errors import DomainError, ObjectiveError, OptionError, UnsupportedError
from polylux_finitediff._gradient import pushforward, weights

ORDERS = (2, 4, 6, 8)
# K of the stated bound: twice the sum of the weights' sizes, by hand from Fornberg's table 1.
ROUNDING = {2: 1.0, 4: 1.5, 6: 11 / 6, 8: 25 / 12}


def slope(f: Any, x: Any, order: int = 2, step: float | None = None, along: float = 1.0) -> Any:
    x = np.asarray(x)
    tangents = (np.full_like(x, along),)
    return pushforward(lambda y: ((f(y),), ()), (x,), tangents, order, step)[1][0]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (2, [1 / 2]),
        (4, [2 / 3, -1 / 12]),
        (6, [3 / 4, -3 / 20, 1 / 60]),
        (8, [4 / 5, -1 / 5, 4 / 105, -1 / 280]),
    ],
)
def test_weights_are_those_of_fornbergs_table(order: int, expected: list[float]) -> None:
    np.testing.assert_allclose(weights(order), expected, rtol=1e-15)


@pytest.mark.parametrize("order", ORDERS)
def test_a_polynomial_of_the_orders_degree_has_no_truncation(order: int) -> None:
    got = slope(lambda x: x**order, 1.0, order, step=0.125)  # all values exact: dyadic, short
    assert float(got) == pytest.approx(order, rel=1e-13)


@pytest.mark.parametrize("order", ORDERS)
def test_the_next_power_is_off_by_the_stated_truncation(order: int) -> None:
    # The derivative of order + 1 of x**(order + 1) / (order + 1)! is 1 everywhere.
    m, h = order // 2, 0.25
    got = slope(lambda x: x ** (order + 1) / math.factorial(order + 1), 0.0, order, step=h)
    truncation = math.factorial(m) ** 2 / math.factorial(2 * m + 1) * h**order
    assert abs(float(got)) == pytest.approx(truncation, rel=1e-12)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("x", [0.0, 0.1, 0.7, 1.0, -0.9])
def test_the_default_step_keeps_the_stated_bound(order: int, dtype: Any, x: float) -> None:
    # Of sin, every derivative and value is at most 1, and numpy's is right to one ulp.
    epsilon = float(np.finfo(dtype).eps)
    longest = epsilon ** (1 / (order + 1))
    m = order // 2
    truncation = math.factorial(m) ** 2 / math.factorial(2 * m + 1) * longest**order
    rounding = ROUNDING[order] * epsilon / (longest / 2)  # the step is rounded down
    point = dtype(x)
    got = slope(np.sin, point, order)
    assert got.dtype == dtype
    # The result itself, and in float32 the moved points, are rounded too.
    rounding += 2 * epsilon / (longest / 2) * (dtype is np.float32) + epsilon
    assert abs(float(got) - math.cos(float(point))) <= truncation + rounding


@pytest.mark.parametrize("order", ORDERS)
def test_a_gradient_of_a_tree(order: int) -> None:
    ps = {"a": np.asarray([0.5, -2.0]), "n": np.arange(2), "b": [np.asarray(3.0)]}

    def f(ps: Any) -> Any:
        return np.sum(ps["a"] ** 2) * ps["b"][0] + np.sum(ps["n"])

    value, grad = value_and_gradient(f, AutoFiniteDiff(order=order), ps)
    assert float(value) == 13.75
    np.testing.assert_allclose(grad["a"], [3.0, -12.0], rtol=1e-9)
    np.testing.assert_allclose(grad["b"][0], 4.25, rtol=1e-9)
    np.testing.assert_array_equal(grad["n"], [0, 0])


def test_the_step_grows_with_the_point_and_shrinks_with_the_direction() -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append(float(x))
        return x

    assert slope(f, 1024.0, step=2.0**-10) == 1.0
    assert seen == [1024.0, 1025.0, 1023.0]
    seen.clear()
    assert slope(f, 0.5, step=2.0**-10, along=4.0) == 4.0
    assert seen == [0.5, 0.5 + 2.0**-10, 0.5 - 2.0**-10]


def test_a_large_leaf_that_does_not_move_leaves_the_step_alone() -> None:
    got = pushforward(
        lambda x, y: ((np.sin(x) + 0 * y,), ()),
        (np.asarray(0.5), np.asarray(1e9)), (np.asarray(1.0), np.asarray(0.0)), 4, None,
    )[1][0]  # fmt: skip
    assert float(got) == pytest.approx(math.cos(0.5), rel=1e-11)


def test_several_outputs_and_auxiliary_values() -> None:
    outputs, changes, aux = pushforward(
        lambda x: ((x**2, np.sum(x), np.ones(2)), (x * 3,)),
        (np.asarray([1.0, 2.0]),), (np.asarray([1.0, -1.0]),), 2, None,
    )  # fmt: skip
    np.testing.assert_array_equal(outputs[0], [1.0, 4.0])
    np.testing.assert_allclose(changes[0], [2.0, -4.0], rtol=1e-9)
    assert abs(float(changes[1])) < 1e-9
    np.testing.assert_array_equal(changes[2], [0.0, 0.0])
    np.testing.assert_array_equal(aux[0], [3.0, 6.0])


def test_a_direction_of_zero_takes_one_call() -> None:
    calls = []

    def f(x: Any) -> Any:
        calls.append(1)
        return x

    assert slope(f, 2.0, along=0.0) == 0.0
    assert len(calls) == 1


@pytest.mark.parametrize("order", ORDERS)
def test_calls_are_one_more_than_the_order(order: int) -> None:
    calls = []

    def f(x: Any) -> Any:
        calls.append(1)
        return x

    slope(f, 2.0, order)
    backend, selector = polylux.registry.resolve(AutoFiniteDiff(order=order))
    assert len(calls) == order + 1 == backend.calls_of_pushforward(selector)


def test_stop_gradient_is_kept_and_nested_differences_keep_it_too() -> None:
    def f(x: Any) -> Any:
        return x * stop_gradient(x * x)

    got = gradient(f, AutoFiniteDiff(), np.asarray(3.0))
    assert float(got) == pytest.approx(9.0, rel=1e-9)


def test_stop_gradient_that_is_met_on_one_side_only_is_refused() -> None:
    def f(x: Any) -> Any:
        return x if float(x) <= 1.0 else stop_gradient(x)

    with pytest.raises(ObjectiveError, match=r"another way to stop_gradient .* xp\.where"):
        gradient(f, AutoFiniteDiff(), np.asarray(1.0))


def test_after_an_error_stop_gradient_is_the_identity_again() -> None:
    def f(x: Any) -> Any:
        stop_gradient(x)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        gradient(f, AutoFiniteDiff(), np.asarray(1.0))
    x = np.asarray(2.0)
    assert stop_gradient(x) is x


def test_the_point_is_not_changed() -> None:
    x = np.asarray([1.0, 2.0])
    gradient(np.sum, AutoFiniteDiff(order=8), x)
    np.testing.assert_array_equal(x, [1.0, 2.0])


def test_infinite_values_give_nan_in_silence() -> None:
    assert np.isnan(slope(lambda x: x * np.inf, 1.0))


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"order": 3}, DomainError, "2, 4, 6 or 8, got 3"),
        ({"order": 2.0}, OptionError, "takes an integer, got 2.0"),
        ({"step": 0.0}, DomainError, "above zero and finite, got 0.0"),
        ({"step": math.inf}, DomainError, "above zero and finite, got inf"),
        ({"step": True}, OptionError, "takes a number, got True"),
        ({"step": "1"}, OptionError, "takes a number, got '1'"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(options: Any, error: Any, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        AutoFiniteDiff(**options)


def test_it_needs_no_framework_and_is_listed() -> None:
    info = {info.name: info for info in polylux.backends()}["finitediff"]
    assert info.available
    assert info.selector == "AutoFiniteDiff()"


def test_a_derivative_inside_a_derivative_is_refused() -> None:
    def f(x: Any) -> Any:
        return gradient(lambda y: y**2, polylux.selector_of(x), x)

    with pytest.raises(UnsupportedError, match="AutoTorch"):
        gradient(f, AutoFiniteDiff(), np.asarray(1.0))
