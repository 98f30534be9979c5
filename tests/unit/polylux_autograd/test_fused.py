"""A fused function: the same derivatives as its reference, by numpy code where that is enough."""

import numpy as np
import pytest

pytest.importorskip("autograd")

import polylux_autograd.array_api as xp
from polylux_autograd._fused import fused
from polylux_autograd._tracing import linearize, value_and_gradient

rng = np.random.default_rng(3)
X, W, B = rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), rng.standard_normal(2)
calls = []


def reference(x, w, b, *, scale=1.0):
    """x @ w + b, scaled."""
    calls.append("reference")
    return (x @ w + b) * scale


def forward(x, w, b, *, scale=1.0):
    if x.ndim != 2:
        return None
    calls.append("forward")
    return (x @ w + b) * scale, ()


def pullback(g, residuals, needed, x, w, b, *, scale=1.0):
    calls.append(f"pullback {needed}")
    g = g * scale
    return g @ w.T if needed[0] else None, x.T @ g, g.sum(axis=0)


dense = fused("dense", reference=reference, forward=forward, pullback=pullback)


@pytest.fixture(autouse=True)
def _fresh():
    calls.clear()


def test_all_derivatives_are_those_of_the_reference(check):
    check(lambda x, w, b: dense(x, w, b, scale=2.0), (X, W, B))


def test_gradient_uses_the_numpy_code_and_says_what_is_needed():
    def f(w, b):
        return xp.sum(dense(xp.asarray(X), w, b) ** 2), ()

    value_and_gradient(f, [W, B])
    assert calls == ["forward", "pullback [False, True, True]"]
    assert dense.__name__ == "dense"
    assert dense.__doc__ == reference.__doc__


def test_untraced_call_uses_the_numpy_code():
    np.testing.assert_allclose(np.asarray(dense(*map(xp.asarray, (X, W, B)))), X @ W + B)
    assert calls == ["forward"]


def test_declined_operands_go_to_the_reference():
    stacked = np.stack([X, X])
    (grad, *_) = linearize(dense, [stacked, W, B])[1](np.ones((2, 4, 2)))
    assert calls == ["reference"]
    assert grad.shape == stacked.shape


def test_traced_cotangent_differentiates_the_reference():
    _, pull = linearize(lambda w: dense(xp.asarray(X), w, xp.asarray(B)), [W])

    def f(g):
        return xp.sum(pull(g)[0] ** 2), ()

    _, (grad,), _ = value_and_gradient(f, [np.ones((4, 2))])
    np.testing.assert_allclose(np.asarray(grad), 2 * X @ (X.T @ np.ones((4, 2))))
