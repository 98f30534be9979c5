"""Neutral functions of the core as one node of the tape each, with numpy code for both passes.

Recording an operation costs 8 to 16 us, numpy's part of it 0.7 us: few large rules win. A rule
here holds at first order in reverse mode; for everything else `fused` traces the reference, which
says the same in functions of the namespace.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from polylux.backend import PartialKernel
from polylux_autograd import _convolution, _dropout, _losses, _normalization
from polylux_autograd import array_api as xp
from polylux_autograd._fused import fused
from polylux_autograd._gelu import gelu
from polylux_autograd._logarithms import log1p
from polylux_autograd._tracing import stop_gradient

Data = np.ndarray[Any, Any]

_BITS = {2: np.int16, 4: np.int32, 8: np.int64}
_FULL = frozenset({np.dtype(np.float32), np.dtype(np.float64)})

_MANY = 2**14
"""Entries from which a pass over the arrays costs more than an operation does by itself."""

_CERTAIN = 1e-8
"""A mean of at least so many times the largest share, found in float64, is right to all digits of
float32, and so are its slopes."""


# --- activations (of a 0-d array numpy makes scalars, which have no buffer: the reference) -----


def _relu(x: Any) -> Any:
    return xp.where(x <= 0, xp.zeros_like(x), x)


def _relu_forward(x: Data) -> Any:
    if not x.ndim:
        return None
    return np.maximum(x, 0), None


def _relu_pullback(g: Data, _: Any, needed: Any, x: Data) -> Any:
    # Bits that are all 0 where x <= 0 and all 1 elsewhere: `np.where` waits for a branch at each
    # entry and is ten times slower, and a product with the condition is NaN for an infinite `g`.
    bits = _BITS[g.dtype.itemsize]
    mask = (x <= 0).view(np.int8).astype(bits)
    mask -= 1
    mask &= np.ascontiguousarray(g).view(bits)
    return (mask.view(g.dtype),)


def _decay(x: Data) -> tuple[Data, Data]:
    """exp(-|x|), and 1 more; and never an overflow."""
    decay = np.abs(x)
    np.negative(decay, out=decay)
    np.exp(decay, out=decay)
    return decay, decay + 1


def _rising(x: Data, decay: Data, total: Data) -> Data:
    """1 / (1 + exp(-x)): 1 over the total for x >= 0, the decay over it below."""
    top = np.maximum(decay, x >= 0)
    top /= total
    return top


def _sigmoid(x: Any) -> Any:
    positive = x >= 0
    decay = xp.exp(-xp.where(positive, x, -x))
    return xp.where(positive, xp.ones_like(x), decay) / (1 + decay)


def _sigmoid_forward(x: Data) -> Any:
    if not x.ndim:
        return None
    decay, total = _decay(x)
    return _rising(x, decay, total), (decay, total)


def _sigmoid_pullback(g: Data, residuals: Any, needed: Any, x: Data) -> Any:
    decay, total = residuals
    slope = decay / total  # not s * (1 - s), which loses its digits for large x
    slope /= total
    slope *= g
    return (slope,)


_SATURATED = 800.0  # from here the logistic function is 0 or 1 in float64


def _silu(x: Any) -> Any:
    # In two summands, as inf * 0 would be NaN in a value or a derivative.
    top = xp.full_like(x, _SATURATED)
    near = xp.where(x > _SATURATED, top, xp.where(x < -_SATURATED, -top, x))
    return xp.where(x > _SATURATED, x - top, xp.zeros_like(x)) + near * _sigmoid(near)


def _silu_forward(x: Data) -> Any:
    if not x.ndim:
        return None
    decay, total = _decay(x)
    rising = _rising(x, decay, total)
    return np.maximum(x, -_SATURATED) * rising, (decay, total, rising)


def _silu_pullback(g: Data, residuals: Any, needed: Any, x: Data) -> Any:
    decay, total, rising = residuals
    slope = decay / total
    slope /= total
    slope *= np.clip(x, -_SATURATED, _SATURATED)
    slope += rising
    slope *= g
    return (slope,)


def _softplus(x: Any) -> Any:
    positive = x >= 0
    decay = xp.exp(-xp.where(positive, x, -x))
    return xp.where(positive, x, xp.zeros_like(x)) + xp.log1p(decay)


def _softplus_forward(x: Data) -> Any:
    if not x.ndim:
        return None
    decay, total = _decay(x)
    out = log1p(decay)
    out += np.maximum(x, 0)
    return out, (decay, total)


def _softplus_pullback(g: Data, residuals: Any, needed: Any, x: Data) -> Any:
    slope = _rising(x, *residuals)
    slope *= g
    return (slope,)


def _log_sigmoid(x: Any) -> Any:
    return -_softplus(-x)


def _log_sigmoid_forward(x: Data) -> Any:
    if not x.ndim:
        return None
    decay, total = _decay(x)
    return np.minimum(x, 0) - log1p(decay), (decay, total)


def _log_sigmoid_pullback(g: Data, residuals: Any, needed: Any, x: Data) -> Any:
    slope = _rising(-x, *residuals)
    slope *= g
    return (slope,)


# --- along an axis ----------------------------------------------------------------------------


def _softmax(x: Any, dim: int = -1) -> Any:
    weights = xp.exp(_shifted(_widened(x), dim)[0])
    return xp.astype(weights / xp.sum(weights, axis=dim, keepdims=True), x.dtype, copy=False)


def _softmax_forward(x: Data, dim: int = -1) -> Any:
    parts = _exponentials(x, dim)
    if parts is None:
        return None
    _, out, total = parts
    out /= total
    return out, out


def _softmax_pullback(g: Data, out: Any, needed: Any, x: Data, dim: int = -1) -> Any:
    inner = g * out
    inner -= out * inner.sum(axis=dim, keepdims=True)
    return (inner, None)[: len(needed)]


def _log_softmax(x: Any, dim: int = -1) -> Any:
    wide = _widened(x)
    shifted, is_infinite = _shifted(wide, dim)
    total = xp.sum(xp.exp(shifted), axis=dim, keepdims=True)
    below = xp.logical_and(is_infinite, wide != xp.inf)
    limit = xp.where(below, xp.full_like(wide, -xp.inf), xp.zeros_like(wide))
    return xp.astype(shifted - xp.log(total) + limit, x.dtype, copy=False)


def _log_softmax_forward(x: Data, dim: int = -1) -> Any:
    parts = _exponentials(x, dim)
    if parts is None:
        return None
    out, weights, total = parts
    out -= np.log(total)
    weights /= total
    return out, weights


def _log_softmax_pullback(g: Data, weights: Any, needed: Any, x: Data, dim: int = -1) -> Any:
    slope = g - weights * g.sum(axis=dim, keepdims=True)
    return (slope, None)[: len(needed)]


def _exponentials(x: Data, dim: int) -> tuple[Data, Data, Data] | None:
    """`x` less its largest entry, the exponentials of that, and their sum.

    None where a largest entry is not finite: the reference knows the limits.
    """
    if x.dtype not in _FULL or not x.size:
        return None
    largest = x.max(axis=dim, keepdims=True)
    if not np.isfinite(largest).all():
        return None
    shifted = x - largest
    weights = np.exp(shifted)
    return shifted, weights, weights.sum(axis=dim, keepdims=True)


def _shifted(x: Any, dim: int) -> tuple[Any, Any]:
    """`x` less its largest entry along `dim`, and where that is inf: there entries of inf are 0."""
    largest = xp.max(stop_gradient(x), axis=dim, keepdims=True)
    is_infinite = largest == xp.inf
    finite = xp.where(is_infinite, xp.full_like(largest, xp.finfo(x.dtype).max), largest)
    return xp.where(x == xp.inf, xp.zeros_like(x), x - finite), is_infinite


def _widened(x: Any) -> Any:
    return xp.astype(x, xp.float32) if x.dtype == xp.float16 else x


# --- layers and losses ------------------------------------------------------------------------


def _dense(x: Any, weight: Any, bias: Any = None) -> Any:
    y = x @ weight
    return y if bias is None else y + bias


def _dense_forward(x: Data, weight: Data, bias: Data | None = None) -> Any:
    if x.ndim != 2 or weight.ndim != 2 or x.dtype != weight.dtype:
        return None
    if bias is None:
        return x @ weight, None
    if bias.shape != weight.shape[1:] or bias.dtype != x.dtype:
        return None
    out = x @ weight
    out += bias
    return out, None


def _dense_pullback(
    g: Data, _: Any, needed: Any, x: Data, weight: Data, bias: Data | None = None
) -> Any:
    return (
        g @ weight.T if needed[0] else None,
        x.T @ g if needed[1] else None,
        np.add.reduce(g, axis=0) if needed[2:] == [True] else None,
    )[: len(needed)]


def _mse(prediction: Any, target: Any) -> Any:
    difference = prediction - target
    return xp.mean(difference * difference)


def _mse_forward(prediction: Data, target: Data) -> Any:
    if (
        prediction.shape != target.shape
        or prediction.dtype != target.dtype
        or prediction.dtype not in _FULL
        or not prediction.size
    ):
        return None
    difference = prediction - target
    return (difference * difference).mean(), difference


def _mse_pullback(g: Data, difference: Any, needed: Any, *_: Data) -> Any:
    slope = difference * (g * (2 / difference.size))
    return (slope, -slope if needed[1] else None)


def _softmax_cross_entropy_forward(logits: Data, target: Data, dim: int = -1) -> Any:
    if logits.shape != target.shape or logits.dtype != target.dtype:
        return None
    parts = _exponentials(logits, dim)
    if parts is None:
        return None
    shifted, weights, _ = parts
    # The largest has 1, beside which the sum of the others would lose its digits.
    at = np.expand_dims(shifted.argmax(axis=dim), dim)
    np.put_along_axis(weights, at, 0, dim)
    others = weights.sum(axis=dim, keepdims=True)
    surprise = np.subtract(log1p(others), shifted, out=shifted)
    with np.errstate(invalid="ignore"):
        out = (target * surprise).sum(axis=dim)
    if np.isnan(out).any():  # 0 * inf
        return None
    return out, (surprise, weights, others, at)


def _softmax_cross_entropy_pullback(
    g: Data, residuals: Any, needed: Any, logits: Data, target: Data, dim: int = -1
) -> Any:
    surprise, weights, others, at = residuals
    g = np.expand_dims(g, dim)
    slope = None
    if needed[0]:
        missed = target.copy()
        np.put_along_axis(missed, at, 0, dim)
        rest = missed.sum(axis=dim, keepdims=True)
        scale = (rest + np.take_along_axis(target, at, dim)) / (1 + others)
        slope = weights * scale
        slope -= missed
        np.put_along_axis(slope, at, rest - scale * others, dim)
        slope *= g
    return (slope, g * surprise if needed[1] else None, None)[: len(needed)]


class _Slopes(NamedTuple):
    """Derivatives of a mean by logits and by targets."""

    logits: Data
    target: Data


def _in_float64(logits: Data, target: Data, dim: int) -> tuple[Any, _Slopes] | None:
    """The mean for few float32 logits, where each operation counts; None for others.

    In float64 nothing has to be found apart from what it stands beside: the digits are enough.
    """
    if (
        not 0 < logits.size < _MANY
        or logits.ndim != 2
        or dim not in (-1, 1)
        or logits.dtype != np.float32
        or target.dtype != np.float32
        or logits.shape != target.shape
    ):
        return None
    with np.errstate(all="ignore"):
        logarithms = logits - logits.max(axis=1, keepdims=True).astype(np.float64)
        weights = np.exp(logarithms)
        total = np.add.reduce(weights, axis=1, keepdims=True)
        logarithms -= np.log(total)
        value = np.add.reduce(target * logarithms, axis=None) / -len(logits)
        shares = np.add.reduce(target, axis=1, keepdims=True, dtype=np.float64)
        if not value >= _CERTAIN * np.abs(shares).max():  # or NaN, as of infinite logits
            return None
    weights *= shares / total
    weights -= target
    weights /= len(logits)
    logarithms /= -len(logits)
    return np.float32(value), _Slopes(weights.astype(np.float32), logarithms.astype(np.float32))


def _softmax_cross_entropy_mean_forward(logits: Data, target: Data, dim: int = -1) -> Any:
    found = _in_float64(logits, target, dim)
    if found is not None:
        return found
    parts = _softmax_cross_entropy_forward(logits, target, dim)
    if parts is None or not parts[0].size:
        return None
    lanes, residuals = parts
    return lanes.mean(), (*residuals, lanes.shape)


def _softmax_cross_entropy_mean_pullback(
    g: Data, residuals: Any, needed: Any, logits: Data, target: Data, dim: int = -1
) -> Any:
    if isinstance(residuals, _Slopes):
        return (residuals.logits * g, residuals.target * g if needed[1] else None, None)[
            : len(needed)
        ]
    *residuals, shape = residuals
    each = np.broadcast_to(g / math.prod(shape), shape)
    return _softmax_cross_entropy_pullback(each, residuals, needed, logits, target, dim)


def _kernel(
    reference: Callable[..., Any], forward: Callable[..., Any], pullback: Callable[..., Any]
) -> Callable[..., Any]:
    name = reference.__name__.lstrip("_")
    return fused(name, reference=reference, forward=forward, pullback=pullback)


def _by_definition(forward: Callable[..., Any], pullback: Callable[..., Any]) -> PartialKernel:
    """A kernel whose reference is the core's own definition."""
    name = forward.__name__.strip("_").removesuffix("_forward")

    @functools.cache
    def kernel(neutral: Callable[..., Any]) -> Callable[..., Any]:
        return fused(name, reference=neutral, forward=forward, pullback=pullback)

    return PartialKernel(lambda neutral, *operands: kernel(neutral)(*operands))


KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "relu": _kernel(_relu, _relu_forward, _relu_pullback),
        "sigmoid": _kernel(_sigmoid, _sigmoid_forward, _sigmoid_pullback),
        "silu": _kernel(_silu, _silu_forward, _silu_pullback),
        "softplus": _kernel(_softplus, _softplus_forward, _softplus_pullback),
        "log_sigmoid": _kernel(_log_sigmoid, _log_sigmoid_forward, _log_sigmoid_pullback),
        "gelu": gelu,
        "softmax": _kernel(_softmax, _softmax_forward, _softmax_pullback),
        "log_softmax": _kernel(_log_softmax, _log_softmax_forward, _log_softmax_pullback),
        "dense": _kernel(_dense, _dense_forward, _dense_pullback),
        "mse": _kernel(_mse, _mse_forward, _mse_pullback),
        "softmax_cross_entropy": _by_definition(
            _softmax_cross_entropy_forward, _softmax_cross_entropy_pullback
        ),
        "softmax_cross_entropy_mean": _by_definition(
            _softmax_cross_entropy_mean_forward, _softmax_cross_entropy_mean_pullback
        ),
        **_convolution.KERNELS,
        **_normalization.KERNELS,
        **_dropout.KERNELS,
        **_losses.KERNELS,
    }
)
