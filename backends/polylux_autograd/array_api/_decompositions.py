"""Matrix decompositions: Cholesky, eigenvalues of Hermitian matrices, QR, singular values.

For all but Cholesky the forward rule is written and the reverse rule is its transpose, found by
tracing it.  Where singular values or eigenvalues coincide the vectors are not differentiable; their
share of the derivative is then left out, which is right for functions that do not depend on the
choice of vectors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._array import Array, lift
from ._elementwise import conj, real
from ._linear_products import matmul, matrix_transpose
from ._manipulation import concat, expand_dims, tril, triu
from ._numpy import npx
from ._rules import primitive, transposed
from ._searching import where

__all__ = ["adjoint", "cholesky", "eigh", "eigvalsh", "qr", "svd", "svdvals"]


def adjoint(x: Any) -> Any:
    """Conjugate transpose."""
    return conj(matrix_transpose(x)) if x.dtype.kind == "c" else matrix_transpose(x)


def _hermitian_part(x: Any) -> Any:
    return (x + adjoint(x)) * 0.5


def _diagonal_of(x: Any) -> Any:
    from ._solvers import diagonal

    return diagonal(x)


def _as_diagonal(x: Any) -> Any:
    """Matrices with the vectors of `x` on their diagonals."""
    n = x.shape[-1]
    return expand_dims(x, -1) * Array(np.eye(n, dtype=x.dtype))


def _half_lower(x: Any) -> Any:
    """The lower triangle with half of the diagonal."""
    mask = np.tril(np.ones(x.shape[-2:], x.dtype)) - 0.5 * np.eye(x.shape[-1], dtype=x.dtype)
    return x * Array(mask.astype(x.dtype))


def _cholesky_jvp(t: Any, ans: Any, x: Any) -> Any:
    # Murray (2016), eq. 8, with the tangent made symmetric
    from ._solvers import solve

    t = _hermitian_part(t)
    inner = adjoint(solve(ans, adjoint(solve(ans, t))))
    return matmul(ans, _half_lower(inner))


_cholesky: Any = primitive(
    "cholesky",
    lambda x: npx.linalg.cholesky(x),
    [transposed(_cholesky_jvp)],
    [_cholesky_jvp],
)


def cholesky(x: Any, /, *, upper: bool = False) -> Any:
    """The triangular factor of positive definite matrices."""
    factor = _cholesky(lift(x))
    return adjoint(factor) if upper else factor


def _gap_reciprocals(s: Any) -> Any:
    """1 / (s_j - s_i), and 0 on the diagonal and where two values coincide."""
    gaps = expand_dims(s, -2) - expand_dims(s, -1)
    same = gaps == 0
    return where(same, 0, 1 / where(same, 1, gaps))


def _eigh_jvp(t: Any, ans: Any, x: Any) -> Any:
    values, vectors = ans
    inner = matmul(adjoint(vectors), matmul(_hermitian_part(t), vectors))
    change = matmul(vectors, inner * _gap_reciprocals(values))
    return real(_diagonal_of(inner)), change


_eigh: Any = primitive(
    "eigh", lambda x: tuple(npx.linalg.eigh(x)), [transposed(_eigh_jvp)], [_eigh_jvp],
    multiple=True,
)


class EighResult(NamedTuple):
    """Result of `eigh`."""

    eigenvalues: Any
    eigenvectors: Any


def eigh(x: Any, /) -> EighResult:
    """Eigenvalues, in ascending order, and eigenvectors of Hermitian matrices."""
    return EighResult(*_eigh(lift(x)))


def eigvalsh(x: Any, /) -> Any:
    """Eigenvalues of Hermitian matrices, in ascending order."""
    x = lift(x)
    return Array(npx.linalg.eigvalsh(x._data)) if type(x) is Array else _eigh(x)[0]


def _qr_jvp(t: Any, ans: Any, x: Any, *, mode: str) -> Any:
    from ._solvers import inverse_or_nan

    q, r = ans
    n = x.shape[-1]
    square = r[..., :n, :]
    q_t = matmul(adjoint(q), t)
    inverse = inverse_or_nan(square)
    inner = matmul(q_t, inverse)  # = rotation + change of r relative to r
    if mode == "complete":
        top, below = inner[..., :n, :], inner[..., n:, :]
        rotation = _rotation_of(top)
        extra = q.shape[-1] - n
        corner = Array(np.zeros((*x.shape[:-2], extra, extra), x.dtype))
        rotation = concat(
            [
                concat([rotation, -adjoint(below)], axis=-1),
                concat([below, corner], axis=-1),
            ],
            axis=-2,
        )
        dq = matmul(q, rotation)
        return dq, triu(q_t - matmul(rotation, r))
    rotation = _rotation_of(inner)
    dq = matmul(q, rotation - inner) + matmul(t, inverse)
    return dq, triu(matmul(inner - rotation, r))


def _rotation_of(inner: Any) -> Any:
    """The skew-Hermitian matrix with the strictly lower triangle (and phases) of `inner`."""
    lower = tril(inner, k=-1)
    rotation = lower - adjoint(lower)
    if inner.dtype.kind == "c":
        from ._elementwise import imag

        rotation = rotation + _as_diagonal(imag(_diagonal_of(inner)) * 1j)
    return rotation


_qr: Any = primitive(
    "qr",
    lambda x, *, mode: tuple(npx.linalg.qr(x, mode=mode)),
    [transposed(_qr_jvp)],
    [_qr_jvp],
    multiple=True,
)


class QRResult(NamedTuple):
    """Result of `qr`."""

    Q: Any
    R: Any


def qr(x: Any, /, *, mode: str = "reduced") -> QRResult:
    """Orthonormal and upper triangular factor."""
    x = lift(x)
    if type(x) is Array or 0 in x.shape:
        return QRResult(*[Array(f) for f in npx.linalg.qr(x._data, mode=mode)])
    m, n = x.shape[-2:]
    if m >= n:
        return QRResult(*_qr(x, mode=mode))
    # wide: the first columns fix Q, and R follows
    q, r = _qr(x[..., :m], mode="reduced")
    return QRResult(q, concat([r, matmul(adjoint(q), x[..., m:])], axis=-1))


def _svd_jvp(t: Any, ans: Any, x: Any, *, full_matrices: bool) -> Any:
    """Tangents of U, S, Vh; the choice of basis of a null space moves as little as possible."""
    u, s, vh = ans
    v = adjoint(vh)
    k = s.shape[-1]
    inner = matmul(adjoint(u), matmul(t, v))
    rows, columns = inner.shape[-2:]
    core = inner[..., :k, :k]
    ds = real(_diagonal_of(core))

    # u' dx v = R_u S + dS - S R_v with skew-Hermitian R_u, R_v; solved entry by entry
    n = rows if rows > columns else columns
    whole = _grown(inner, n)
    flipped = adjoint(whole)
    values = _padded(s, n)
    left, right = expand_dims(values, -1), expand_dims(values, -2)
    gaps = (right - left) * (right + left)
    same = gaps == 0
    scale = where(same, 0, 1 / where(same, 1, gaps))
    rotate_u = ((whole * right + flipped * left) * scale)[..., :rows, :rows]
    rotate_v = ((whole * left + flipped * right) * scale)[..., :columns, :columns]
    if x.dtype.kind == "c":
        from ._elementwise import imag

        positive = where(s == 0, 1, s)
        phases = _as_diagonal(imag(_diagonal_of(core)) / positive * 1j)
        rotate_u = rotate_u + _grown(phases, rows)
    du = matmul(u, rotate_u)
    dv = matmul(v, rotate_v)
    if not full_matrices:
        inverse = where(s == 0, 0, 1 / where(s == 0, 1, s))
        along = expand_dims(inverse, -2)
        if x.shape[-2] > k:
            t_v = matmul(t, v)
            du = du + (t_v - matmul(u, matmul(adjoint(u), t_v))) * along
        if x.shape[-1] > k:
            t_u = matmul(adjoint(t), u)
            dv = dv + (t_u - matmul(v, matmul(adjoint(v), t_u))) * along
    return du, ds, adjoint(dv)


def _padded(s: Any, n: int) -> Any:
    """The vectors of `s` with zeros up to length n."""
    missing = n - s.shape[-1]
    if missing == 0:
        return s
    return concat([s, Array(np.zeros((*s.shape[:-1], missing), s.dtype))], axis=-1)


def _grown(x: Any, n: int) -> Any:
    """The matrices of `x` with zeros up to n rows and columns."""
    rows, columns = x.shape[-2:]
    if columns < n:
        x = concat([x, Array(np.zeros((*x.shape[:-1], n - columns), x.dtype))], axis=-1)
    if rows < n:
        x = concat([x, Array(np.zeros((*x.shape[:-2], n - rows, n), x.dtype))], axis=-2)
    return x


_svd: Any = primitive(
    "svd",
    lambda x, *, full_matrices: tuple(npx.linalg.svd(x, full_matrices=full_matrices)),
    [transposed(_svd_jvp)],
    [_svd_jvp],
    multiple=True,
)


class SVDResult(NamedTuple):
    """Result of `svd`."""

    U: Any
    S: Any
    Vh: Any


def svd(x: Any, /, *, full_matrices: bool = True) -> SVDResult:
    """Singular values and vectors."""
    return SVDResult(*_svd(lift(x), full_matrices=full_matrices))


def svdvals(x: Any, /) -> Any:
    """Singular values in descending order."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.linalg.svdvals(x._data))
    return _svd(x, full_matrices=False)[1]
