"""Derivatives through the contract: closed forms, nesting, and memory apart from the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polylux.selectors import AutoAutograd
from polylux_autograd import array_api as xp
from polylux_autograd._backend import AutogradBackend
from polylux_autograd._flat import flat_group

BACKEND = AutogradBackend()
SELECTOR = AutoAutograd()
X, Y = xp.asarray([1.0, -2.0]), xp.asarray([[3.0]])


def cubes(x: Any, y: Any) -> tuple[Any, tuple[Any, ...]]:
    return xp.sum(x * x * x) + xp.sum(y), (2 * x,)


def cubes_map(x: Any, y: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    value, aux = cubes(x, y)
    return (value,), aux


def values(array: Any) -> Any:
    return BACKEND.to_host([array])[0].tolist()


def test_value_gradient_and_auxiliary_output() -> None:
    value, (gx, gy), (aux,) = BACKEND.value_and_gradient(cubes, (X, Y), SELECTOR)
    assert type(value) is type(aux) is xp.Array
    assert (values(value), values(gx), values(gy)) == (-4.0, [3.0, 12.0], [[1.0]])
    assert values(aux) == [2.0, -4.0]


def test_a_leaf_that_is_not_used_gets_zeros() -> None:
    _, (_, gy), _ = BACKEND.value_and_gradient(lambda x, y: (xp.sum(x), ()), (X, Y), SELECTOR)
    assert values(gy) == [[0.0]]


def test_pullback_is_linear_in_the_cotangent() -> None:
    (value,), pull, (aux,) = BACKEND.pullback(cubes_map, (X, Y), SELECTOR)
    once, thrice = pull((xp.asarray(1.0),)), pull((xp.asarray(3.0),))
    assert (values(value), values(aux), type(aux)) == (-4.0, [2.0, -4.0], xp.Array)
    for a, b in zip(once, thrice, strict=True):
        assert values(3 * a) == values(b)


def test_pushforward_is_the_gradient_along_the_tangents() -> None:
    tangents = (xp.asarray([1.0, 0.5]), xp.asarray([[2.0]]))
    (value,), (tangent,), (aux,) = BACKEND.pushforward(cubes_map, (X, Y), tangents, SELECTOR)
    assert (values(value), values(tangent)) == (-4.0, 3 * 1 + 12 * 0.5 + 2)
    assert (values(aux), type(aux)) == ([2.0, -4.0], xp.Array)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_nest(order: int) -> None:
    def derivative(f: Any) -> Any:
        return lambda x: BACKEND.value_and_gradient(lambda t: (f(t), ()), (x,), SELECTOR)[1][0]

    f = lambda x: x * x * x * x  # noqa: E731
    for _ in range(order):
        f = derivative(f)
    assert values(f(xp.asarray(2.0))) == {1: 32.0, 2: 48.0, 3: 48.0}[order]


def test_is_tracing_inside_a_derivative_only() -> None:
    seen = []

    def look(x: Any) -> Any:
        seen.append(BACKEND.is_tracing())
        return xp.sum(x), ()

    BACKEND.value_and_gradient(look, (X,), SELECTOR)
    BACKEND.pushforward(lambda x: ((look(x)[0],), ()), (X,), (X,), SELECTOR)
    assert seen == [True, True]
    assert not BACKEND.is_tracing()


@pytest.mark.parametrize("give", [
    pytest.param(lambda w, s: (xp.sum(w), (w,)), id="the parameter"),
    pytest.param(lambda w, s: (xp.sum(w), (xp.reshape(w, (4,))[1:3],)), id="a view of it"),
    pytest.param(lambda w, s: (s, ()), id="the loss is a parameter"),
])  # fmt: skip
def test_outputs_do_not_change_with_a_later_update_in_place(give: Any) -> None:
    leaves = flat_group((xp.ones((2, 2)), xp.ones(())), None, False)
    value, gradients, aux = BACKEND.value_and_gradient(give, leaves, SELECTOR)
    for vector in leaves.vectors:
        vector[:] = 7.0
    for array in (value, *gradients, *aux):
        assert not np.any(np.asarray(values(array)) == 7.0)


def test_a_plain_value_does_not_change_with_a_later_update_in_place() -> None:
    leaves = flat_group((xp.ones((2, 2)),), None, False)
    loss, (aux,), rest = BACKEND.value(
        lambda group, scale: (xp.sum(group[0]) * scale, (group[0][0, :],), "rest"),
        (leaves, xp.asarray(2.0)),
    )
    leaves.vectors[0][:] = 7.0
    assert (values(loss), values(aux), rest) == (8.0, [1.0, 1.0], "rest")


def test_staging_is_left_to_others() -> None:
    def function() -> Any:
        return (), None

    assert BACKEND.stage(function, SELECTOR) is function
    assert not BACKEND.is_staged(SELECTOR)
