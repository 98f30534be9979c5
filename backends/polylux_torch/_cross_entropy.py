"""Native kernels of the cross entropy of logits, exact also for a class that is all but certain.

Each equals the definition of the same name in the core. None of them uses `where` on whole arrays,
which torch does not vectorize: 30 times the cost of a sum.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch

from polylux.backend import PartialKernel
from polylux_torch._fused import MEAN, Found, Neutral, definition, is_eager, run

# Without the Python around them in `torch.nn.functional`.
_cross_entropy_loss: Callable[..., Any] = torch._C._nn.cross_entropy_loss
_nll_loss: Callable[..., Any] = torch._C._nn.nll_loss_nd

_LARGE = 2**14
"""Entries from which a pass over the arrays costs more than an operation does by itself."""

_UNCERTAIN = 0.5
"""A mean of at least this is right but for 2 ulp: each lane is but for the rounding of 1."""

_CERTAIN = 1e-8
"""A mean of at least this, found in float64, is right to all digits of float32."""

_NO_LABEL = torch.iinfo(torch.int64).min


def _weights(z: Any, dim: int) -> tuple[Any, Any, Any]:
    """Logits less the largest of their lane; that one's place; all others' exponentials."""
    shifted = z - z.amax(dim, keepdim=True)
    # `max` with places and `argmax` take 20 times as long as `amax`.
    places = torch.arange(z.shape[dim], dtype=z.dtype).view(-1, *[1] * (-1 - dim))
    largest = torch.eq(shifted, 0, out=torch.empty_like(z)).mul_(places)
    at = largest.amax(dim, keepdim=True).long()
    # That one's is 1, beside which the others' sum would lose its digits.
    return shifted, at, torch.exp(shifted, out=largest).scatter_(dim, at, 0.0)


def _by_torch(z: Any, target: Any, dim: int) -> Any | None:
    """torch's own cross entropy, or None where it would not be exact.

    What its sums lose beside a class that is all but certain does not matter to a larger loss; and
    for few float32 logits, where each operation counts, float64 has the digits.
    """
    if z.ndim != 2 or dim not in (-1, 1) or not is_eager(z, target):
        return None
    is_labels = not target.is_floating_point()
    # torch leaves out labels of a certain number, -100 if it is not told which.
    if z.numel() >= _LARGE:
        given = target.long() if is_labels else target
        loss = _cross_entropy_loss(z, given, None, MEAN, _NO_LABEL)
        return loss if loss.item() >= _UNCERTAIN else None
    if z.dtype != torch.float32:
        return None
    logarithms = torch.log_softmax(z, 1, torch.float64)
    if is_labels:
        loss = _nll_loss(logarithms, target.long(), None, MEAN, _NO_LABEL)
    else:
        # Two nodes of the graph, where torch's own loss has four after the logarithms.
        shares = target.double().mul_(-1 / len(z))
        loss = torch.dot(logarithms.view(-1), shares.view(-1))
    return loss.float() if loss.item() >= _CERTAIN else None


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
    value, slope = _lanes_against_shares(z, t, is_wanted, dim)
    return value.mean(), slope if slope is None else slope.div_(value.numel())


def _softmax_cross_entropy_mean(neutral: Neutral, z: Any, t: Any, dim: int = -1) -> Any:
    loss = _by_torch(z, t, dim)
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
    neutral: Neutral, z: Any, labels: Any, dim: int = -1, is_known: bool = False
) -> Any:
    if not is_known:
        return neutral(z, labels, dim, is_known)
    axis = _from_behind(dim, z)
    compute = functools.partial(_lanes_against_labels, dim=axis)
    return run(compute, definition(neutral, dim, is_known), z, labels, axis)


def _against_labels(z: Any, labels: Any, is_wanted: bool, dim: int) -> Found:
    count = z.numel() // z.shape[dim]
    value, slope = _lanes_against_labels(z, labels, is_wanted, dim, count)
    return value.mean(), slope


def _softmax_cross_entropy_labels_mean(
    neutral: Neutral, z: Any, labels: Any, dim: int = -1, is_known: bool = False
) -> Any:
    if not is_known:
        return neutral(z, labels, dim, is_known)
    loss = _by_torch(z, labels, dim)
    if loss is not None:
        return loss
    compute = functools.partial(_against_labels, dim=_from_behind(dim, z))
    return run(compute, definition(neutral, dim, is_known), z, labels)


def _from_behind(dim: int, z: Any) -> int:
    return dim if dim < 0 else dim - int(z.ndim)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "softmax_cross_entropy": PartialKernel(_softmax_cross_entropy),
    "softmax_cross_entropy_mean": PartialKernel(_softmax_cross_entropy_mean),
    "softmax_cross_entropy_labels": PartialKernel(_softmax_cross_entropy_labels),
    "softmax_cross_entropy_labels_mean": PartialKernel(_softmax_cross_entropy_labels_mean),
}
