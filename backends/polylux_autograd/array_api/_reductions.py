"""Reductions and cumulative functions: sums, products, extremes, moments, differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._array import Array, Box, lift
from ._broadcasting import broadcast_to, spread_data
from ._dtypes import as_dtype
from ._manipulation import concat, flip, moveaxis, reshape
from ._numpy import npx, sum_over
from ._rules import linear, primitive

__all__ = ["all", "any", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod",
           "std", "sum", "var"]


def _kept(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """The shape of a reduction that keeps its axes with length 1."""
    if axis is None:
        return (1,) * len(shape)
    axes = (axis,) if isinstance(axis, int) else axis
    n = len(shape)
    marks = {a % n for a in axes} if n else set()
    return tuple([1 if i in marks else m for i, m in enumerate(shape)])


def _count(shape: tuple[int, ...], axis: Any) -> int:
    count = 1
    for n, kept in zip(shape, _kept(shape, axis), strict=True):
        count *= 1 if kept == n else n
    return count


def _sum_data(x: np.ndarray, *, axis: Any, keepdims: bool) -> Any:
    return sum_over(x, axis=axis, keepdims=keepdims)


def _expand_data(
    g: np.ndarray, *, kept: tuple[int, ...], shape: tuple[int, ...]
) -> Any:
    return spread_data(g.reshape(kept), shape)


_expand: Any = linear(
    "expand", _expand_data,
    lambda g, x, *, kept, shape: reshape(
        _sum(g, axis=tuple(i for i, n in enumerate(kept) if n == 1 and shape[i] != 1),
             keepdims=True),
        x.shape,
    ),
)


def _sum_transpose(g: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    return _expand(g, kept=_kept(x.shape, axis), shape=x.shape)


_sum: Any = linear("sum", _sum_data, _sum_transpose)


def sum(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """Sum of the elements."""
    if type(x) is not Array and type(x) is not Box:
        x = lift(x)
    if dtype is not None:
        from ._casting import astype

        if type(x) is Array:
            return Array(npx.sum(x._data, axis=axis, dtype=as_dtype(dtype), keepdims=keepdims))
        x = astype(x, dtype, copy=False)
    if type(x) is Array:
        return Array(sum_over(x._data, axis=axis, keepdims=keepdims))
    return _sum(x, axis=axis, keepdims=keepdims)


def _mean_data(x: np.ndarray, *, axis: Any, keepdims: bool) -> Any:
    if x.dtype.char == "e":  # numpy sums float16 means in float32, as `mean` does
        return np.mean(x, axis=axis, keepdims=keepdims)
    n = _count(x.shape, axis)
    if n == 0:
        return npx.mean(x, axis=axis, keepdims=keepdims)
    total = sum_over(x, axis=axis, keepdims=keepdims)
    return total / n


_mean: Any = linear(
    "mean",
    _mean_data,
    lambda g, x, *, axis, keepdims: _expand(
        g * (1.0 / _count(x.shape, axis)), kept=_kept(x.shape, axis), shape=x.shape
    ),
)


def mean(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Arithmetic mean of the elements."""
    return _mean(lift(x), axis=axis, keepdims=keepdims)


def _centred(x: Any, axis: Any) -> Any:
    return x - mean(x, axis=axis, keepdims=True)


def _var_vjp(g: Any, ans: Any, x: Any, *, axis: Any, correction: float, keepdims: bool) -> Any:
    g = _expand(g, kept=_kept(x.shape, axis), shape=x.shape)
    return g * (_centred(x, axis) * (2.0 / (_count(x.shape, axis) - correction)))


def _var_jvp(t: Any, ans: Any, x: Any, *, axis: Any, correction: float, keepdims: bool) -> Any:
    weighted = t * _centred(x, axis)
    scale = 2.0 / (_count(x.shape, axis) - correction)
    return sum(weighted, axis=axis, keepdims=keepdims) * scale


_var: Any = primitive(
    "var",
    lambda x, *, axis, correction, keepdims: npx.var(
        x, axis=axis, correction=correction, keepdims=keepdims),
    [_var_vjp],
    [_var_jvp],
)


def var(
    x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Any:
    """Variance of the elements: squared deviations over their number minus `correction`."""
    x = lift(x)
    if type(x) is Box and _count(x.shape, axis) == correction:
        centred = _centred(x, axis)  # numpy's division by zero, with no rule to divide in
        return sum(centred * centred, axis=axis, keepdims=keepdims) / 0.0
    return _var(x, axis=axis, correction=correction, keepdims=keepdims)


def _std_scale(ans: Any, n: float) -> Any:
    """1 / (n std), and 0 where the deviation is 0: the middle of the cone."""
    from ._searching import where

    zero = ans == 0
    return where(zero, 0, 1 / (where(zero, 1, ans) * n))


def _std_vjp(g: Any, ans: Any, x: Any, *, axis: Any, correction: float, keepdims: bool) -> Any:
    scaled = g * _std_scale(ans, _count(x.shape, axis) - correction)
    return _expand(scaled, kept=_kept(x.shape, axis), shape=x.shape) * _centred(x, axis)


def _std_jvp(t: Any, ans: Any, x: Any, *, axis: Any, correction: float, keepdims: bool) -> Any:
    scale = _std_scale(ans, _count(x.shape, axis) - correction)
    return sum(t * _centred(x, axis), axis=axis, keepdims=keepdims) * scale


_std: Any = primitive(
    "std",
    lambda x, *, axis, correction, keepdims: npx.std(
        x, axis=axis, correction=correction, keepdims=keepdims),
    [_std_vjp],
    [_std_jvp],
)


def std(
    x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Any:
    """Standard deviation of the elements; its slope where it is 0 is 0."""
    x = lift(x)
    if type(x) is Box and _count(x.shape, axis) == correction:
        from ._elementwise import sqrt

        return sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))
    return _std(x, axis=axis, correction=correction, keepdims=keepdims)


