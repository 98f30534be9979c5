"""Eager derivatives: right, nestable, in fresh buffers, and the user's tensors untouched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from polylux.selectors import AutoTorch
from polylux_torch._backend import TorchBackend

BACKEND = TorchBackend()
SELECTOR = AutoTorch()

X = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
V = torch.tensor([1.0, 0.5, -2.0], dtype=torch.float64)


def gradient(function: Callable[..., Any], *leaves: Any) -> tuple[Any, ...]:
    return BACKEND.value_and_gradient(lambda *xs: (function(*xs), ()), leaves, SELECTOR)[1]


def derivative(function: Callable[[Any], Any], x: Any, v: Any) -> Any:
    return BACKEND.pushforward(lambda y: ((function(y),), ()), (x,), (v,), SELECTOR)[1][0]


def cubes(x: Any) -> Any:
    """Gradient 3 x**2, Hessian diag(6 x)."""
    return (x**3).sum()


def test_value_gradient_and_aux_are_constants() -> None:
    def function(x: Any) -> tuple[Any, tuple[Any, ...]]:
        return cubes(x), (2 * x,)

    value, (grad,), (aux,) = BACKEND.value_and_gradient(function, (X,), SELECTOR)
    torch.testing.assert_close(grad, 3 * X**2)
    torch.testing.assert_close(aux, 2 * X)
    assert value.item() == pytest.approx(float((X**3).sum()), rel=1e-15)
    assert not any(t.requires_grad for t in (value, grad, aux))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_gradient_has_the_dtype_of_its_leaf(dtype: torch.dtype) -> None:
    (grad,) = gradient(lambda x: (x.to(torch.float32) ** 2).sum(), torch.ones(2, dtype=dtype))
    assert grad.dtype == dtype
    assert grad.tolist() == [2.0, 2.0]


def test_unused_leaves_get_zeros() -> None:
    used, unused = gradient(lambda a, b: a.sum(), X, V)
    assert used.tolist() == [1.0, 1.0, 1.0]
    assert unused.tolist() == [0.0, 0.0, 0.0]


def test_value_without_any_leaf_has_zero_gradients() -> None:
    (grad,) = gradient(lambda x: torch.ones(()), X)
    assert grad.tolist() == [0.0, 0.0, 0.0]


SHARING: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda a, b: a.sum() + b.sum(),
    "both terms of a sum": lambda a, b: ((a + b) ** 2).sum(),
    "concatenated": lambda a, b: (torch.cat([a, b]) ** 2).sum(),
    "overlapping": lambda a, b: (
        (torch.cat([a, torch.zeros(1)]) + torch.cat([torch.zeros(1), b])) ** 2
    ).sum(),
    "reshaped": lambda a, b: (a.reshape(3, 1) ** 2).sum() + (b.expand(2, 3) ** 2).sum(),
}


@pytest.mark.parametrize("function", SHARING.values(), ids=SHARING.keys())
def test_gradients_share_no_memory(function: Callable[[Any, Any], Any]) -> None:
    a, b = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    first, second = gradient(function, a, b)
    expected = [first.tolist(), second.tolist()]
    for tensor in (first, second):
        assert tensor.is_contiguous()
    first.add_(100.0)
    assert second.tolist() == expected[1]
    second.add_(100.0)
    assert first.tolist() == [g + 100.0 for g in expected[0]]
    assert (a.tolist(), b.tolist()) == ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])


def test_gradient_of_a_transposed_leaf_is_contiguous() -> None:
    matrix = torch.arange(6.0).reshape(2, 3)
    (grad,) = gradient(lambda w: (w.mT**2).sum(), matrix)
    assert grad.is_contiguous()
    torch.testing.assert_close(grad, 2 * matrix)


@pytest.mark.parametrize(
    "aux_of",
    [lambda x: x, lambda x: x[1:], lambda x: x.detach(), lambda x: x.reshape(3, 1)],
    ids=["itself", "slice", "detached", "reshaped"],
)
def test_aux_that_holds_a_leaf_survives_a_change_of_it(aux_of: Callable[[Any], Any]) -> None:
    leaf = torch.tensor([1.0, 2.0, 3.0])
    _, _, (aux,) = BACKEND.value_and_gradient(lambda x: (x.sum(), (aux_of(x),)), (leaf,), SELECTOR)
    expected = aux.tolist()
    leaf.zero_()
    assert aux.tolist() == expected


def test_value_that_is_the_leaf_survives_a_change_of_it() -> None:
    leaf = torch.tensor(2.0)
    value, (grad,), _ = BACKEND.value_and_gradient(lambda x: (x, ()), (leaf,), SELECTOR)
    leaf.zero_()
    grad.zero_()
    assert value.item() == 2.0


def test_parameters_of_the_user_keep_their_flags_and_grad() -> None:
    parameter = torch.nn.Parameter(X.clone())
    value, (grad,), (aux,) = BACKEND.value_and_gradient(
        lambda x: (cubes(x), (x,)), (parameter,), SELECTOR
    )
    torch.testing.assert_close(grad, 3 * X**2)
    assert parameter.requires_grad
    assert parameter.grad is None
    assert not any(t.requires_grad for t in (value, grad, aux))


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_contexts_of_the_user_do_not_switch_derivatives_off(context: Any) -> None:
    with context():
        x = torch.ones(2)
        (grad,) = gradient(cubes, x)
        tangent = derivative(cubes, x, torch.ones(2))
        (value,), pull, _ = BACKEND.pullback(lambda y: ((cubes(y),), ()), (x,), SELECTOR)
        (pulled,) = pull((torch.ones(()),))
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert grad.tolist() == pulled.tolist() == [3.0, 3.0]
    assert (tangent.item(), value.item()) == (6.0, 2.0)
    assert not grad.is_inference()


def test_grad_mode_is_what_it_was_after_an_error() -> None:
    def fails(x: Any) -> Any:
        raise KeyError("mine")

    with torch.no_grad():
        with pytest.raises(KeyError, match="mine"):
            gradient(fails, X)
        assert not torch.is_grad_enabled()
    assert not BACKEND.is_tracing()


def test_tracing_is_seen_inside_a_derivative_only() -> None:
    seen = []

    def function(x: Any) -> Any:
        seen.append(BACKEND.is_tracing())
        return cubes(x)

    gradient(function, X)
    derivative(function, X, V)
    assert seen == [True, True]
    assert not BACKEND.is_tracing()


def test_value_hangs_on_no_graph() -> None:
    parameter = torch.nn.Parameter(X.clone())
    assert not BACKEND.value(cubes, (parameter,)).requires_grad


# --- nesting --------------------------------------------------------------------------------------


def test_gradients_nest_to_third_order() -> None:
    def first(x: Any) -> Any:
        return gradient(cubes, x)[0].sum()

    def second(x: Any) -> Any:
        return gradient(first, x)[0].sum()

    torch.testing.assert_close(gradient(first, X)[0], 6 * X)
    torch.testing.assert_close(gradient(second, X)[0], torch.full_like(X, 6.0))


def test_inner_gradient_leaves_out_the_outer_use_of_its_point() -> None:
    # d/dx [x * d/dy (x y) at y = x] = d/dx [x * x] = 2 x
    def outer(x: Any) -> Any:
        return x * gradient(lambda y: x * y, x)[0]

    (grad,) = gradient(outer, torch.tensor(3.0))
    assert grad.item() == 6.0


def test_inner_value_and_aux_stay_differentiable() -> None:
    def outer(x: Any) -> Any:
        value, _, (aux,) = BACKEND.value_and_gradient(
            lambda y: (cubes(y), (y * y,)), (x,), SELECTOR
        )
        return value + aux.sum()

    torch.testing.assert_close(gradient(outer, X)[0], 3 * X**2 + 2 * X)


def test_derivative_flows_through_captured_values() -> None:
    def outer(x: Any) -> Any:
        return gradient(lambda y: (x * y**2).sum(), V)[0].sum()  # sum of 2 x v

    torch.testing.assert_close(gradient(outer, X)[0], 2 * V)


def test_graph_of_torch_s_own_flows_through() -> None:
    x = X.clone().requires_grad_()
    (grad,) = gradient(cubes, x * 2)  # 3 (2 x)**2
    (second,) = torch.autograd.grad(grad.sum(), x)
    torch.testing.assert_close(second, 24 * X)


def product(x: Any) -> Any:
    """x0 x1 x2 + sum of sin: all second derivatives differ from zero."""
    return x.prod() + torch.sin(x).sum()


def hessian_times(v: Any) -> Any:
    a, b, c = X
    hessian = torch.stack(
        [torch.stack(row) for row in ((-a.sin(), c, b), (c, -b.sin(), a), (b, a, -c.sin()))]
    )
    return hessian @ v


NESTED: dict[str, Callable[[], Any]] = {
    "forward over reverse": lambda: derivative(lambda x: gradient(product, x)[0], X, V),
    "reverse over forward": lambda: gradient(lambda x: derivative(product, x, V), X)[0],
    "reverse over reverse": lambda: gradient(lambda x: gradient(product, x)[0] @ V, X)[0],
    "reverse over pullback": lambda: gradient(
        lambda x: (
            BACKEND.pullback(lambda y: ((product(y),), ()), (x,), SELECTOR)[1]((X.new_ones(()),))[0]
            @ V
        ),
        X,
    )[0],
}


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED.keys())
def test_modes_nest_in_each_other(nested: Callable[[], Any]) -> None:
    result = nested()
    assert not result.requires_grad
    torch.testing.assert_close(result, hessian_times(V), rtol=1e-14, atol=1e-15)


def test_forward_mode_nests_in_itself() -> None:
    second = derivative(lambda x: derivative(product, x, V), X, V)
    torch.testing.assert_close(second, V @ hessian_times(V), rtol=1e-14, atol=1e-15)


def test_forward_mode_over_an_operation_without_a_forward_rule() -> None:
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, cotangent: Any) -> Any:
            (x,) = ctx.saved_tensors
            return 3 * x**2 * cotangent

    tangent = derivative(lambda x: Cube.apply(x).sum(), X, V)
    torch.testing.assert_close(tangent, (3 * X**2 * V).sum())


# --- pullback and pushforward ---------------------------------------------------------------------


def test_pullback_is_linear_in_the_cotangent_and_can_be_called_again() -> None:
    (value,), pull, (aux,) = BACKEND.pullback(lambda x: ((cubes(x),), (x,)), (X,), SELECTOR)
    assert not value.requires_grad
    assert not aux.requires_grad
    for cotangent in (1.0, -2.0, 0.0):
        (pulled,) = pull((torch.tensor(cotangent, dtype=torch.float64),))
        torch.testing.assert_close(pulled, cotangent * 3 * X**2)
        assert not pulled.requires_grad


def test_pullback_can_be_differentiated_by_its_cotangent() -> None:
    _, pull, _ = BACKEND.pullback(lambda x: ((cubes(x),), ()), (X,), SELECTOR)
    (grad,) = gradient(lambda u: pull((u,))[0] @ V, torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(grad, (3 * X**2) @ V)


def test_pushforward_of_a_constant_is_zero() -> None:
    assert derivative(lambda x: torch.ones(()), X, V).item() == 0.0


def test_pushforward_returns_constants_of_its_own() -> None:
    (value,), (tangent,), (aux,) = BACKEND.pushforward(
        lambda x: ((cubes(x),), (x,)), (X,), (V,), SELECTOR
    )
    assert not any(t.requires_grad for t in (value, tangent, aux))
    assert aux.data_ptr() != X.data_ptr()
    torch.testing.assert_close(aux, X)


def test_threads_differentiate_at_once() -> None:
    wrong: list[Any] = []

    def work(seed: int) -> None:
        x = torch.full((4,), float(seed), dtype=torch.float64)
        for _ in range(50):
            (hessian,) = gradient(lambda y: gradient(cubes, y)[0].sum(), x)
            if not torch.equal(hessian, 6 * x) or BACKEND.is_tracing():
                wrong.append(hessian)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
