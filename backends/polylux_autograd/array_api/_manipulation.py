"""Changing the arrangement of elements: shapes, axes, joining, repeating."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._array import Array, lift
from ._broadcasting import broadcast_to
from ._dtypes import promote_all
from ._indexing import take
from ._numpy import npx
from ._rules import fill, fit, linear, primitive

__all__ = ["concat", "expand_dims", "flip", "moveaxis", "permute_dims", "repeat", "reshape",
           "roll", "squeeze", "stack", "tile", "tril", "triu", "unstack"]

_reshape: Any = linear(
    "reshape",
    lambda x, *, shape: x.reshape(shape),
    lambda g, x, *, shape: _reshape(g, shape=x.shape),
)
_permute: Any = linear(
    "permute_dims",
    lambda x, *, axes: x.transpose(axes),
    lambda g, x, *, axes: _permute(g, axes=tuple(np.argsort(axes).tolist())),
)
_flip: Any = linear(
    "flip", lambda x, *, axis: np.flip(x, axis), lambda g, x, *, axis: _flip(g, axis=axis)
)
_roll: Any = linear(
    "roll",
    lambda x, *, shift, axis: np.roll(x, shift, axis),
    lambda g, x, *, shift, axis: _roll(g, shift=_opposite(shift), axis=axis),
)
_tril: Any = linear("tril", lambda x, *, k: np.tril(x, k), lambda g, x, *, k: _tril(g, k=k))
_triu: Any = linear("triu", lambda x, *, k: np.triu(x, k), lambda g, x, *, k: _triu(g, k=k))


def _opposite(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


def reshape(x: Any, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Any:
    """The same elements in another shape; one length may be -1."""
    x = lift(x)
    shape = (shape,) if isinstance(shape, int) else tuple(map(operator.index, shape))
    if copy is False and type(x) is Array:
        return Array(np.reshape(x._data, shape, copy=False))
    if copy and type(x) is Array:
        return Array(x._data.copy().reshape(shape))
    return Array(x._data.reshape(shape)) if type(x) is Array else _reshape(x, shape=shape)


def permute_dims(x: Any, /, axes: tuple[int, ...]) -> Any:
    """The axes in another order."""
    x = lift(x)
    axes = tuple(a + x.ndim if a < 0 else a for a in axes)
    return _permute(x, axes=axes)


def moveaxis(x: Any, source: Any, destination: Any, /) -> Any:
    """Some axes at new positions, the others in their order."""
    x = lift(x)
    n = x.ndim
    src = [source] if isinstance(source, int) else list(source)
    dst = [destination] if isinstance(destination, int) else list(destination)
    src, dst = [_axis(a, n) for a in src], [_axis(a, n) for a in dst]
    if len(src) != len(dst) or len(set(src)) < len(src) or len(set(dst)) < len(dst):
        raise ValueError(f"moveaxis needs as many distinct sources as destinations, got {source} "
                         f"and {destination}")
    order = [a for a in range(n) if a not in src]
    for to, origin_axis in sorted(zip(dst, src, strict=True)):
        order.insert(to, origin_axis)
    return _permute(x, axes=tuple(order))


def _axis(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise IndexError(f"got axis {axis} for an array of {ndim} axes")
    return axis % ndim


def expand_dims(x: Any, /, axis: int) -> Any:
    """A new axis of length 1."""
    x = lift(x)
    axis = _axis(axis, x.ndim + 1)
    return reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def squeeze(x: Any, /, axis: int | tuple[int, ...]) -> Any:
    """Without the given axes, which must have length 1."""
    x = lift(x)
    axes = {_axis(a, x.ndim) for a in ((axis,) if isinstance(axis, int) else axis)}
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"squeeze of axes {axis} in shape {x.shape}: their lengths must be 1")
    return reshape(x, tuple(n for a, n in enumerate(x.shape) if a not in axes))


def flip(x: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Any:
    """The elements in reverse order along the axes."""
    return _flip(lift(x), axis=axis)


def roll(x: Any, /, shift: Any, *, axis: Any = None) -> Any:
    """The elements moved along the axes; those that fall off come in on the other side."""
    shift = tuple(shift) if isinstance(shift, (list, tuple)) else operator.index(shift)
    return _roll(lift(x), shift=shift, axis=axis)


def tril(x: Any, /, *, k: int = 0) -> Any:
    """The lower triangle of matrices, with the k-th diagonal."""
    return _tril(lift(x), k=k)


def triu(x: Any, /, *, k: int = 0) -> Any:
    """The upper triangle of matrices, with the k-th diagonal."""
    return _triu(lift(x), k=k)


class _EveryArgument(Sequence[Any]):
    """One rule for any number of arguments: `rule(i, ...)` gives that of argument i."""

    def __init__(self, rule: Any) -> None:
        self._rule = rule

    def __getitem__(self, i: Any) -> Any:
        rule = self._rule
        return lambda g, ans, *arrays, **settings: rule(i, g, ans, arrays, **settings)

    def __len__(self) -> int:
        return 2**31


def _concat_data(*arrays: np.ndarray, axis: int) -> Any:
    return np.concatenate(_at_one_dtype(arrays), axis=axis)


def _stack_data(*arrays: np.ndarray, axis: int) -> Any:
    return np.stack(_at_one_dtype(arrays), axis=axis)


def _at_one_dtype(arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    dtypes = {a.dtype for a in arrays}
    if len(dtypes) < 2:
        return arrays
    common = promote_all([a.dtype for a in arrays])
    return [a.astype(common, copy=False) for a in arrays]


def _span(i: int, arrays: Sequence[Any], axis: int) -> tuple[Any, ...]:
    start = sum(a.shape[axis] for a in arrays[:i])
    return (slice(None),) * axis + (slice(start, start + arrays[i].shape[axis]),)


def _padded(t: Any, i: int, ans: Any, arrays: Sequence[Any], axis: int) -> Any:
    from ._indexing import _scatter

    return _scatter(fit(t, arrays[i]), key=_span(i, arrays, axis), shape=ans.shape)


_concat: Any = primitive(
    "concat",
    _concat_data,
    _EveryArgument(lambda i, g, ans, arrays, axis: fit(g[_span(i, arrays, axis)], arrays[i])),
    _EveryArgument(lambda i, t, ans, arrays, axis: fill(_padded(t, i, ans, arrays, axis), ans)),
)


def _layer(i: int, axis: int) -> tuple[Any, ...]:
    return (slice(None),) * axis + (i,)


def _stacked_tangent(i: int, t: Any, ans: Any, arrays: Sequence[Any], axis: int) -> Any:
    from ._indexing import _scatter

    return fill(_scatter(t, key=_layer(i, axis), shape=ans.shape), ans)


_stack: Any = primitive(
    "stack",
    _stack_data,
    _EveryArgument(lambda i, g, ans, arrays, axis: fit(g[_layer(i, axis)], arrays[i])),
    _EveryArgument(_stacked_tangent),
)


def concat(arrays: Any, /, *, axis: int | None = 0) -> Any:
    """The arrays joined along an axis; flattened first if the axis is None."""
    lifted = [lift(x) for x in arrays]
    if not lifted:
        raise ValueError("concat needs at least one array")
    if axis is None:
        lifted, axis = [reshape(x, (-1,)) for x in lifted], 0
    return _concat(*lifted, axis=_axis(axis, lifted[0].ndim))


def stack(arrays: Any, /, *, axis: int = 0) -> Any:
    """The arrays joined along a new axis."""
    lifted = [lift(x) for x in arrays]
    if not lifted:
        raise ValueError("stack needs at least one array")
    return _stack(*lifted, axis=_axis(axis, lifted[0].ndim + 1))


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices of `x` along an axis."""
    x = lift(x)
    axis = _axis(axis, x.ndim)
    return tuple(x[_layer(i, axis)] for i in range(x.shape[axis]))


def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    """Every element `repeats` times in a row."""
    x = lift(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = _axis(axis, x.ndim)
    n = x.shape[axis]
    if not isinstance(repeats, int):
        counts = lift(repeats)._concrete()
        index = np.repeat(np.arange(n), np.broadcast_to(counts, (n,)))
        return take(x, Array(index), axis=axis)
    if type(x) is Array:
        return Array(npx.repeat(x._data, repeats, axis=axis))
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    spread = broadcast_to(expand_dims(x, axis + 1), (*before, n, repeats, *after))
    return reshape(spread, (*before, n * repeats, *after))


def tile(x: Any, repetitions: tuple[int, ...], /) -> Any:
    """Copies of `x` side by side."""
    x = lift(x)
    counts = (repetitions,) if isinstance(repetitions, int) else tuple(repetitions)
    if type(x) is Array:
        return Array(np.tile(x._data, counts))
    ndim = max(len(counts), x.ndim)
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - x.ndim) + x.shape
    separate = reshape(x, tuple(m for n in shape for m in (1, n)))
    spread = broadcast_to(separate, tuple(m for r, n in zip(counts, shape, strict=True)
                                          for m in (r, n)))
    return reshape(spread, tuple(r * n for r, n in zip(counts, shape, strict=True)))
