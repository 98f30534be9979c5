"""checkpoint: the numbers of the plain function, the values computed a second time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import polylux
from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    array_namespace,
    checkpoint,
    gradient,
    selector_of,
    stop_gradient,
    to_backend,
    to_host,
    value_and_gradient,
)
from polylux.errors import ArrayMixError, OptionError, UnsupportedError

X = np.asarray([0.3, -1.2, 2.0])


def total(x: Any) -> Any:
    return array_namespace(x).sum(x)


def sines(x: Any) -> Any:
    """A block of a few operations, whose derivatives are known: sin(x)**2."""
    xp = array_namespace(x)
    return xp.sin(x) * xp.sin(x)


def test_the_gradient_is_that_of_the_plain_function(selector: polylux.ADType) -> None:
    block = checkpoint(sines)
    value, grad = value_and_gradient(lambda x: total(block(x)), selector, X)
    assert float(value) == pytest.approx(float(np.sum(np.sin(X) ** 2)), rel=1e-15)
    np.testing.assert_allclose(to_host(grad), np.sin(2 * X), rtol=4e-16, atol=1e-16)


def test_blocks_in_a_row_and_inside_each_other(selector: polylux.ADType) -> None:
    square = checkpoint(lambda x: x * x)
    fourth = checkpoint(lambda x: square(square(x)))
    grad = gradient(lambda x: total(fourth(fourth(x))), selector, X)  # x**16
    np.testing.assert_allclose(to_host(grad), 16 * X**15, rtol=1e-14)


def test_second_derivatives(selector: polylux.ADType) -> None:
    def outer(x: Any) -> Any:
        block = checkpoint(sines)
        slope = gradient(lambda y: total(block(y)), selector_of(x), x)  # sin(2x)
        return total(slope * slope)

    expected = 2 * np.sin(4 * X)  # d/dx sin(2x)**2 = 2 sin(2x) * 2 cos(2x)
    np.testing.assert_allclose(to_host(gradient(outer, selector, X)), expected, rtol=1e-14)


def test_third_derivatives(selector: polylux.ADType) -> None:
    def first(x: Any) -> Any:
        return gradient(lambda y: total(checkpoint(lambda z: z**5)(y)), selector_of(x), x)

    def second(x: Any) -> Any:
        return gradient(lambda y: total(first(y)), selector_of(x), x)

    third = gradient(lambda x: total(second(x)), selector, X)
    np.testing.assert_allclose(to_host(third), 60 * X**2, rtol=1e-14)


def test_a_derivative_inside_the_block(selector: polylux.ADType) -> None:
    @checkpoint
    def penalty(x: Any) -> Any:
        slope = gradient(lambda y: total(array_namespace(y).sin(y)), selector_of(x), x)
        return total(slope * slope)  # cos(x)**2

    np.testing.assert_allclose(
        to_host(gradient(penalty, selector, X)), -np.sin(2 * X), rtol=1e-14
    )


def test_trees_statics_keywords_and_several_outputs(selector: polylux.ADType) -> None:
    @checkpoint
    def block(ps: Any, *, scale: Any, power: int) -> Any:
        return {"a": ps["w"] ** power * scale, "b": [ps["w"] + ps["n"][0], power, None]}

    def f(ps: Any) -> Any:
        out = block(ps, scale=ps["s"], power=3)
        assert out["b"][1:] == [3, None]
        return total(out["a"]) + total(out["b"][0])

    ps = {"w": X, "n": [np.arange(3)], "s": np.asarray(2.0)}
    got = to_host(gradient(f, selector, ps))
    np.testing.assert_allclose(got["w"], 6 * X**2 + 1, rtol=1e-15)
    np.testing.assert_allclose(got["s"], np.sum(X**3), rtol=1e-15)
    np.testing.assert_array_equal(got["n"][0], [0, 0, 0])


def test_an_output_that_nothing_needs_and_one_that_is_an_integer(
    selector: polylux.ADType,
) -> None:
    @checkpoint
    def block(x: Any) -> Any:
        xp = array_namespace(x)
        return xp.exp(x), xp.argmax(x), xp.cos(x)

    got = gradient(lambda x: total(block(x)[2]), selector, X)
    np.testing.assert_allclose(to_host(got), -np.sin(X), rtol=1e-15)


def test_what_the_block_captures_is_differentiated_too(selector: polylux.ADType) -> None:
    def f(ps: Any) -> Any:
        x, w = ps
        return total(checkpoint(lambda y: y * w * w)(x))

    got = to_host(gradient(f, selector, (X, np.asarray([1.0, 2.0, 3.0]))))
    np.testing.assert_allclose(got[0], [1.0, 4.0, 9.0], rtol=1e-15)
    np.testing.assert_allclose(got[1], 2 * X * [1.0, 2.0, 3.0], rtol=1e-15)


def test_captured_values_of_an_outer_derivative(selector: polylux.ADType) -> None:
    def outer(w: Any) -> Any:
        def inner(x: Any) -> Any:
            return total(checkpoint(lambda y: y**3 * w)(x))

        return total(gradient(inner, selector_of(w), w))  # 3 x**2 w at x = w

    np.testing.assert_allclose(to_host(gradient(outer, selector, X)), 9 * X**2, rtol=1e-14)


def test_stop_gradient_inside_the_block(selector: polylux.ADType) -> None:
    block = checkpoint(lambda x: x * stop_gradient(x))
    np.testing.assert_allclose(
        to_host(gradient(lambda x: total(block(x)), selector, X)), X, rtol=1e-15
    )


def pushed(f: Any, x: Any) -> Any:
    """The derivative of `f`, elementwise, by forward mode."""
    selector = selector_of(x)
    backend, _ = polylux.registry.resolve(selector)
    ones = backend.namespace.ones_like(x)
    return backend.pushforward(lambda y: ((f(y),), ()), (x,), (ones,), selector)[1][0]


def slope(x: Any) -> Any:
    return gradient(lambda y: total(checkpoint(sines)(y)), selector_of(x), x)


def test_forward_over_reverse_and_reverse_over_forward(selector: polylux.ADType) -> None:
    def over_forward(x: Any) -> Any:
        return total(pushed(checkpoint(sines), x))

    def over_reverse(x: Any) -> Any:
        return total(x * stop_gradient(pushed(slope, x)))

    for f in (over_forward, over_reverse):
        got = to_host(gradient(f, selector, X))
        np.testing.assert_allclose(got, 2 * np.cos(2 * X), rtol=1e-14)


def test_float32_stays_float32(selector: polylux.ADType) -> None:
    value, grad = value_and_gradient(
        lambda x: total(checkpoint(sines)(x)), selector, X.astype(np.float32)
    )
    assert to_host(value).dtype == to_host(grad).dtype == np.float32


@pytest.mark.parametrize("eager", [AutoTorch(), AutoJax(jit=False), AutoAutograd()], ids=repr)
def test_the_backward_pass_runs_the_function_again(eager: polylux.ADType) -> None:
    runs = []

    def block(x: Any) -> Any:
        runs.append(1)
        return sines(x)

    def after_the_forward_pass(x: Any) -> Any:
        y = checkpoint(block)(x)
        runs.append("forward ends")
        return total(y)

    gradient(after_the_forward_pass, eager, X)
    if eager == AutoJax(jit=False):
        # JAX runs Python once; what it computes again stands in its jaxpr, see its own tests.
        return
    assert runs == [1, "forward ends", 1]


def test_outside_derivatives_it_runs_once(selector: polylux.ADType) -> None:
    runs = []

    def block(x: Any) -> Any:
        runs.append(1)
        return {"y": sines(x)}

    out = checkpoint(block)(to_backend(X, selector))
    np.testing.assert_allclose(to_host(out["y"]), np.sin(X) ** 2, rtol=1e-15)
    assert to_host(out["y"]).dtype == np.float64
    assert len(runs) == 1


def test_numpy_and_foreign_arrays_and_none_at_all_run_plainly() -> None:
    strict = pytest.importorskip("array_api_strict")
    np.testing.assert_array_equal(checkpoint(sines)(X), np.sin(X) * np.sin(X))
    assert float(checkpoint(total)(strict.asarray([1.0, 2.0]))) == 3.0
    assert checkpoint(math.sqrt)(4.0) == 2.0


def test_name_and_docstring_are_those_of_the_function() -> None:
    assert checkpoint(sines).__name__ == "sines"
    assert checkpoint(sines).__doc__ == sines.__doc__


def test_the_users_exception_passes_unwrapped(selector: polylux.ADType) -> None:
    def block(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        gradient(lambda x: total(checkpoint(block)(x)), selector, X)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(OptionError, match=r"call it as checkpoint\(f\)\(x\)"):
        checkpoint(3)  # type: ignore[arg-type]


def test_arrays_of_two_backends_are_refused() -> None:
    a, b = (to_backend(X, s) for s in (AutoTorch(), AutoAutograd()))
    with pytest.raises(ArrayMixError, match="checkpoint got arrays of different libraries"):
        checkpoint(lambda x, y: x)(a, b)


def test_a_result_of_another_library_is_named() -> None:
    with pytest.raises(ArrayMixError, match=r"returned a numpy\.ndarray at \['a'\]"):
        checkpoint(lambda x: {"a": np.ones(2)})(to_backend(X, AutoTorch()))


def test_a_backend_without_it_names_those_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = polylux.registry.load_backend("autograd")
    monkeypatch.setattr(type(backend), "capabilities", frozenset())
    with pytest.raises(UnsupportedError, match=r"without checkpoint, or use AutoTorch\(\)"):
        checkpoint(sines)(to_backend(X, AutoAutograd()))
