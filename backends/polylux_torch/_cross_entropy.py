"""Native kernels of the cross entropy of logits, exact also for a class that is all but certain.

Each equals the definition of the same name in the core. None of them uses `where` on whole arrays,
which torch does not vectorize: 30 times the cost of a sum.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from polylux.backend import PartialKernel
from polylux_torch._beginning import begin_at
from polylux_torch._fused import MEAN, Found, Neutral, definition, is_eager, run

# Without the Python around them in `torch.nn.functional`.
_nll_loss: Callable[..., Any] = torch._C._nn.nll_loss_nd

_LARGE = 2**14
"""Entries from which a pass over the arrays costs more than an operation does by itself."""

_SHORT, _MANY = 16, 64
"""Of so many lanes, each of fewer classes, torch computes along the first axis in a fifth of the
time: it takes as many of them at once as fit."""

_UNCERTAIN = 0.5
"""A mean of at least so many times each lane's shares is right but for 2 ulp, and so is the largest
slope: each lane is but for the rounding of its shares."""

_CERTAIN = 1e-8
"""A mean of at least so many times the largest lane's shares, found in float64, is right to all
digits of float32, and so are its slopes."""

_NO_LABEL = -0x706F6C796C757831
"""torch leaves out the labels of one number, and raises for others of no class; none is this."""


def _weights(z: Any, dim: int) -> tuple[Any, Any, Any]:
    """Logits less the largest of their lane; that one's place; all others' exponentials."""
    shifted = z - z.amax(dim, keepdim=True)
    # `max` with places and `argmax` take 20 times as long as `amax`.
    places = torch.arange(z.shape[dim], dtype=z.dtype).view(-1, *[1] * (-1 - dim))
    largest = torch.eq(shifted, 0, out=torch.empty_like(z)).mul_(places)
    at = largest.amax(dim, keepdim=True).long()
    # That one's is 1, beside which the others' sum would lose its digits.
    return shifted, at, torch.exp(shifted, out=largest).scatter_(dim, at, 0.0)


def _in_float64(z: Any, target: Any, dim: int) -> Any | None:
    """For few float32 logits, where each operation counts: from logarithms in float64, or None."""
    if (
        z.numel() >= _LARGE
        or z.ndim != 2
        or dim not in (-1, 1)
        or z.dtype != torch.float32
        or not is_eager(z, target)
    ):
        return None
    shape = z.shape
    count, classes = shape
    logits, axis = (z.t(), 0) if classes < _SHORT and count >= _MANY else (z, 1)
    logarithms = torch.log_softmax(logits, axis, torch.float64)
    least = _CERTAIN
    if not target.is_floating_point():
        given = target.long()
        lanes = logarithms if axis else logarithms.t()
        loss = _nll_loss(lanes, given, None, MEAN, _NO_LABEL)
    elif target.shape != shape:
        return None
    else:
        # In small models an operation's first cost is to fetch its code: two kinds do it all.
        shares = target if axis else target.t()
        given = shares * _share_of_mean(count)
        loss = (logarithms * given).sum()
        # No lane has more in all than this norm times the root of its length.
        least *= count * math.sqrt(classes * (given * given).sum().item())
    if not loss.item() >= least:
        return None
    loss = loss.float()
    begin_at(loss, z, functools.partial(_slope, logarithms, given, axis), given)
    return loss


def _slope(logarithms: Any, given: Any, axis: int) -> Any:
    """The loss's derivative by its logits; `given` are the shares, over -count, or the labels."""
    if given.is_floating_point():
        wide = torch._log_softmax_backward_data(given, logarithms, axis, torch.float64)
    else:
        places, share = given.unsqueeze(axis), 1 / len(given)
        own = torch.full_like(places, -share, dtype=torch.float64)
        wide = torch.exp(logarithms).mul_(share).scatter_add_(axis, places, own)
    slope = wide.float()
    return slope if axis else slope.t()


@functools.lru_cache
def _share_of_mean(count: int) -> Any:
    """-1 / count in float64. With an axis, as tensors without one promote no others."""
    with torch.inference_mode(False):
        return torch.full((1,), -1 / count, dtype=torch.float64, device="cpu")


def _lanes_against_shares(z: Any, t: Any, is_wanted: bool, dim: int) -> Found:
    shifted, at, weights = _weights(z, dim)
    others, given = weights.sum(dim, keepdim=True), t.gather(dim, at)
    t = t.scatter(dim, at, 0.0)
    rest = t.sum(dim, keepdim=True)
    total = rest + given
    value = (total * others.log1p()).sub_(shifted.mul_(t).sum(dim, keepdim=True)).squeeze(dim)
    if not is_wanted:
        return value, None
    scale = total.div_(others + 1)
    slope = weights.mul_(scale).sub_(t).scatter_(dim, at, rest.sub_(scale.mul_(others)))
    return value, slope


