"""Derivatives of leaves against closed forms; nesting, zeros, fresh buffers, no tracers left."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from polylux.selectors import AutoJax
from polylux_jax._backend import JaxBackend

BACKEND = JaxBackend()
JAX = AutoJax()


def cubes(x: Any, y: Any) -> tuple[Any, tuple[Any, ...]]:
    return jnp.sum(x * x * x) + jnp.sum(y), (2 * x,)


def cubes_map(x: Any, y: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    value, aux = cubes(x, y)
    return (value,), aux


X, Y = jnp.asarray([1.0, -2.0]), jnp.asarray([[3.0]])


def test_value_gradient_and_auxiliary_output() -> None:
    value, (gx, gy), (aux,) = BACKEND.value_and_gradient(cubes, (X, Y), JAX)
    assert float(value) == 1 - 8 + 3
    assert gx.tolist() == [3.0, 12.0]
    assert gy.tolist() == [[1.0]]
    assert aux.tolist() == [2.0, -4.0]


def test_a_leaf_that_is_not_used_gets_zeros() -> None:
    _, (_, gy), _ = BACKEND.value_and_gradient(lambda x, y: (jnp.sum(x), ()), (X, Y), JAX)
    assert gy.tolist() == [[0.0]]


def test_a_constant_function_has_zero_gradients() -> None:
    value, (gx, _), _ = BACKEND.value_and_gradient(
        lambda x, y: (jnp.asarray(2.0), ()), (X, Y), JAX
    )
    assert gx.tolist() == [0.0, 0.0]
    assert not value.weak_type


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_gradients_have_the_dtype_of_their_leaf(dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        leaves = (jnp.asarray([1, 2], dtype=dtype), jnp.asarray([3], dtype=dtype))
        value, gradients, _ = BACKEND.value_and_gradient(cubes, leaves, JAX)
    assert [str(a.dtype) for a in (value, *gradients)] == [dtype] * 3


def test_gradients_of_mixed_dtypes_keep_each_leafs() -> None:
    leaves = (jnp.asarray([1.0], jnp.float16), jnp.asarray([1.0], jnp.float32))
    _, gradients, _ = BACKEND.value_and_gradient(
        lambda a, b: (jnp.sum(a * b), ()), leaves, JAX
    )
    assert [str(g.dtype) for g in gradients] == ["float16", "float32"]


def test_no_two_gradients_share_a_buffer() -> None:
    _, gradients, _ = BACKEND.value_and_gradient(
        lambda a, b: (jnp.sum(a + b), ()), (X, X + 1), JAX
    )
    assert len({g.unsafe_buffer_pointer() for g in gradients}) == 2


def test_no_tracer_escapes() -> None:
    value, gradients, aux = BACKEND.value_and_gradient(cubes, (X, Y), JAX)
    assert not any(isinstance(a, jax.core.Tracer) for a in (value, *gradients, *aux))


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_derivatives_nest_to_the_third_order(wrap: Any) -> None:
    def derivative(f: Any) -> Any:
        return lambda x: BACKEND.value_and_gradient(lambda t: (f(t), ()), (x,), JAX)[1][0]

    third = wrap(derivative(derivative(derivative(lambda x: x * x * x * x))))
    assert float(third(jnp.float32(2))) == 48.0  # 24 x


def test_a_gradient_inside_another_stays_differentiable_through_value_and_aux() -> None:
    def outer(x: Any) -> tuple[Any, tuple[()]]:
        value, (slope,), (aux,) = BACKEND.value_and_gradient(
            lambda t: (x * t * t, (x * t,)), (x,), JAX
        )
        return value + slope + aux, ()

    # x**3 + 2 x**2 + x**2
    _, (gradient,), _ = BACKEND.value_and_gradient(outer, (jnp.float32(2),), JAX)
    assert float(gradient) == 3 * 4 + 6 * 2


def test_forward_over_reverse_is_a_hessian_vector_product() -> None:
    def gradient(x: Any) -> tuple[Any, tuple[()]]:
        return BACKEND.value_and_gradient(lambda t: (jnp.sum(t * t * t), ()), (x,), JAX)[1], ()

    _, (product,), _ = BACKEND.pushforward(gradient, (X,), (jnp.asarray([1.0, 10.0]),), JAX)
    assert product.tolist() == [6.0, -120.0]  # 6 x v


def test_pullback_is_linear_in_the_cotangent() -> None:
    (value,), pull, (aux,) = BACKEND.pullback(cubes_map, (X, Y), JAX)
    once, thrice = pull((jnp.float32(1),)), pull((jnp.float32(3),))
    assert float(value) == -4
    assert aux.tolist() == [2.0, -4.0]
    for a, b in zip(once, thrice, strict=True):
        np.testing.assert_array_equal(3 * a, b)


def test_pushforward_is_the_gradient_along_the_tangents() -> None:
    tangents = (jnp.asarray([1.0, 0.5]), jnp.asarray([[2.0]]))
    (value,), (tangent,), (aux,) = BACKEND.pushforward(cubes_map, (X, Y), tangents, JAX)
    assert float(value) == -4
    assert float(tangent) == 3 * 1 + 12 * 0.5 + 2
    assert aux.tolist() == [2.0, -4.0]


def test_an_exception_of_the_function_passes_through() -> None:
    error = KeyError("mine")

    def fails(x: Any) -> Any:
        raise error

    with pytest.raises(KeyError) as caught:
        BACKEND.value_and_gradient(fails, (X,), JAX)
    assert caught.value is error
