"""Identities between operators, to rounding, of a function without a simple closed form."""

from __future__ import annotations

import numpy as np
import pytest

from polylux import array_namespace, hessian, hvp, jacobian, pullback, pushforward, to_host

EPSILON = np.finfo(np.float64).eps
RNG = np.random.default_rng(5)
X, V, W = RNG.normal(size=(3, 4))
U = RNG.normal(size=3)
WEIGHTS = RNG.normal(size=(4, 3))

# Sums of at most 4 products of numbers that took some 30 operations each.
ROUNDING = 100 * EPSILON


def layer(x, weights):
    xp = array_namespace(x)
    return xp.tanh(xp.exp(x / 3) @ weights) * xp.sum(x * x)


def energy(x, weights):
    return array_namespace(x).sum(layer(x, weights) ** 2)


def test_pullback_is_the_adjoint_of_the_pushforward(in_mode):
    pushed = to_host(pushforward(layer, in_mode, X, V, WEIGHTS))
    pulled = to_host(pullback(layer, in_mode, X, U, WEIGHTS))
    scale = np.abs(U) @ np.abs(pushed)
    assert U @ pushed == pytest.approx(V @ pulled, rel=0, abs=ROUNDING * scale)


def test_pushforward_and_pullback_are_products_with_the_jacobian(in_mode):
    matrix = to_host(jacobian(layer, in_mode, X, WEIGHTS))
    scale = np.abs(matrix).max()
    pushed = to_host(pushforward(layer, in_mode, X, V, WEIGHTS))
    pulled = to_host(pullback(layer, in_mode, X, U, WEIGHTS))
    np.testing.assert_allclose(pushed, matrix @ V, rtol=0, atol=ROUNDING * scale)
    np.testing.assert_allclose(pulled, U @ matrix, rtol=0, atol=ROUNDING * scale)


def test_pushforward_and_pullback_are_linear(in_mode):
    both = to_host(pushforward(layer, in_mode, X, np.stack([V, W, 2 * V - 3 * W]), WEIGHTS,
                               batched=True))  # fmt: skip
    scale = np.abs(both).max()
    np.testing.assert_allclose(both[2], 2 * both[0] - 3 * both[1], rtol=0, atol=ROUNDING * scale)
    t = U[::-1].copy()
    both = to_host(pullback(layer, in_mode, X, np.stack([U, t, 2 * U - 3 * t]), WEIGHTS,
                            batched=True))  # fmt: skip
    scale = np.abs(both).max()
    np.testing.assert_allclose(both[2], 2 * both[0] - 3 * both[1], rtol=0, atol=ROUNDING * scale)


def test_hessian_is_symmetric_and_hvp_its_product(in_mode):
    matrix = to_host(hessian(energy, in_mode, X, WEIGHTS))
    scale = np.abs(matrix).max()
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=ROUNDING * scale)
    product = to_host(hvp(energy, in_mode, X, V, WEIGHTS))
    np.testing.assert_allclose(product, matrix @ V, rtol=0, atol=ROUNDING * scale)
    # <w, H v> = <v, H w>
    other = to_host(hvp(energy, in_mode, X, W, WEIGHTS))
    assert W @ product == pytest.approx(V @ other, rel=0, abs=4 * ROUNDING * scale)