def _softmax_cross_entropy(neutral: Neutral, z: Any, t: Any, dim: int = -1) -> Any:
    axis = _from_behind(dim, z)
    compute = functools.partial(_lanes_against_shares, dim=axis)
    return run(compute, definition(neutral, dim), z, t, axis)


def _against_shares(z: Any, t: Any, is_wanted: bool, dim: int) -> Found:
    count = z.numel() // z.shape[dim]
    if z.numel() >= _LARGE:
        # By the softmax itself, whose digits are enough for a larger mean.
        buffer = z - z.amax(dim, keepdim=True)
        linear, total = buffer.mul_(t).sum(), t.sum(dim, keepdim=True)
        slope = torch.softmax(z, dim, out=buffer)
        logarithms = slope.amax(dim, keepdim=True).log_().mul_(total).sum()
        value = linear.add_(logarithms).div_(-count)
        if value.item() >= _UNCERTAIN * total.abs().amax().item():
            if not is_wanted:
                return value, None
            return value, slope.mul_(total.div_(count)).sub_(t, alpha=1 / count)
    value, slope = _lanes_against_shares(z, t, is_wanted, dim)
    return value.mean(), slope if slope is None else slope.div_(count)


def _softmax_cross_entropy_mean(neutral: Neutral, z: Any, t: Any, dim: int = -1) -> Any:
    loss = _in_float64(z, t, dim)
    if loss is not None:
        return loss
    compute = functools.partial(_against_shares, dim=_from_behind(dim, z))
    return run(compute, definition(neutral, dim), z, t)


def _lanes_against_labels(
    z: Any, labels: Any, is_wanted: bool, dim: int, count: int = 1
) -> Found:
    """Each lane's value, and its slope over `count`."""
    places = labels.long().unsqueeze(dim)
    shifted = z - z.amax(dim, keepdim=True)
    own = shifted.gather(dim, places)
    # Without the label's own, beside which the others' sum would lose its digits.
    weights = shifted.exp_().scatter_(dim, places, 0.0)
    others = weights.sum(dim, keepdim=True)
    value = own.expm1().add_(others).log1p_().sub_(own).squeeze(dim)
    if not is_wanted:
        return value, None
    scale = own.exp_().add_(others).mul_(count).reciprocal_()
    return value, weights.mul_(scale).scatter_(dim, places, others.neg_().mul_(scale))


def _softmax_cross_entropy_labels(
    neutral: Neutral, z: Any, labels: Any, dim: int = -1, check: Callable[[], bool] | None = None
) -> Any:
    if check is None or not check():
        return neutral(z, labels, dim)
    axis = _from_behind(dim, z)
    compute = functools.partial(_lanes_against_labels, dim=axis)
    return run(compute, definition(neutral, dim, _checked), z, labels, axis)


def _checked() -> bool:
    return True


def _against_labels(z: Any, labels: Any, is_wanted: bool, dim: int) -> Found:
    count = labels.numel()
    if z.numel() >= _LARGE:
        # As for shares; a softmax that has underflowed has lost digits of its logarithm.
        slope, places = torch.softmax(z, dim), labels.long().unsqueeze(dim)
        own = slope.gather(dim, places)
        value = own.log().sum().div_(-count)
        if value.item() >= _UNCERTAIN and own.amin().item() >= torch.finfo(z.dtype).tiny:
            if not is_wanted:
                return value, None
            return value, slope.div_(count).scatter_add_(dim, places, own.fill_(-1 / count))
    value, slope = _lanes_against_labels(z, labels, is_wanted, dim, count)
    return value.mean(), slope


def _softmax_cross_entropy_labels_mean(
    neutral: Neutral, z: Any, labels: Any, dim: int = -1, check: Callable[[], bool] | None = None
) -> Any:
    try:
        loss = _in_float64(z, labels, dim)
        if loss is not None:
            return loss
        compute = functools.partial(_against_labels, dim=_from_behind(dim, z))
        return run(compute, definition(neutral, dim, check), z, labels)
    except (IndexError, RuntimeError):  # as of torch, for a label of no class
        if check is not None and check():
            raise  # not that
        return neutral(z, labels, dim)


def _from_behind(dim: int, z: Any) -> int:
    return dim if dim < 0 else dim - int(z.ndim)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "softmax_cross_entropy": PartialKernel(_softmax_cross_entropy),
    "softmax_cross_entropy_mean": PartialKernel(_softmax_cross_entropy_mean),
    "softmax_cross_entropy_labels": PartialKernel(_softmax_cross_entropy_labels),
    "softmax_cross_entropy_labels_mean": PartialKernel(_softmax_cross_entropy_labels_mean),
}