def _shares(ans: Any, x: Any, axis: Any) -> Array:
    """Which elements reach the extreme, each with its equal share of the slope."""
    data = x._data
    hits = (data == ans._data.reshape(_kept(data.shape, axis))).astype(data.dtype)
    return Array(hits / sum_over(hits, axis=axis, keepdims=True))


def _extreme_vjp(g: Any, ans: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    g = _expand(g, kept=_kept(x.shape, axis), shape=x.shape)
    return g * _shares(ans, x, axis)


def _extreme_jvp(t: Any, ans: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    return sum(t * _shares(ans, x, axis), axis=axis, keepdims=keepdims)


_max: Any = primitive(
    "max", lambda x, *, axis, keepdims: npx.max(x, axis=axis, keepdims=keepdims),
    [_extreme_vjp], [_extreme_jvp],
)
_min: Any = primitive(
    "min", lambda x, *, axis, keepdims: npx.min(x, axis=axis, keepdims=keepdims),
    [_extreme_vjp], [_extreme_jvp],
)


def max(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest element; elements that tie share the slope equally."""
    return _max(lift(x), axis=axis, keepdims=keepdims)


def min(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Smallest element; elements that tie share the slope equally."""
    return _min(lift(x), axis=axis, keepdims=keepdims)


def all(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Whether every element is true."""
    return Array(npx.all(lift(x)._concrete(), axis=axis, keepdims=keepdims))


def any(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Whether some element is true."""
    return Array(npx.any(lift(x)._concrete(), axis=axis, keepdims=keepdims))


def prod(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """Product of the elements; its derivatives are right whatever elements are 0."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.prod(x._data, axis=axis, dtype=as_dtype(dtype), keepdims=keepdims))
    if dtype is not None:
        from ._casting import astype

        x = astype(x, dtype, copy=False)
    shape = x.shape
    kept = _kept(shape, axis)
    marked = [i for i, n in enumerate(kept) if n == 1 and shape[i] != 1]
    free = [i for i in range(len(shape)) if i not in marked]
    x = moveaxis(x, tuple(marked), tuple(range(len(shape) - len(marked), len(shape))))
    x = reshape(x, (*[shape[i] for i in free], _count(shape, axis)))
    # products of halves: multiplications only, so zeros need no case of their own
    n = x.shape[-1]
    if n == 0:
        x = Array(np.ones((*x.shape[:-1], 1), x.dtype))
    while n > 1:
        half = n // 2
        paired = x[..., :half] * x[..., half : 2 * half]
        x = concat([paired, x[..., 2 * half :]], axis=-1) if n % 2 else paired
        n = n - half
    x = reshape(x, kept)
    if keepdims:
        return x
    axes = range(len(shape)) if axis is None else [
        a % len(shape) for a in ((axis,) if isinstance(axis, int) else axis)]
    return reshape(x, tuple(m for i, m in enumerate(kept) if i not in axes))


_cumulative: Any = linear(
    "cumulative_sum",
    lambda x, *, axis: np.cumsum(x, axis=axis, dtype=x.dtype),
    lambda g, x, *, axis: flip(_cumulative(flip(g, axis=axis), axis=axis), axis=axis),
)


def _one_axis(x: Any, axis: int | None) -> Any:
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"an axis is needed for an array of shape {x.shape}")
        return 0
    if not -x.ndim <= axis < x.ndim:
        raise IndexError(f"got axis {axis} for an array of {x.ndim} axes")
    return axis % x.ndim


def _with_initial(x: Any, axis: int, value: int) -> Any:
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    return concat([Array(np.full(shape, value, x.dtype)), x], axis=axis)


def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Sums of the elements up to each."""
    from ._casting import astype

    x = lift(x)
    if type(x) is Array:
        return Array(npx.cumulative_sum(
            x._data, axis=axis, dtype=as_dtype(dtype), include_initial=include_initial))
    axis = _one_axis(x, axis)
    x = x if dtype is None else astype(x, dtype, copy=False)
    out = _cumulative(x, axis=axis) if type(x) is Box else cumulative_sum(x, axis=axis)
    return _with_initial(out, axis, 0) if include_initial else out


def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Products of the elements up to each; its derivatives are right whatever elements are 0."""
    from ._casting import astype

    x = lift(x)
    if type(x) is Array:
        return Array(npx.cumulative_prod(
            x._data, axis=axis, dtype=as_dtype(dtype), include_initial=include_initial))
    axis = _one_axis(x, axis)
    x = x if dtype is None else astype(x, dtype, copy=False)
    # doubling: after the step of width w, element i holds the product of the last 2w up to i
    width, n = 1, x.shape[axis]
    before = (slice(None),) * axis
    while width < n:
        later, earlier = x[(*before, slice(width, n))], x[(*before, slice(0, n - width))]
        x = concat([x[(*before, slice(0, width))], later * earlier], axis=axis)
        width *= 2
    return _with_initial(x, axis, 1) if include_initial else x


def diff(
    x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None
) -> Any:
    """The n-th differences of neighbours along an axis."""
    x = lift(x)
    axis = _one_axis(x, axis)
    parts = []
    for part in (prepend, x, append):
        if part is not None:
            part = lift(part)
            if part.ndim == 0:
                part = broadcast_to(part, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))
            parts.append(part)
    if len(parts) > 1:
        x = concat(parts, axis=axis)
    if x.dtype.kind == "b":
        return Array(np.diff(x._data, n=n, axis=axis))
    before = (slice(None),) * axis
    for _ in range(n):
        x = x[(*before, slice(1, None))] - x[(*before, slice(None, -1))]
    return x


