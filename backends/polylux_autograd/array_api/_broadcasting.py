"""Broadcasting and its adjoint, summation over the broadcast axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._array import Array, lift
from ._numpy import sum_over
from ._rules import linear

__all__ = ["broadcast_arrays", "broadcast_to", "meshgrid", "spread", "sum_to"]

# Below this many elements writing a copy is faster than making numpy's zero-stride view.
_SMALL = 1 << 15


def spread_data(x: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Broadcast a numpy array; the result must not be written to."""
    size = 1
    for n in shape:
        size *= n
    if size > _SMALL:
        return np.broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


def sum_to_data(x: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Sum a numpy array over the axes along which `shape` would be broadcast to it."""
    extra = x.ndim - len(shape)
    if extra > 0:
        if x.shape[extra:] == shape:  # a bias: the usual case
            return sum_over(x, axis=0 if extra == 1 else tuple(range(extra)))
        x = sum_over(x, axis=tuple(range(extra)))
    axes = tuple([i for i, n in enumerate(shape) if n == 1 and x.shape[i] != 1])
    return sum_over(x, axis=axes, keepdims=True) if axes else x


def _spread(x: np.ndarray, *, shape: tuple[int, ...]) -> Any:
    return spread_data(x, shape)


def _sum_to(x: np.ndarray, *, shape: tuple[int, ...]) -> Any:
    return sum_to_data(x, shape)


spread: Any = linear("broadcast_to", _spread, lambda g, x, *, shape: sum_to(g, shape=x.shape))
sum_to: Any = linear("sum_to", _sum_to, lambda g, x, *, shape: spread(g, shape=x.shape))


def broadcast_to(x: Any, /, shape: tuple[int, ...]) -> Any:
    """`x` repeated along new axes and axes of length 1."""
    x = lift(x)
    shape = tuple(shape)
    if x.shape == shape:
        return x
    if np.broadcast_shapes(x.shape, shape) != shape:
        raise ValueError(f"an array of shape {x.shape} cannot be broadcast to {shape}")
    return spread(x, shape=shape)


def broadcast_arrays(*arrays: Any) -> list[Any]:
    """The arrays, all broadcast to their common shape."""
    lifted = [lift(x) for x in arrays]
    shape = np.broadcast_shapes(*[x.shape for x in lifted])
    return [broadcast_to(x, shape) for x in lifted]


def meshgrid(*arrays: Any, indexing: str = "xy") -> list[Any]:
    """Coordinate grids from one-dimensional coordinate vectors."""
    from ._manipulation import reshape

    if indexing not in ("xy", "ij"):
        raise ValueError(f'got indexing {indexing!r}, expected "xy" or "ij"')
    lifted = [lift(x) for x in arrays]
    if any(x.ndim != 1 for x in lifted):
        raise ValueError(f"meshgrid needs 1-d arrays, got shapes {[x.shape for x in lifted]}")
    order = list(range(len(lifted)))
    if indexing == "xy" and len(lifted) > 1:
        order[:2] = [1, 0]
    shape = [0] * len(lifted)
    for axis, x in zip(order, lifted, strict=True):
        shape[axis] = x.shape[0]
    grids = []
    for axis, x in zip(order, lifted, strict=True):
        own = [1] * len(lifted)
        own[axis] = x.shape[0]
        grids.append(broadcast_to(reshape(x, tuple(own)), tuple(shape)))
    return grids


def zeros_of(x: Any) -> Array:
    """An untraced array of zeros like `x`."""
    return Array(np.zeros(x.shape, x.dtype))
