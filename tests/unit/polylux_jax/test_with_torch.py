"""JAX beside torch: tensors taken over, and tensors that strayed into JAX code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from polylux.errors import ArrayMixError
from polylux.selectors import AutoJax
from polylux_jax._backend import JaxBackend

BACKEND = JaxBackend()
JAX = AutoJax()
X = jnp.ones(3)
TENSOR = torch.ones(3)


def raised(function: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


def jitted(function: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: jax.jit(lambda x: function(x))(X)


def test_tensors_are_not_owned() -> None:
    assert not BACKEND.owns(torch.Tensor)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.bool]
)
def test_from_foreign_keeps_dtype_and_values_and_shares_nothing(dtype: torch.dtype) -> None:
    tensor = torch.ones(64, 64, dtype=dtype)
    (array,) = BACKEND.from_foreign([tensor], JAX) or [None]
    tensor.zero_()
    assert str(array.dtype) == str(dtype).removeprefix("torch.")
    assert array.unsafe_buffer_pointer() != tensor.data_ptr()
    assert set(BACKEND.to_host([array])[0].astype(float).ravel().tolist()) == {1.0}


def test_from_foreign_keeps_every_digit_of_float64() -> None:
    tensor = torch.tensor([0.1, 1e300], dtype=torch.float64)
    (array,) = BACKEND.from_foreign([tensor], JAX) or [None]
    assert np.asarray(array).tolist() == [0.1, 1e300]


def test_from_foreign_takes_a_transposed_tensor() -> None:
    (array,) = BACKEND.from_foreign([torch.arange(6.0).reshape(2, 3).T], JAX) or [None]
    assert array.tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize("tensor", [
    pytest.param(torch.ones(1, 3).expand(2, 3), id="expanded"),
    pytest.param(torch.ones(3, requires_grad=True), id="in a graph"),
    pytest.param(torch.tensor([2**40]), id="int64"),
])  # fmt: skip
def test_from_foreign_leaves_the_rest_to_the_host(tensor: torch.Tensor) -> None:
    assert BACKEND.from_foreign([tensor], JAX) is None


@pytest.mark.parametrize("call", [
    pytest.param(jitted(lambda x: TENSOR * x), id="tensor * traced"),
    pytest.param(jitted(lambda x: x @ TENSOR), id="traced @ tensor"),
    pytest.param(lambda: X + TENSOR, id="array + tensor"),
    pytest.param(lambda: TENSOR + X, id="tensor + array"),
    pytest.param(jitted(torch.exp), id="torch function"),
    pytest.param(jitted(lambda x: jnp.multiply(x, TENSOR)), id="jax function"),
])  # fmt: skip
def test_a_tensor_in_jax_code_is_a_mix_of_arrays(call: Callable[[], Any]) -> None:
    found = BACKEND.diagnose(raised(call))
    assert isinstance(found, ArrayMixError)
    assert "another library" in str(found)
    assert "to_backend(constant, AutoJax())" in str(found)
