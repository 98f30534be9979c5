"""The namespace: what array_api_compat.torch gets wrong, put right, and dtypes kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from polylux_torch._namespace import namespace as xp

X = torch.tensor([-1.0, 2.0])


@pytest.mark.parametrize(
    "name", ["add", "subtract", "multiply", "divide", "maximum", "minimum", "pow", "logaddexp"]
)
@pytest.mark.parametrize(
    "other", [2.0, torch.tensor([1, 3]), torch.tensor(2), X], ids=["float", "int64", "0-d", "same"]
)
def test_float32_stays_float32_with_other_partners(name: str, other: Any) -> None:
    if name == "logaddexp" and isinstance(other, torch.Tensor):
        other = other.to(torch.float32)  # has no integer form
    result = getattr(xp, name)(X, other)
    assert result.dtype == torch.float32
    expected = getattr(np, name if name != "pow" else "power")(X.numpy(), np.asarray(other))
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6)  # 8 eps of float32


def test_binary_functions_promote_0d_arrays_as_the_standard_says() -> None:
    assert xp.add(X, torch.tensor(1.0, dtype=torch.float64)).dtype == torch.float64
    assert xp.where(X > 0, X, torch.tensor(1.0, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(), (4,)], ids=str)
def test_sign_can_be_traced_and_keeps_nan(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    values = torch.tensor([-2.0, 0.0, torch.nan, 3.0], dtype=dtype)
    for i in range(4):
        x = values if shape else values[i]
        expected = torch.tensor([-1.0, 0.0, torch.nan, 1.0], dtype=dtype)
        traced = make_fx(xp.sign, tracing_mode="fake")(torch.ones_like(x))(x)
        for got in (xp.sign(x), traced):
            torch.testing.assert_close(got, expected if shape else expected[i], equal_nan=True)
    assert xp.sign(torch.tensor([3, -2])).tolist() == [1, -1]


def test_where_takes_python_scalars() -> None:
    result = xp.where(X > 0, X, 0.0)
    assert result.dtype == torch.float32
    assert result.tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    "values", [np.arange(3.0)[::-1], np.broadcast_to(1.0, (3,)), np.float64(2.0)]
)
def test_asarray_takes_numpy_values_of_any_layout(values: Any) -> None:
    result = xp.asarray(values)
    assert result.dtype == torch.float64
    np.testing.assert_array_equal(result.numpy(), values)
    assert xp.asarray(values, dtype=torch.float32).dtype == torch.float32


def test_asarray_of_a_list_of_traced_scalars_is_differentiable() -> None:
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    y = xp.asarray([[x[0] * x[1], 1.0], [x[0], x[1]]])
    (gradient,) = torch.autograd.grad((y * y).sum(), x)
    # d/da, d/db of (ab)^2 + 1 + a^2 + b^2
    assert gradient.tolist() == [2 * 2 * 9 + 2 * 2, 2 * 3 * 4 + 2 * 3]


def test_asarray_copies_only_when_asked() -> None:
    assert xp.asarray(X) is X
    assert xp.asarray(X, copy=True).data_ptr() != X.data_ptr()


def test_isdtype_answers_as_the_standard_says() -> None:
    assert xp.isdtype(torch.float32, "real floating")
    assert xp.isdtype(torch.int8, ("bool", "signed integer"))
    assert not xp.isdtype(torch.uint16, "signed integer")


@pytest.mark.parametrize("name", ["linalg", "fft", "__array_namespace_info__", "pi", "float32"])
def test_extensions_and_constants_are_there(name: str) -> None:
    assert hasattr(xp, name)
