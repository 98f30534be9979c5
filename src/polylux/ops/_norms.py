"""Euclidean lengths, without overflow, whose derivative at 0 is 0: norm and hypot."""

from __future__ import annotations

import operator
from typing import Any

from polylux.arrays import array_namespace, precision_scope
from polylux.errors import OptionError, ShapeError
from polylux.ops._native import detach
from polylux.ops._operands import operand, operands
from polylux.rules import custom_rule

Axes = tuple[int, ...]


def _direction(x: Any, length: Any, infinite: Any) -> Any:
    """`x / length`; 0 where the length is 0, the limit where it is infinite."""
    xp = array_namespace(x)
    is_finite = xp.logical_and(length != 0, xp.isfinite(length))
    safe = xp.where(is_finite, length, xp.ones_like(length))
    return xp.where(is_finite, x / safe, infinite)


def _infinite_direction(x: Any, length: Any, count: Any) -> Any:
    """Towards the infinite entries, all alike; 0 where the length is 0; NaN where it is NaN."""
    xp = array_namespace(x)
    sides = xp.where(x > 0, xp.ones_like(x), -xp.ones_like(x)) / xp.sqrt(count)
    sides = xp.where(xp.isinf(x), sides, xp.zeros_like(x))
    return xp.where(length == length, sides, length)


def _hypot_slopes(out: Any, x1: Any, x2: Any) -> tuple[Any, Any]:
    xp = array_namespace(x1, x2)
    one = xp.ones_like(x1)
    count = xp.where(xp.logical_and(xp.isinf(x1), xp.isinf(x2)), 2 * one, one)
    return (
        _direction(x1, out, _infinite_direction(x1, out, count)),
        _direction(x2, out, _infinite_direction(x2, out, count)),
    )


@custom_rule(derivative=_hypot_slopes, name="hypot")
def _hypot(x1: Any, x2: Any) -> Any:
    return array_namespace(x1, x2).hypot(x1, x2)


def _norm_pullback(residuals: Any, g: Any, *, axes: Axes) -> Any:
    x, length = residuals
    xp = array_namespace(x)
    infinities = xp.astype(xp.isinf(x), x.dtype)
    count = xp.sum(infinities, axis=axes, keepdims=True)
    count = xp.where(count == 0, xp.ones_like(count), count)
    return g * _direction(x, length, _infinite_direction(x, length, count))


@custom_rule(pullback=_norm_pullback, name="norm")
def _norm(x: Any, *, axes: Axes) -> Any:
    """The length along the axes, which are kept."""
    xp = array_namespace(x)
    # Divided by the largest entry, so that squares stay in range.
    magnitude = xp.max(detach(xp.abs(x)), axis=axes, keepdims=True)
    usable = xp.logical_and(magnitude > 0, xp.isfinite(magnitude))
    scale = xp.where(usable, magnitude, xp.ones_like(magnitude))
    scaled = x / scale
    squares = xp.sum(scaled * scaled, axis=axes, keepdims=True)
    safe = xp.where(squares == 0, xp.ones_like(squares), squares)
    length = xp.where(squares == 0, xp.zeros_like(squares), xp.sqrt(safe) * scale)
    return length, (x, length)


def hypot(x1: Any, x2: Any, /) -> Any:
    """The length of the vector (x1, x2), elementwise, without overflow.

    Parameters
    ----------
    x1, x2 : arrays or numbers
        At least one array; shapes that broadcast.

    Returns
    -------
    array
        inf where either is infinite. The derivative is the unit vector; both parts are 0 at
        (0, 0).

    Examples
    --------
    >>> import numpy as np
    >>> hypot(np.asarray([3.0, 0.0]), np.asarray([4.0, 0.0]))
    array([5., 0.])
    """
    return _hypot(*operands("hypot", x1, x2, floating=True))


def norm(x: Any, /, dim: int | Axes | None = None, keepdims: bool = False) -> Any:
    """The Euclidean length of `x`, over all axes or along some, without overflow.

    Parameters
    ----------
    x : array of a real dtype
    dim : int or tuple of ints, optional
        The axes that are summed over; all by default.
    keepdims : bool
        Keep them with length 1.

    Returns
    -------
    array
        The derivative is the unit vector, and 0 where the length is 0.

    Raises
    ------
    ShapeError
        If `x` has no such axis.

    Examples
    --------
    >>> import numpy as np
    >>> norm(np.asarray([[3.0, 4.0], [0.0, 0.0]]), dim=-1)
    array([5., 0.])
    """
    x = operands("norm", operand("norm", x), x, floating=True)[0]
    axes = _axes(x, dim)
    with precision_scope(x):
        xp = array_namespace(x)
        if 0 in [x.shape[axis] for axis in axes]:
            return xp.sum(x, axis=axes, keepdims=keepdims)
        if not axes:
            return xp.squeeze(_norm(xp.expand_dims(x, axis=0), axes=(0,)), axis=0)
        length = _norm(x, axes=axes)
        return length if keepdims else xp.squeeze(length, axis=axes)


def _axes(x: Any, dim: Any) -> Axes:
    if dim is None:
        return tuple(range(x.ndim))
    try:
        axes = tuple(map(operator.index, dim if isinstance(dim, tuple | list) else (dim,)))
    except TypeError:
        raise OptionError(f"norm(dim=...) takes an int or a tuple of ints, got {dim!r}") from None
    if not all(-x.ndim <= axis < x.ndim for axis in axes):
        raise ShapeError(f"an array of shape {tuple(x.shape)} has no axis {dim}")
    return tuple(axis % x.ndim for axis in axes)
