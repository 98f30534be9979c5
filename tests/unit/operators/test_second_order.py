"""hvp, hessian and second_derivative on every backend, in every pair of modes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from polylux import (
    AutoAutograd,
    AutoFiniteDiff,
    AutoJax,
    AutoTorch,
    NoAutoDiff,
    SecondOrder,
    array_namespace,
    hessian,
    hvp,
    second_derivative,
    selector_of,
    to_host,
    value_derivative_and_second_derivative,
    value_gradient_and_hessian,
    value_gradient_and_hvp,
)
from polylux.errors import ObjectiveError, ShapeError, UnsupportedError

PAIRS = {
    f"{name}-{outer}-over-{inner}": SecondOrder(make(mode=outer), make(mode=inner))
    for name, make in (("torch", AutoTorch), ("jax", AutoJax), ("autograd", AutoAutograd))
    for outer in ("forward", "reverse")
    for inner in ("forward", "reverse")
}
EITHER = {"torch": AutoTorch(), "jax": AutoJax(), "jax-eager": AutoJax(jit=False)}
EVERY = {**PAIRS, **EITHER, "autograd": AutoAutograd(), "one mode": AutoJax(mode="forward")}
every = pytest.mark.parametrize("selector", EVERY.values(), ids=EVERY.keys())


@every
def test_hessian_of_a_tree(selector, scalar, flat, matrix, close):
    value, gradient, found = value_gradient_and_hessian(scalar, selector, scalar.point)
    close(matrix(found), scalar.hessian, np.abs(scalar.hessian))
    close(flat(gradient), scalar.gradient, scalar.gradient_size)
    assert to_host(found["a"]["n"]).tolist() == [[0], [0]]
    assert found["n"]["a"].shape == (1, 2)
    assert found["name"] == "energy"
    assert value.shape == ()


@every
def test_hvp_is_the_hessian_times_the_direction(selector, scalar, flat, close):
    _, gradient, found = value_gradient_and_hvp(scalar, selector, scalar.point, scalar.direction)
    expected = scalar.hessian @ scalar.along
    close(flat(found), expected, np.abs(scalar.hessian) @ np.abs(scalar.along))
    close(flat(gradient), scalar.gradient, scalar.gradient_size)
    assert to_host(found["n"]).tolist() == [0]


@every
def test_hvp_along_several_directions(selector, scalar, close):
    directions = {"a": np.eye(2), "b": np.asarray([0.0, 2.0]), "n": 0, "name": ""}
    found = hvp(scalar, selector, scalar.point, directions, batched=True)
    v = np.asarray([[1.0, 0.0, 0.0], [0.0, 1.0, 2.0]])
    expected, terms = v @ scalar.hessian, np.abs(v) @ np.abs(scalar.hessian)
    close(found["a"], expected[:, :2], terms[:, :2])
    close(found["b"], expected[:, 2], terms[:, 2])
    assert found["n"].shape == (2, 1)


@every
def test_second_derivative_of_a_tree(selector, close):
    def f(t):
        xp = array_namespace(t)
        return {"power": t**4, "both": xp.stack([xp.exp(t), t])}

    value, first, second = value_derivative_and_second_derivative(f, selector, 2.0)
    e = np.exp(2.0)
    close(value["power"], 16.0, 16.0)
    close(first["power"], 32.0, 32.0)
    close(second["power"], 48.0, 48.0)
    close(first["both"], [e, 1.0], [e, 1.0])
    close(second["both"], [e, 0.0], [e, 0.0])


def test_hessian_of_one_array_is_an_array_of_both_shapes(selector, close):
    x = np.asarray([[1.0, 2.0], [3.0, -1.0]])
    found = hessian(lambda x: (x**3).sum(), selector, x)
    expected = np.einsum("ij,ik,jl->ijkl", 6 * x, np.eye(2), np.eye(2))
    close(found, expected, np.abs(expected))


def test_auxiliary_output_of_second_derivatives(selector):
    def f(x):
        return (x**3).sum(), {"twice": 2 * x, "text": "as it is"}

    x = np.asarray([1.0, 2.0])
    for found in (
        hvp(f, selector, x, x, has_aux=True),
        hvp(f, selector, x, np.stack([x, x]), has_aux=True, batched=True),
        hessian(f, selector, x, has_aux=True),
    ):
        aux = found[1]
        assert to_host(aux["twice"]).tolist() == [2.0, 4.0]
        assert aux["text"] == "as it is"
        assert selector_of(aux["twice"]).backend == selector.backend


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_kept(selector, dtype):
    x = np.asarray([1.0, 2.0], dtype)
    found = [
        hessian(lambda x: (x**3).sum(), selector, x),
        hvp(lambda x: (x**3).sum(), selector, x, np.ones(2)),
        second_derivative(lambda t: t * t * t, selector, x[1]),
    ]
    assert {str(to_host(a).dtype) for a in found} == {dtype}
    assert to_host(found[0]).tolist() == [[6.0, 0.0], [0.0, 12.0]]
    assert (to_host(found[1]).tolist(), float(found[2])) == ([6.0, 12.0], 12.0)


@pytest.mark.parametrize("selector", [NoAutoDiff(), AutoFiniteDiff()], ids=repr)
@pytest.mark.parametrize("operator", ["hvp", "hessian", "second_derivative"])
def test_a_backend_without_second_derivatives_names_others(selector, operator):
    call = {
        "hvp": lambda: hvp(lambda x: x, selector, 1.0, 1.0),
        "hessian": lambda: hessian(lambda x: x, selector, 1.0),
        "second_derivative": lambda: second_derivative(lambda x: x, selector, 1.0),
    }[operator]
    with pytest.raises(UnsupportedError, match=rf"{operator} .* use AutoTorch\(\), AutoJax\(\) or"):
        call()


def test_two_backends_cannot_share_a_derivative():
    with pytest.raises(UnsupportedError, match=r"mixes two backends.*SecondOrder\(AutoJax\(\)"):
        SecondOrder(AutoTorch(), AutoJax())


def test_first_derivatives_take_the_inner_mode():
    from polylux import explain, gradient

    pair = SecondOrder(AutoAutograd(mode="reverse"), AutoAutograd(mode="forward"))
    assert explain(gradient, pair, np.ones(3)).forward_sweeps == 3
    assert to_host(gradient(lambda x: (x * x).sum(), pair, np.ones(3))).tolist() == [2.0, 2.0, 2.0]


def test_a_hessian_needs_a_scalar(selector):
    with pytest.raises(ObjectiveError, match=r"real scalar, got shape \(2,\)"):
        hessian(lambda x: x, selector, np.ones(2))
    with pytest.raises(ShapeError, match="one number"):
        second_derivative(lambda x: x, selector, np.ones(2))


def test_modes_of_the_two_levels_are_traced_apart():
    """The outer mode is no part of the backend's selector: a cache must not forget it."""
    counts = []

    def f(x):
        counts.append(1)
        return (x**3).sum()

    x = np.asarray([1.0, 2.0])
    inner = AutoJax(mode="reverse")
    for outer in ("forward", "reverse", "forward"):
        hvp(f, SecondOrder(dataclasses.replace(inner, mode=outer), inner), x, x)
    assert len(counts) == 2
