"""Derivatives of the linear algebra extension against central differences and closed forms."""

import math

import numpy as np
import pytest

pytest.importorskip("autograd")

import polylux_autograd.array_api as xp
from polylux_autograd._tracing import pullback, pushforward

la = xp.linalg
rng = np.random.default_rng(7)
SQUARE = rng.standard_normal((3, 3)) + 2 * np.eye(3)
BATCH = rng.standard_normal((2, 3, 3)) + 2 * np.eye(3)
TALL = rng.standard_normal((4, 3))
WIDE = rng.standard_normal((2, 3, 5))
VECTOR = rng.standard_normal(3)


def spd(x):
    return x @ xp.matrix_transpose(x) + xp.eye(x.shape[-1], dtype=x.dtype)


def symmetric(x):
    return x + xp.matrix_transpose(x)




def _projector(u, k):
    return u[..., :, k:] @ xp.matrix_transpose(u[..., :, k:])


def _eigh(x):
    w, v = la.eigh(symmetric(x))
    return w, (v * xp.exp(w / 10)[..., None, :]) @ v.mT


def _svd(x, full=False):
    u, s, vh = la.svd(x, full_matrices=full)
    k = s.shape[-1]
    core = (u[..., :, :k] * xp.sin(s)[..., None, :]) @ vh[..., :k, :]
    return s, core, (u[..., :, :k] * s[..., None, :] ** 2) @ u[..., :, :k].mT


def _full_svd(x):
    u, _, vh = la.svd(x, full_matrices=True)
    k = min(x.shape[-2:])
    return _projector(u, k), _projector(vh.mT, k)


CASES = {
    "cholesky": (lambda x: la.cholesky(spd(x)), (SQUARE,)),
    "cholesky upper batch": (lambda x: la.cholesky(spd(x), upper=True), (BATCH,)),
    "cross": (lambda x, y: la.cross(x, y), (SQUARE, VECTOR)),
    "cross axis": (lambda x, y: la.cross(x, y, axis=0), (SQUARE, BATCH[0])),
    "det": (la.det, (SQUARE,)),
    "det batch": (la.det, (BATCH,)),
    "diagonal": (lambda x: la.diagonal(x * x, offset=1), (WIDE,)),
    "diagonal below": (lambda x: la.diagonal(x * x, offset=-1), (TALL,)),
    "eigh": (_eigh, (SQUARE,)),
    "eigh vectors": (lambda x: la.eigh(symmetric(x))[1] ** 2, (BATCH,)),
    "eigvalsh": (lambda x: la.eigvalsh(symmetric(x)), (BATCH,)),
    "inv": (la.inv, (BATCH,)),
    "matmul": (la.matmul, (TALL, SQUARE)),
    "matrix_power": (lambda x: la.matrix_power(x, 3), (BATCH,)),
    "matrix_power negative": (lambda x: la.matrix_power(x, -2), (SQUARE,)),
    "outer": (la.outer, (VECTOR, TALL[:, 0])),
    "pinv tall": (la.pinv, (TALL,)),
    "pinv wide": (la.pinv, (WIDE,)),
    "qr": (lambda x: tuple(la.qr(x)), (TALL,)),
    "qr complete": (
        lambda x: (la.qr(x, mode="complete").R, _projector(la.qr(x, mode="complete").Q, 3)),
        (TALL,)),
    "qr wide": (lambda x: tuple(la.qr(x)), (WIDE,)),
    "qr square batch": (lambda x: tuple(la.qr(x)), (BATCH,)),
    "slogdet": (lambda x: la.slogdet(x).logabsdet, (BATCH,)),
    "solve": (la.solve, (BATCH, BATCH[::-1].copy())),
    "solve vector": (la.solve, (SQUARE, VECTOR)),
    "solve batch of one vector": (la.solve, (BATCH, VECTOR)),
    "solve broadcast": (la.solve, (SQUARE, BATCH)),
    "svd tall": (_svd, (TALL,)),
    "svd wide": (_svd, (WIDE,)),
    "svd full tall": (lambda x: _svd(x, full=True), (TALL,)),
    "svd null spaces": (_full_svd, (TALL,)),
    "svd null spaces wide": (_full_svd, (WIDE,)),
    "svd vectors": (lambda x: tuple(f**2 for f in la.svd(x)), (SQUARE,)),
    "svdvals": (la.svdvals, (WIDE,)),
    "trace": (lambda x: la.trace(x * x, offset=1), (WIDE,)),
    "vecdot": (la.vecdot, (TALL, VECTOR)),
    "tensordot": (lambda x, y: la.tensordot(x, y, axes=1), (TALL, BATCH[0])),
    "matrix_transpose": (lambda x: la.matrix_transpose(x * x), (WIDE,)),
    **{f"matrix_norm {ord}": (lambda x, ord=ord: la.matrix_norm(x, ord=ord), (WIDE,))
       for ord in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf, None)},
    "matrix_norm kept": (lambda x: la.matrix_norm(x, ord="nuc", keepdims=True), (WIDE,)),
    **{f"vector_norm {ord}": (lambda x, ord=ord: la.vector_norm(x, axis=1, ord=ord), (WIDE,))
       for ord in (1, 2, 3, 2.5, -2, math.inf, -math.inf)},
    "vector_norm whole": (lambda x: la.vector_norm(x), (WIDE,)),
    "vector_norm kept": (lambda x: la.vector_norm(x, axis=(0, 2), keepdims=True, ord=3), (WIDE,)),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives_of_linear_algebra(check, name):
    f, arrays = CASES[name]
    check(f, arrays)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_slope_of_the_determinant_of_a_singular_matrix_is_its_cofactors(n):
    a = np.random.default_rng(n).standard_normal((n, n))
    a[-1] = a[0] * 0
    minors = np.array([
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)]
        for i in range(n)
    ])
    _, (got,) = pullback(la.det, [a], np.array(1.0))
    np.testing.assert_allclose(np.asarray(got), minors, atol=1e-12)
    t = np.ones((n, n))
    assert float(pushforward(la.det, [a], [t])[1]) == pytest.approx(minors.sum(), abs=1e-11)


