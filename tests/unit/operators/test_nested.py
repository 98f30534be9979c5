"""Operators inside what is differentiated: each case against its closed form, on each backend."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from polylux import (
    AutoAutograd,
    AutoTorch,
    TrainState,
    array_namespace,
    compute_gradients,
    derivative,
    gradient,
    hessian,
    hvp,
    jacobian,
    pullback,
    pushforward,
    second_derivative,
    selector_of,
    to_host,
)
from polylux.optimizers import SGD

W = np.asarray([1.0, -2.0, 3.0])
X = np.asarray([0.5, 1.5, -1.0])


def penalty(w, x):
    """|d/dx of sum(w x**2) / 2|**2 = sum((w x)**2)."""
    slope = gradient(lambda z: (w * z * z).sum() / 2, selector_of(x), x)
    return (slope**2).sum()


def squared_hessian(x, w):
    """The Hessian of sum(w x**3) is diag(6 w x): 36 w**2 x**2, summed."""
    return (hessian(lambda z: (w * z**3).sum(), selector_of(x), x) ** 2).sum()


def squared_jacobian(x, w):
    """The Jacobian of w x**2 is diag(2 w x): 4 w**2 x**2, summed."""
    return (jacobian(lambda z: w * z**2, selector_of(x), x) ** 2).sum()


def squared_product(x, w):
    """The Hessian of sum(w x**3) times x and times 2 x: 5 * 36 w**2 x**4, summed."""
    directions = array_namespace(x).stack([x, 2 * x])
    found = hvp(lambda z: (w * z**3).sum(), selector_of(x), x, directions, batched=True)
    return (found**2).sum()


def both_ways(x, w):
    """Forward and back through w x**2, along x: (2 w x**2) (2 w x**2), summed."""
    f, selector = lambda z: w * z**2, selector_of(x)
    return (pushforward(f, selector, x, x) * pullback(f, selector, x, x)).sum()


def residual(p, t):
    """u'' + u' + u of u = a sin(b t), squared: an ordinary differential equation as a loss."""
    xp = array_namespace(t)

    def u(t):
        return p["a"] * xp.sin(p["b"] * t)

    selector = selector_of(t)
    return (second_derivative(u, selector, t) + derivative(u, selector, t) + u(t)) ** 2


CASES = {
    "gradient penalty": (penalty, W, X, 2 * W * X**2),
    "hessian": (squared_hessian, X, W, 72 * W**2 * X),
    "jacobian": (squared_jacobian, X, W, 8 * W**2 * X),
    "several hvps": (squared_product, X, W, 720 * W**2 * X**3),
    "pushforward and pullback": (both_ways, X, W, 16 * W**2 * X**3),
}
each_case = pytest.mark.parametrize(("f", "x", "constant", "expected"), CASES.values(), ids=CASES)


@each_case
def test_gradient_of_what_holds_derivatives(selector, f, x, constant, expected, close):
    close(gradient(f, selector, x, constant), expected, np.abs(expected))


@each_case
def test_pushforward_of_what_holds_derivatives(selector, f, x, constant, expected, close):
    found = pushforward(f, selector, x, np.ones(3), constant)
    close(found, expected.sum(), 4 * np.abs(expected).sum())


def test_hessian_of_a_gradient_penalty(in_mode, close):
    close(hessian(penalty, in_mode, W, X), np.diag(2 * X**2), np.diag(2 * X**2))


def slopes_of_residual(a, b, t):
    s, c = np.sin(b * t), np.cos(b * t)
    inner = [a * (1 - b**2) * s, a * b * c]
    by_a = [(1 - b**2) * s, b * c]
    by_b = [-2 * a * b * s, a * (1 - b**2) * t * c, a * c, -a * b * t * s]
    return [2 * sum(inner) * sum(by_a), 2 * sum(inner) * sum(by_b)], [
        2 * np.abs(inner).sum() * np.abs(part).sum() for part in (by_a, by_b)
    ]


def test_physics_informed_loss(in_mode, close):
    found = gradient(residual, in_mode, {"a": 1.3, "b": 0.7}, np.asarray(0.4))
    expected, terms = slopes_of_residual(1.3, 0.7, 0.4)
    close(found["a"], expected[0], terms[0])
    close(found["b"], expected[1], terms[1])


def test_physics_informed_loss_in_training(selector, close):
    def objective(model, ps, st, t):
        return residual(ps, t), st, {}

    ps = {"a": np.asarray(1.3), "b": np.asarray(0.7)}
    state = TrainState(lambda x, ps, st: (x, st), ps, {}, SGD(0.1))
    grads = compute_gradients(selector, objective, np.asarray(0.4), state).grads
    expected, terms = slopes_of_residual(1.3, 0.7, 0.4)
    close(grads["a"], expected[0], terms[0])
    close(grads["b"], expected[1], terms[1])


def test_fourth_derivative_by_nesting(in_mode, close):
    def second(t):
        return second_derivative(lambda u: u**6, selector_of(t), t)

    close(second_derivative(second, in_mode, 2.0), 360 * 4.0, 360 * 4.0)


def test_derivatives_under_compiled_torch(close):
    compiled = AutoTorch(compile={"backend": "eager"})  # inductor's own time is of no use here
    for f, x, constant, expected in CASES.values():
        close(gradient(f, compiled, x, constant), expected, np.abs(expected))
    close(hessian(penalty, compiled, W, X), np.diag(2 * X**2), np.diag(2 * X**2))
    for mode in ("forward", "reverse"):
        selector = AutoTorch(compile={"backend": "eager"}, mode=mode)
        close(gradient(penalty, selector, W, X), 2 * W * X**2, 2 * np.abs(W) * X**2)
        close(jacobian(lambda x: x**2, selector, X), np.diag(2 * X), np.diag(np.abs(2 * X)))


def test_a_hessian_compiled_by_inductor(close):
    found = hessian(penalty, AutoTorch(compile=True), W, X)
    close(found, np.diag(2 * X**2), np.diag(2 * X**2))


@pytest.mark.parametrize("selector", [AutoAutograd(), AutoTorch()], ids=["autograd", "torch"])
def test_two_threads_at_once(selector):
    wrong = []

    def work(scale):
        for _ in range(20):
            found = to_host(hessian(penalty, selector, W, X * scale))
            product = to_host(hvp(penalty, selector, W, np.ones(3), X * scale))
            if not (
                np.allclose(found, np.diag(2 * (X * scale) ** 2), rtol=1e-14)
                and np.allclose(product, 2 * (X * scale) ** 2, rtol=1e-14)
            ):
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(scale,)) for scale in (1.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_tensors_of_torch_s_own_graph_flow_through():
    import torch

    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    found = pushforward(lambda z: z**3, AutoTorch(), x * 2, torch.ones(2))  # 3 (2 x)**2
    (slope,) = torch.autograd.grad(found.sum(), x)
    assert slope.tolist() == [24.0, 48.0]
