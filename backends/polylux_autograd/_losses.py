"""The mean of a loss's items as one node of the tape, by the loss's own rule, block by block.

An operation on a whole batch writes an array that is larger than the processor's caches, into
memory that the system has to clear first: in numpy that costs several times the arithmetic. So the
rule runs on pieces that stay in the cache, items and slopes at once, and only slopes are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from polylux_autograd import array_api as xp
from polylux_autograd._fused import fused
from polylux_autograd._tracing import stop_gradient
from polylux_autograd.array_api._array import Array

Data = np.ndarray[Any, Any]

_FULL = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
_BLOCK = 8192  # entries: ten arrays of them are within 1 MB, and a call's own cost is small


def _reference(
    prediction: Any, target: Any, rule: Any, dim: int | None = None, **settings: Any
) -> Any:
    items = rule(prediction, stop_gradient(target), **settings)
    return xp.mean(items if dim is None else xp.sum(items, axis=dim))


def _fits(prediction: Data, target: Data) -> bool:
    return (
        prediction.dtype in _FULL
        and prediction.dtype == target.dtype
        and prediction.shape == target.shape
        and prediction.size > 0
    )


def _blocks(prediction: Data, target: Data) -> Iterator[tuple[slice, Data, Data]]:
    p, t = prediction.reshape(-1), target.reshape(-1)
    for start in range(0, p.size, _BLOCK):
        place = slice(start, start + _BLOCK)
        yield place, p[place], t[place]


def _count(prediction: Data, dim: int | None) -> int:
    return prediction.size // (1 if dim is None else prediction.shape[dim])


def _value(
    prediction: Data, target: Data, rule: Any, dim: int | None = None, **settings: Any
) -> Any:
    total = 0.0
    with np.errstate(all="ignore"):  # infinite items are results, not accidents
        for _, p, t in _blocks(prediction, target):
            total += float(np.add.reduce(rule.plain(p, t, **settings)))
    return prediction.dtype.type(total / _count(prediction, dim))


def _forward(
    prediction: Data, target: Data, rule: Any, dim: int | None = None, **settings: Any
) -> Any:
    if not _fits(prediction, target):
        return None
    total, count = 0.0, _count(prediction, dim)
    each = prediction.dtype.type(1 / count)
    slopes = np.empty(prediction.size, prediction.dtype)
    forward, pullback = rule.rule.forward, rule.rule.pullback
    with np.errstate(all="ignore"):
        for place, p, t in _blocks(prediction, target):
            items, residuals = forward(p, t, **settings)
            total += float(np.add.reduce(items))
            slopes[place] = pullback(residuals, each, **settings)[0]
    return prediction.dtype.type(total / count), [slopes.reshape(prediction.shape)]


def _pullback(
    g: Data, residuals: list[Data], needed: Any, prediction: Data, target: Data, *rule: Any,
    **settings: Any,
) -> Any:  # fmt: skip
    # The slopes become the gradient in place; who pulls once more has them computed once more.
    if not residuals:
        _, residuals = _forward(prediction, target, *rule, **settings)
    slopes = residuals.pop()
    if g != 1:
        slopes *= g
    return (slopes, np.zeros_like(target) if needed[1] else None, None, None)[: len(needed)]


_differentiable = fused(
    "mean_of_items", reference=_reference, forward=_forward, pullback=_pullback
)


def mean_of_items(prediction: Any, target: Any, *rule: Any, **settings: Any) -> Any:
    """The mean of a rule's items, or of their sums along an axis."""
    if type(prediction) is Array and type(target) is Array:
        data, constants = prediction._data, target._data
        if _fits(data, constants):
            return Array(_value(data, constants, *rule, **settings))
    return _differentiable(prediction, target, *rule, **settings)


KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType({"mean_of_items": mean_of_items})
