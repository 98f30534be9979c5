"""What JAX's errors become: mixed libraries, traced control flow, leaks, given-away buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from polylux.errors import ArrayMixError, GivenAwayError, LeakedTracerError, UnsupportedError
from polylux_jax._backend import JaxBackend

BACKEND = JaxBackend()
X = jnp.ones(3)


def raised(function: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


def jitted(function: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: jax.jit(lambda x: function(x))(X)


@pytest.mark.parametrize("call", [
    pytest.param(jitted(np.exp), id="numpy function"),
    pytest.param(lambda: jax.grad(lambda x: np.tanh(x).sum())(X), id="inside a gradient"),
    pytest.param(jitted(lambda x: np.ones(3)[:, None] + np.asarray(x)), id="np.asarray"),
])  # fmt: skip
def test_a_numpy_function_on_a_traced_value_says_how_to_write_it(call: Callable[[], Any]) -> None:
    found = BACKEND.diagnose(raised(call))
    assert isinstance(found, ArrayMixError)
    assert "xp = array_namespace(x)" in str(found)
    assert "xp.asarray(constant, dtype=x.dtype)" in str(found)


@pytest.mark.parametrize("call", [
    pytest.param(jitted(lambda x: x if x.sum() > 0 else -x), id="if"),
    pytest.param(jitted(lambda x: float(x.sum())), id="float"),
    pytest.param(jitted(lambda x: x[0].item()), id="item"),
    pytest.param(jitted(lambda x: [1, 2][x[0].astype(int)]), id="index of a list"),
    pytest.param(jitted(lambda x: x[x > 0]), id="boolean mask"),
    pytest.param(jitted(lambda x: jnp.nonzero(x)), id="data-dependent shape"),
])  # fmt: skip
def test_control_flow_on_traced_values_is_unsupported_with_a_remedy(call: Any) -> None:
    found = BACKEND.diagnose(raised(call))
    assert isinstance(found, UnsupportedError)
    assert "xp.where(condition, a, b)" in str(found)
    assert "AutoJax(jit=False)" in str(found)


@pytest.mark.parametrize("transform", [jax.jit, jax.grad], ids=["jit", "grad"])
def test_a_leaked_tracer_is_named_so(transform: Any) -> None:
    kept = []

    def function(x: Any) -> Any:
        kept.append(x * 2)
        return jnp.sum(x)

    transform(function)(X)
    found = BACKEND.diagnose(raised(lambda: kept[0] + 1))
    assert isinstance(found, LeakedTracerError)
    assert "return it from the objective" in str(found)


@pytest.mark.parametrize("use", [
    pytest.param(lambda x: x + 1, id="eager"),
    pytest.param(lambda x: jax.jit(lambda a: a * 2)(x), id="jit"),
    pytest.param(np.asarray, id="numpy"),
])  # fmt: skip
def test_a_donated_array_is_given_away(use: Any) -> None:
    x = jnp.ones(3)
    jax.jit(lambda a: a + 1, donate_argnums=0)(x)
    found = BACKEND.diagnose(raised(lambda: use(x)))
    assert isinstance(found, GivenAwayError)
    assert "go on with the train state" in str(found)


@pytest.mark.parametrize("call", [
    pytest.param(jitted(lambda x: x * (1, 2, 3)), id="a tuple as an operand"),
    pytest.param(jitted(lambda x: jnp.multiply(x, [1, 2, 3])), id="a list as an argument"),
    pytest.param(jitted(lambda x: x @ jnp.ones(4)), id="shapes"),
    pytest.param(lambda: {}["key"], id="no matter of arrays"),
])  # fmt: skip
def test_a_users_own_mistake_is_left_as_it_is(call: Callable[[], Any]) -> None:
    assert BACKEND.diagnose(raised(call)) is None
