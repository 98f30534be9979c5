"""Linear algebra without decompositions: inverses, determinants, diagonals, cross products."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._array import Array, lift
from ._broadcasting import broadcast_to
from ._decompositions import adjoint
from ._indexing import getitem
from ._linear_products import matmul, matrix_transpose
from ._manipulation import expand_dims, moveaxis, reshape
from ._numpy import npx
from ._reductions import sum as total
from ._rules import fit, primitive, transposed

_inv: Any = primitive(
    "inv",
    npx.linalg.inv,
    [lambda g, ans, x: -matmul(matrix_transpose(ans), matmul(g, matrix_transpose(ans)))],
    [lambda t, ans, x: -matmul(ans, matmul(t, ans))],
)


def inv(x: Any, /) -> Any:
    """Inverse of square matrices."""
    return _inv(lift(x))


def _solve_data(a: np.ndarray, b: np.ndarray) -> Any:
    return npx.linalg.solve(a, b)


def _solve_rule1(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    back = solve(matrix_transpose(x1), g)
    if x2.ndim == 1:
        return fit(-expand_dims(back, -1) * expand_dims(ans, -2), x1)
    return fit(-matmul(back, matrix_transpose(ans)), x1)


def _solve_tangent1(t: Any, ans: Any, x1: Any, x2: Any) -> Any:
    if x2.ndim == 1:
        return -_solve_columns(x1, matmul(t, expand_dims(ans, -1)))[..., 0]
    return -solve(x1, matmul(t, ans))


def _solve_columns(x1: Any, x2: Any) -> Any:
    return _solve(x1, x2)


_solve: Any = primitive(
    "solve",
    _solve_data,
    [
        _solve_rule1,
        lambda g, ans, x1, x2: fit(solve(matrix_transpose(x1), g), x2),
    ],
    [_solve_tangent1, lambda t, ans, x1, x2: solve(x1, t)],
)


def solve(x1: Any, x2: Any, /) -> Any:
    """The x for which `x1 @ x == x2`."""
    x1, x2 = lift(x1), lift(x2)
    if x2.ndim == 1 and x1.ndim > 2:
        # one right-hand side for a stack of matrices
        return _solve(x1, expand_dims(x2, -1))[..., 0]
    return _solve(x1, x2)


def _minors(x: Any) -> Any:
    """Cofactors of singular matrices, from the determinants of their minors."""
    n = x.shape[-1]
    if n == 1:
        return x * 0 + 1
    rest = np.array([[j for j in range(n) if j != i] for i in range(n)])
    rows, columns = rest[:, None, :, None], rest[None, :, None, :]
    sign = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    return det(getitem(x, (Ellipsis, rows, columns))) * Array(sign.astype(x.dtype))


def _cofactors(x: Any, ans: Any) -> Any:
    """Derivative of the determinant: its matrix of cofactors."""
    singular = ans._data == 0
    if not np.any(singular) and np.all(np.isfinite(ans._data)):
        try:
            return matrix_transpose(inv(x)) * expand_dims(expand_dims(ans, -1), -1)
        except np.linalg.LinAlgError:
            pass
    if type(x) is Array and x.shape[-1] > 3:
        u, s, vh = np.linalg.svd(x._data)
        n = s.shape[-1]
        others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(axis=-1)
        orientation = np.linalg.det(u) * np.linalg.det(vh)
        cofactors = (u * others[..., None, :]) @ vh * orientation[..., None, None]
        return Array(cofactors.conj().astype(x.dtype) if x.dtype.kind != "c" else cofactors)
    return _minors(x)


def _on_matrices(g: Any) -> Any:
    return reshape(g, (*g.shape, 1, 1))


_det: Any = primitive(
    "det",
    npx.linalg.det,
    [lambda g, ans, x: _on_matrices(g) * _cofactors(x, ans)],
    [lambda t, ans, x: total(t * _cofactors(x, ans), axis=(-2, -1))],
)


def det(x: Any, /) -> Any:
    """Determinant of square matrices; singular ones have their right derivative too."""
    return _det(lift(x))


def _slogdet_vjp(g: Any, ans: Any, x: Any) -> Any:
    grad = g[1]
    if grad is None:
        return x * 0
    return fit(_on_matrices(grad) * matrix_transpose(inverse_or_nan(x)), x)


def _slogdet_jvp(t: Any, ans: Any, x: Any) -> Any:
    from ._elementwise import real

    change = total(matrix_transpose(inverse_or_nan(x)) * t, axis=(-2, -1))
    return None, real(change) if change.dtype.kind == "c" else change


def inverse_or_nan(x: Any) -> Any:
    """The inverse, NaN if a matrix is singular: for derivatives that do not exist there."""
    try:
        return inv(x)
    except np.linalg.LinAlgError:
        return x * 0 + np.nan


_slogdet: Any = primitive(
    "slogdet", lambda x: tuple(npx.linalg.slogdet(x)), [_slogdet_vjp], [_slogdet_jvp],
    multiple=True,
)


class SlogdetResult(NamedTuple):
    """Result of `slogdet`."""

    sign: Any
    logabsdet: Any


def slogdet(x: Any, /) -> SlogdetResult:
    """Sign and logarithm of the absolute value of the determinant."""
    return SlogdetResult(*_slogdet(lift(x)))


def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonals of matrices."""
    x = lift(x)
    rows, columns = x.shape[-2:]
    start_row, start_column = (-offset, 0) if offset < 0 else (0, offset)
    n = max(0, min(rows - start_row, columns - start_column))
    key = (Ellipsis, np.arange(n) + start_row, np.arange(n) + start_column)
    return getitem(x, key)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Sum of the diagonal of matrices."""
    return total(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def _cross_data(a: np.ndarray, b: np.ndarray) -> Any:
    return npx.linalg.cross(a, b, axis=-1)


_cross: Any = primitive(
    "cross",
    _cross_data,
    [
        lambda g, ans, x1, x2: fit(_cross(x2, g), x1),
        lambda g, ans, x1, x2: fit(_cross(g, x1), x2),
    ],
    [lambda t, ans, x1, x2: _cross(t, x2), lambda t, ans, x1, x2: _cross(x1, t)],
)


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Cross product of 3-vectors that lie along an axis."""
    x1, x2 = lift(x1), lift(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(f"cross needs axes of length 3, got shapes {x1.shape} and {x2.shape}")
    return moveaxis(_cross(moveaxis(x1, axis, -1), moveaxis(x2, axis, -1)), -1, axis)


def matrix_power(x: Any, n: int, /) -> Any:
    """Square matrices multiplied by themselves; the inverse's powers for negative n."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.linalg.matrix_power(x._data, n))
    if n < 0:
        x, n = inv(x), -n
    if n == 0:
        return broadcast_to(Array(np.eye(x.shape[-1], dtype=x.dtype)), x.shape)
    result = None
    while n:
        if n & 1:
            result = x if result is None else matmul(result, x)
        n >>= 1
        if n:
            x = matmul(x, x)
    return result


def matrix_rank(x: Any, /, *, rtol: Any = None) -> Array:
    """Number of singular values above a tolerance."""
    limit = rtol if rtol is None or isinstance(rtol, float) else lift(rtol)._concrete()
    return Array(npx.linalg.matrix_rank(lift(x)._concrete(), rtol=limit))


def _pinv_jvp(t: Any, ans: Any, x: Any, *, rtol: Any) -> Any:
    # Golub and Pereyra (1973), eq. 4.12: the rank must be the same nearby
    h_t, h_p = adjoint(t), adjoint(ans)
    change = -matmul(ans, matmul(t, ans))
    left = matmul(ans, matmul(h_p, h_t))
    change = change + left - matmul(matmul(left, x), ans)
    right = matmul(h_t, matmul(h_p, ans))
    return change + right - matmul(ans, matmul(x, right))


_pinv: Any = primitive(
    "pinv",
    lambda x, *, rtol: npx.linalg.pinv(x, rtol=rtol),
    [transposed(_pinv_jvp)],
    [_pinv_jvp],
)


def pinv(x: Any, /, *, rtol: Any = None) -> Any:
    """Moore-Penrose inverse."""
    limit = rtol if rtol is None or isinstance(rtol, float) else lift(rtol)._concrete()
    return _pinv(lift(x), rtol=limit)


