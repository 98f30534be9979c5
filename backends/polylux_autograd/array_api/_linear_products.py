"""Products of matrices and vectors, and transposition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._array import Array, lift
from ._manipulation import expand_dims, moveaxis, permute_dims, reshape
from ._rules import binary, fit, linear

__all__ = ["matmul", "matrix_transpose", "outer", "tensordot", "transpose_all", "vecdot"]


def _matmul_rule1(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    if x1.ndim == 1:
        if x2.ndim == 1:
            return fit(g * x2, x1)
        return fit(matmul(x2, expand_dims(g, -1))[..., 0], x1)
    if x2.ndim == 1:
        return fit(expand_dims(g, -1) * x2, x1)
    return fit(matmul(g, matrix_transpose(x2)), x1)


def _matmul_rule2(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    if x2.ndim == 1:
        if x1.ndim == 1:
            return fit(g * x1, x2)
        return fit(matmul(matrix_transpose(x1), expand_dims(g, -1))[..., 0], x2)
    if x1.ndim == 1:
        return fit(expand_dims(x1, -1) * expand_dims(g, -2), x2)
    return fit(matmul(matrix_transpose(x1), g), x2)


matmul: Any = binary(
    "matmul",
    np.matmul,
    _matmul_rule1,
    _matmul_rule2,
    "Matrix product over the last two axes; a 1-d operand is a vector.",
    tangents=(
        lambda t, ans, x1, x2: matmul(t, x2),
        lambda t, ans, x1, x2: matmul(x1, t),
    ),
)


_transpose: Any = linear(
    "matrix_transpose", lambda x: x.swapaxes(-1, -2), lambda g, x: _transpose(g)
)


def matrix_transpose(x: Any, /) -> Any:
    """The last two axes exchanged."""
    if type(x) is not Array:
        x = lift(x)
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose needs at least two axes, got shape {x.shape}")
    return Array(x._data.swapaxes(-1, -2)) if type(x) is Array else _transpose(x)


def transpose_all(x: Any) -> Any:
    """The transpose of a two-dimensional array."""
    if x.ndim != 2:
        raise ValueError(f".T needs two axes, got shape {x.shape}; use .mT or permute_dims")
    return matrix_transpose(x)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Dot product along one axis, with the conjugate of `x1`."""
    from ._elementwise import conj
    from ._reductions import sum as total

    x1, x2 = lift(x1), lift(x2)
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"vecdot along axis {axis} of shapes {x1.shape} and {x2.shape}")
    if x1.ndim != x2.ndim:  # the standard counts the axis before broadcasting
        x1, x2 = moveaxis(x1, axis, -1), moveaxis(x2, axis, -1)
        axis = -1
    if x1.dtype.kind == "c":
        x1 = conj(x1)
    product = x1 * x2
    return total(product, axis=axis, dtype=product.dtype)


def outer(x1: Any, x2: Any, /) -> Any:
    """Product of every element of `x1` with every element of `x2`, both 1-d."""
    x1, x2 = lift(x1), lift(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer needs two 1-d arrays, got shapes {x1.shape} and {x2.shape}")
    return expand_dims(x1, 1) * x2


def tensordot(
    x1: Any, x2: Any, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2
) -> Any:
    """Sum of products over paired axes."""
    x1, x2 = lift(x1), lift(x2)
    n1, n2 = x1.ndim, x2.ndim
    if isinstance(axes, int):
        sum1, sum2 = list(range(n1 - axes, n1)), list(range(axes))
    else:
        sum1, sum2 = [a % n1 for a in axes[0]], [a % n2 for a in axes[1]]
    if [x1.shape[a] for a in sum1] != [x2.shape[a] for a in sum2]:
        raise ValueError(f"tensordot of shapes {x1.shape} and {x2.shape} over axes {axes}")
    free1 = [a for a in range(n1) if a not in sum1]
    free2 = [a for a in range(n2) if a not in sum2]
    shape1 = [x1.shape[a] for a in free1]
    shape2 = [x2.shape[a] for a in free2]
    inner = int(np.prod([x1.shape[a] for a in sum1], dtype=np.int64))
    rows = int(np.prod(shape1, dtype=np.int64))
    columns = int(np.prod(shape2, dtype=np.int64))
    left = reshape(permute_dims(x1, (*free1, *sum1)), (rows, inner))
    right = reshape(permute_dims(x2, (*sum2, *free2)), (inner, columns))
    return reshape(matmul(left, right), (*shape1, *shape2))


