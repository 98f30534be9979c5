"""Norms of vectors and matrices; the slope of a norm at 0 is 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._array import Array, lift
from ._decompositions import svdvals
from ._elementwise import abs as magnitude
from ._elementwise import conj
from ._manipulation import reshape
from ._numpy import npx
from ._reductions import _expand, _kept
from ._reductions import max as largest
from ._reductions import min as smallest
from ._reductions import sum as total
from ._rules import primitive
from ._searching import where

__all__ = ["matrix_norm", "vector_norm"]


def _vector_norm_data(x: np.ndarray, *, axis: Any, keepdims: bool, ord: float) -> Any:
    return npx.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)


def _direction(ans: Any, x: Any, axis: Any, ord: float) -> Any:
    """Derivative of the p-norm by each element (its conjugate for complex ones)."""
    size = reshape(ans, _kept(x.shape, axis))
    size = where(size == 0, 1, size)
    if ord == 2:
        return (conj(x) if x.dtype.kind == "c" else x) / size
    absolute = magnitude(x)
    zero = absolute == 0
    absolute = where(zero, 1, absolute)
    phase = (conj(x) if x.dtype.kind == "c" else x) / absolute
    if ord == 1:
        return phase
    return where(zero, 0, phase * (absolute / size) ** (ord - 1))


def _vjp(g: Any, ans: Any, x: Any, *, axis: Any, keepdims: bool, ord: float) -> Any:
    return _expand(g, kept=_kept(x.shape, axis), shape=x.shape) * _direction(ans, x, axis, ord)


def _jvp(t: Any, ans: Any, x: Any, *, axis: Any, keepdims: bool, ord: float) -> Any:
    from ._elementwise import real

    change = t * _direction(ans, x, axis, ord)
    return total(real(change) if x.dtype.kind == "c" else change, axis=axis, keepdims=keepdims)


_norm: Any = primitive("vector_norm", _vector_norm_data, [_vjp], [_jvp])


def vector_norm(
    x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: int | float = 2
) -> Any:
    """The p-norm over one or more axes."""
    x = lift(x)
    if type(x) is Array:
        return Array(_vector_norm_data(x._data, axis=axis, keepdims=keepdims, ord=ord))
    if ord == 0:
        return Array(_vector_norm_data(x._concrete(), axis=axis, keepdims=keepdims, ord=0))
    if axis == ():
        return magnitude(x)
    if ord == math.inf:
        return largest(magnitude(x), axis=axis, keepdims=keepdims)
    if ord == -math.inf:
        return smallest(magnitude(x), axis=axis, keepdims=keepdims)
    return _norm(x, axis=axis, keepdims=keepdims, ord=ord)


def matrix_norm(
    x: Any, /, *, keepdims: bool = False, ord: int | float | str | None = "fro"
) -> Any:
    """A norm of matrices: "fro", "nuc", or one induced by vector norms (1, 2, inf, negatives)."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.linalg.matrix_norm(x._data, keepdims=keepdims, ord=ord))
    if ord is None or ord == "fro":
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord == "nuc":
        out = total(svdvals(x), axis=-1)
    elif ord == 2:
        out = largest(svdvals(x), axis=-1)
    elif ord == -2:
        out = smallest(svdvals(x), axis=-1)
    elif ord in (1, -1, math.inf, -math.inf):
        sums = total(magnitude(x), axis=-2 if abs(ord) == 1 else -1)
        out = largest(sums, axis=-1) if ord > 0 else smallest(sums, axis=-1)
    else:
        raise ValueError(f'got ord {ord!r}, expected "fro", "nuc", 1, -1, 2, -2, inf or -inf')
    return reshape(out, (*out.shape, 1, 1)) if keepdims else out


