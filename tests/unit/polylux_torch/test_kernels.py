"""Native kernels: the neutral definitions, in value and in derivatives of both orders and modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import polylux
import polylux.losses  # registers its functions
from polylux.ops import natives
from polylux.selectors import AutoTorch
from polylux_torch._backend import TorchBackend
from polylux_torch._kernels import KERNELS

BACKEND = TorchBackend()
SELECTOR = AutoTorch()

ELEMENTWISE = ["relu", "tanh", "sigmoid", "silu", "softplus", "gelu", "log_sigmoid"]
POINTS = torch.tensor(
    [-100.0, -40.5, -39.5, -20.5, -19.5, -3.0, -1.0, -1e-3, 0.0, 1e-8, 0.5, 1.0, 3.0, 19.5, 20.5,
     39.5, 40.5, 100.0],
    dtype=torch.float64,
)  # fmt: skip

RNG = np.random.default_rng(7)


def random(*shape: int) -> torch.Tensor:
    return torch.from_numpy(RNG.normal(size=shape))


LOGITS, TARGET = random(4, 3), torch.softmax(random(4, 3), -1)

CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    **{name: (name, (POINTS,), {}) for name in ELEMENTWISE},
    "gelu, approximate": ("gelu", (POINTS,), {"approximate": True}),
    "softmax": ("softmax", (LOGITS,), {}),
    "softmax, first axis": ("softmax", (LOGITS,), {"dim": 0}),
    "log_softmax": ("log_softmax", (LOGITS,), {}),
    "log_softmax, first axis": ("log_softmax", (LOGITS,), {"dim": 0}),
    "dense": ("dense", (random(4, 3), random(3, 2), random(2)), {}),
    "dense, no bias": ("dense", (random(4, 3), random(3, 2), None), {}),
    "dense, one point": ("dense", (random(3), random(3, 2), random(2)), {}),
    "dense, two batch axes": ("dense", (random(2, 4, 3), random(3, 2), random(2)), {}),
    "dense, few outputs of many": ("dense", (random(2, 1024, 16), random(16, 3), random(3)), {}),
    "mse": ("mse", (LOGITS, TARGET), {}),
    "cross entropy": ("softmax_cross_entropy", (LOGITS, TARGET, -1), {}),
    "cross entropy, first axis": ("softmax_cross_entropy", (LOGITS, TARGET, 0), {}),
}


def derivatives(function: Callable[..., Any], x: Any, *rest: Any) -> list[Any]:
    """Value, and derivatives along fixed directions: first, and second in three nestings."""
    direction = torch.cos(torch.arange(x.numel(), dtype=x.dtype)).reshape(x.shape)

    def scalar(y: Any) -> Any:
        value = function(y, *rest)
        return (
            value * torch.sin(torch.arange(value.numel(), dtype=x.dtype) + 1).reshape(value.shape)
        ).sum()

    def grad(f: Callable[[Any], Any], y: Any) -> Any:
        return BACKEND.value_and_gradient(lambda z: (f(z), ()), (y,), SELECTOR)[1][0]

    def along(f: Callable[[Any], Any], y: Any) -> Any:
        return BACKEND.pushforward(lambda z: ((f(z),), ()), (y,), (direction,), SELECTOR)[1][0]

    return [
        function(x, *rest),
        grad(scalar, x),
        along(scalar, x),
        along(lambda y: grad(scalar, y), x),
        grad(lambda y: along(scalar, y), x),
        grad(lambda y: (grad(scalar, y) * direction).sum(), x),
    ]


@pytest.mark.parametrize(("name", "arguments", "options"), CALLS.values(), ids=CALLS.keys())
def test_kernel_is_the_neutral_definition_in_all_derivatives(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    def native(*args: Any) -> Any:
        return natives()[name](*args, **options)

    def neutral(*args: Any) -> Any:
        return natives()[name].neutral(*args, **options)

    for got, expected in zip(
        derivatives(native, *arguments), derivatives(neutral, *arguments), strict=True
    ):
        # 16 eps: a few roundings of numbers of size 1; in its tails torch keeps absolute digits.
        torch.testing.assert_close(got, expected, rtol=16 * 2**-52, atol=16 * 2**-52)


def test_every_kernel_is_a_function_that_the_core_may_override() -> None:
    assert set(KERNELS) <= set(natives())


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_kernel_keeps_short_dtypes_and_rounds_once(name: str, dtype: torch.dtype) -> None:
    x = POINTS[torch.abs(POINTS) < 20].to(dtype)
    got = KERNELS[name](x)
    exact = natives()[name].neutral(x.to(torch.float64))
    assert got.dtype == dtype
    # Two roundings of the largest intermediate number: of 1 + erf for gelu, which x multiplies.
    bound = 2 * torch.finfo(dtype).eps * torch.clamp(torch.abs(x.to(torch.float64)), min=1.0)
    assert torch.all(torch.abs(got.to(torch.float64) - exact) <= bound)


def test_relu_at_zero_is_flat_and_keeps_nan() -> None:
    x = torch.tensor([0.0, -0.0, float("nan")])
    (grad,) = BACKEND.value_and_gradient(
        lambda y: (KERNELS["relu"](y)[:2].sum(), ()), (x,), SELECTOR
    )[1]
    assert grad.tolist() == [0.0, 0.0, 0.0]
    assert torch.isnan(KERNELS["relu"](x)[2])


def test_softplus_has_all_digits_where_torch_s_own_switches_to_x() -> None:
    # log(1 + exp(20.5)) = 20.5 + exp(-20.5) + O(exp(-41)); torch's default threshold gives 20.5.
    x = torch.tensor(20.5, dtype=torch.float64)
    assert KERNELS["softplus"](x).item() == 20.5 + float(np.exp(-20.5))


@pytest.mark.parametrize("outputs", [1, 2, 11, 12])
def test_few_outputs_of_many_entries_are_exact_by_the_weight(outputs: int) -> None:
    # Whole numbers, so that sums are the same in any order.
    x = torch.round(4 * random(2048, 16))
    weight, seed = torch.round(4 * random(16, outputs)), torch.round(4 * random(2048, outputs))
    bias = torch.zeros(outputs, dtype=torch.float64)

    def dense(w: Any) -> Any:
        return natives()["dense"](x, w, bias)

    def total(w: Any) -> Any:
        return (seed * dense(w)).sum()

    def squares(w: Any) -> Any:
        return (dense(w) ** 2).sum()

    assert torch.equal(dense(weight), x @ weight)
    assert torch.equal(polylux.gradient(total, SELECTOR, weight), x.T @ seed)
    assert torch.equal(polylux.pushforward(dense, SELECTOR, weight, weight), x @ weight)
    assert torch.equal(polylux.hvp(squares, SELECTOR, weight, weight), 2 * x.T @ (x @ weight))
    both = torch.stack([weight, -weight])
    assert torch.equal(polylux.vmap(dense)(both), x @ both)