def test_second_derivative_of_a_singular_determinant():
    def slope(a):
        return pullback(la.det, [a], np.array(1.0))[1][0]

    a = np.array([[1.0, 2.0], [2.0, 4.0]])
    t = np.array([[0.3, -1.0], [0.5, 2.0]])
    # the cofactors of a 2 x 2 matrix are linear: [[d, -c], [-b, a]]
    expected = [[2.0, -0.5], [1.0, 0.3]]
    np.testing.assert_allclose(np.asarray(pushforward(slope, [a], [t])[1]), expected, atol=1e-14)


def test_equal_eigenvalues_leave_a_finite_gradient_of_what_does_not_need_the_vectors():
    _, (got,) = pullback(lambda x: xp.sum(la.eigvalsh(x) ** 2), [np.eye(3) * 2], np.array(1.0))
    np.testing.assert_allclose(np.asarray(got), 4 * np.eye(3), atol=1e-12)
    _, (got,) = pullback(lambda x: la.matrix_norm(x, ord="nuc"), [np.eye(3)], np.array(1.0))
    np.testing.assert_allclose(np.asarray(got), np.eye(3), atol=1e-12)


@pytest.mark.parametrize("ord", [1, 2, 3, math.inf])
def test_slope_of_a_norm_at_zero_is_zero(ord):
    _, (got,) = pullback(lambda x: la.vector_norm(x, ord=ord), [np.zeros(3)], np.array(1.0))
    np.testing.assert_array_equal(np.asarray(got), np.zeros(3))


def test_matrix_rank_and_the_sign_of_the_determinant_are_constants():
    def f(x):
        return la.slogdet(x).sign * 3.0 + la.matrix_rank(x)

    _, (got,) = pullback(f, [SQUARE], np.array(1.0))
    np.testing.assert_array_equal(np.asarray(got), np.zeros((3, 3)))
