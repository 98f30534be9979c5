"""Native kernels of losses: value and gradient in one go, in few passes over the arrays.

Each equals the definition of the same name in the core. Eager and on the CPU, a kernel finds the
value, and the gradient with it if one may be asked for; it writes into buffers of its own, and
into no more of them than it needs, since memory is what such a loss waits for. It avoids `where`,
which torch does not vectorize: 30 times the cost of a sum. For everything else (a derivative of the
derivative, dual numbers, `torch.func`, compiled steps, an outcome that is NaN) there is the neutral
definition.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from polylux.backend import PartialKernel
from polylux_torch._gradient import STATE, forward_ad
from polylux_torch._rules import is_differentiated, under_transforms

Neutral = Callable[..., Any]
Found = tuple[Any, Any]
"""Value, and gradient by the prediction; this is None if it was not wanted."""

_LARGE = 2**14
"""Entries from which a pass saved is worth more than the 10 us of a Python function on the graph,
where torch has a loss of its own that is as exact."""

_CERTAIN = 1e-8
"""A mean of at least this, found in float64, is right to all digits of float32."""

_NO_LABEL = torch.iinfo(torch.int64).min

_FULL = (torch.float32, torch.float64)
_MEAN = 1  # torch's number for this reduction

_huber_value: Any = torch.ops.aten.huber_loss
_huber_slope: Any = torch.ops.aten.huber_loss_backward


class _Fused(torch.autograd.Function):
    """The value, with the gradient kept for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, compute: Callable[..., Found], neutral: Neutral, dim: int, p: Any, t: Any
    ) -> Any:
        value, ctx.slope = compute(p, t, True)
        ctx.neutral, ctx.dim = neutral, dim
        ctx.save_for_backward(p, t)
        return value

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        slope = None
        if not is_differentiated():
            # The buffer is given away; a second backward pass has to find its own.
            slope, ctx.slope = ctx.slope, None
        if slope is None:
            p, t = ctx.saved_tensors
            slope = _neutral_gradient(ctx.neutral, p, t, g)
        elif g.ndim:
            slope.mul_(g.unsqueeze(ctx.dim))
        elif g.item() != 1:
            slope.mul_(g)
        return None, None, None, slope, None


_fused: Callable[..., Any] = _Fused.apply


def _neutral_gradient(neutral: Neutral, p: Any, t: Any, g: Any) -> Any:
    is_wanted = is_differentiated()
    with torch.enable_grad():
        alias = p.view_as(p) if is_wanted else p.detach().requires_grad_()
        value = neutral(alias, t)
        return torch.autograd.grad(value, alias, g, create_graph=is_wanted)[0]


def _is_eager(p: Any, t: Any) -> bool:
    """Whether the tensors have memory, and there is one derivative by `p` at most, in reverse."""
    return (
        p.is_cpu
        and p.dtype in _FULL
        and p.numel() > 0
        and not t.requires_grad
        and not STATE.staging
        and not torch.compiler.is_dynamo_compiling()
        and forward_ad._current_level < 0
        and not under_transforms()
    )


def _run(compute: Callable[..., Found], neutral: Neutral, p: Any, t: Any, dim: int = -1) -> Any:
    """From `compute(prediction, target, is_wanted) -> (value, gradient)`, where it applies.

    The value is one number or one for each lane along `dim`. It must be NaN wherever value or
    gradient are not those of the definition.
    """
    if not _is_eager(p, t):
        return neutral(p, t)
    if p.requires_grad and torch.is_grad_enabled():
        value = _fused(compute, neutral, dim, p, t)
    else:
        value, _ = compute(p, t, False)
    # Such as 0 * inf, which the definitions leave out.
    is_nan = value.isnan().any() if value.ndim else math.isnan(value.item())
    return neutral(p, t) if is_nan else value


# --- predicted numbers ---------------------------------------------------------------------------


def _squares(p: Any, t: Any, is_wanted: bool) -> Found:
    difference = p - t
    value = (difference * difference).mean()
    return value, difference.div_(p.numel() / 2) if is_wanted else None


def _mse(neutral: Neutral, p: Any, t: Any) -> Any:
    if p.numel() >= _LARGE:
        return _run(_squares, neutral, p, t)
    # The forward rule of mse_loss's backward pass fails where the target has no tangent.
    return neutral(p, t) if STATE.forward else F.mse_loss(p, t)


def _absolute_error(p: Any, t: Any, is_wanted: bool) -> Found:
    difference = p - t
    slope = difference.sign().div_(p.numel()) if is_wanted else None
    return difference.abs_().mean(), slope


def _huber_error(p: Any, t: Any, is_wanted: bool, delta: float) -> Found:
    delta = min(delta, torch.finfo(p.dtype).max)
    value = _huber_value(p, t, _MEAN, delta)
    slope = _huber_slope(torch.ones_like(value), p, t, _MEAN, delta) if is_wanted else None
    return value, slope


def _log_ratio(a: Any, b: Any, difference: Any) -> Any:
    """log(a / b) from a - b for positive numbers, NaN if one is negative; writes into `b`."""
    ratio = difference.abs().div_(torch.minimum(a, b, out=b))
    if b.amin() < 0:
        return ratio.fill_(math.nan)
    return ratio.log1p_().copysign_(difference)


def _squared_log_error(p: Any, t: Any, is_wanted: bool, epsilon: float) -> Found:
    shifted, given = p + epsilon, t + epsilon
    ratio = _log_ratio(shifted, given, p - t)
    value = torch.mul(ratio, ratio, out=given).mean()
    return value, ratio.div_(shifted).div_(p.numel() / 2) if is_wanted else None


def _poisson_error(p: Any, t: Any, is_wanted: bool, epsilon: float) -> Found:
    shifted = p + epsilon
    if epsilon > torch.finfo(p.dtype).eps:
        return p.new_tensor(math.nan), None  # near 1 the sum has not all digits of the logarithm
    buffer = shifted.log().mul_(t)
    value = torch.sub(p, buffer, out=buffer).mean()
    if not is_wanted:
        return value, None
    return value, torch.sub(p, t, out=buffer).add_(epsilon).div_(shifted).div_(p.numel())


# --- margins -------------------------------------------------------------------------------------


def _missing(p: Any, t: Any) -> Any:
    """max(0, 1 - t p)."""
    return (t * p).neg_().add_(1).relu_()


def _hinge_error(p: Any, t: Any, is_wanted: bool) -> Found:
    missing = _missing(p, t)
    value = missing.mean()
    return value, missing.sign_().mul_(t).div_(-p.numel()) if is_wanted else None


def _squared_hinge_error(p: Any, t: Any, is_wanted: bool) -> Found:
    missing = _missing(p, t)
    value = (missing * missing).mean()
    return value, missing.mul_(t).div_(-p.numel() / 2) if is_wanted else None


# --- classes -------------------------------------------------------------------------------------


def _binary_cross_entropy_logits(z: Any, t: Any, is_wanted: bool, label_smoothing: float) -> Found:
    # With s = sign(z) and r = sigmoid(-|z|), the share of the less probable class:
    # item = ((s + 1) / 2 - t) z - log1p(-r), slope = (s + 1) / 2 - t - s r, where (s + 1) / 2
    # is 1 or 0 (1/2 in the middle), so that no digit of a small 1 - t is lost.
    sign = z.sign()
    less = (sign * z).neg_().sigmoid_().neg_()
    share = torch.rsub(sign, 0.5, alpha=-0.5).sub_(t)
    linear = share * z
    slope = share.addcmul_(sign, less).div_(z.numel()) if is_wanted else None
    return linear.sub_(less.log1p_()).mean(), slope


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
    """torch's own cross entropy of few float32 logits, or None if it would not be exact.

    In float64, since what its sums lose beside a class that is all but certain is then beyond the
    digits of float32.
    """
    if z.dtype != torch.float32 or z.numel() >= _LARGE or z.ndim != 2 or dim not in (-1, 1):
        return None
    if not _is_eager(z, target):
        return None
    target = target.double() if target.is_floating_point() else target.long()
    # torch leaves out labels of a certain number, -100 if it is not told which.
    loss = F.cross_entropy(z.double(), target, ignore_index=_NO_LABEL)
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
    def definition(z: Any, t: Any) -> Any:
        return neutral(z, t, dim)

    axis = _from_behind(dim, z)
    return _run(functools.partial(_lanes_against_shares, dim=axis), definition, z, t, axis)


def _against_shares(z: Any, t: Any, is_wanted: bool, dim: int) -> Found:
    value, slope = _lanes_against_shares(z, t, is_wanted, dim)
    return value.mean(), slope if slope is None else slope.div_(value.numel())


def _softmax_cross_entropy_mean(neutral: Neutral, z: Any, t: Any, dim: int = -1) -> Any:
    loss = _by_torch(z, t, dim)
    if loss is not None:
        return loss

    def definition(z: Any, t: Any) -> Any:
        return neutral(z, t, dim)

    compute = functools.partial(_against_shares, dim=_from_behind(dim, z))
    return _run(compute, definition, z, t)


def _against_labels(z: Any, labels: Any, is_wanted: bool, dim: int) -> Found:
    lanes = z.numel() // z.shape[dim]
    places = labels.long().unsqueeze(dim)
    shifted, at, weights = _weights(z, dim)
    others = weights.sum(dim, keepdim=True)
    value = others.log1p().sub_(shifted.gather(dim, places)).mean()
    if not is_wanted:
        return value, None
    scale = others.add(1).mul_(lanes).reciprocal_()
    slope = weights.mul_(scale)
    # The largest's share less 1 is what the others have, with the sign changed.
    share = torch.where(at == places, others.neg_(), 1.0).mul_(scale)
    missed = torch.where(at == places, 0.0, scale.new_tensor(-1 / lanes))
    return value, slope.scatter_(dim, at, share).scatter_add_(dim, places, missed)


def _softmax_cross_entropy_labels_mean(
    neutral: Neutral, z: Any, labels: Any, dim: int = -1, is_known: bool = False
) -> Any:
    def definition(z: Any, labels: Any) -> Any:
        return neutral(z, labels, dim, is_known)

    if not is_known:
        return definition(z, labels)
    loss = _by_torch(z, labels, dim)
    if loss is not None:
        return loss
    compute = functools.partial(_against_labels, dim=_from_behind(dim, z))
    return _run(compute, definition, z, labels)


def _from_behind(dim: int, z: Any) -> int:
    return dim if dim < 0 else dim - int(z.ndim)


def _divergence_terms(p: Any, t: Any, is_wanted: bool, epsilon: float, dim: int) -> Found:
    shifted = p + epsilon
    # 1 in place of a target of 0, whose term is 0.
    positive = torch.eq(t, 0, out=torch.empty_like(t)).add_(t)
    ratio = _log_ratio(shifted, positive, (p - t).add_(epsilon))
    lanes = p.numel() // p.shape[dim]
    value = ratio.mul_(t).sum().div_(-lanes)
    return value, torch.div(t, shifted, out=shifted).div_(-lanes) if is_wanted else None


# --- what is offered ------------------------------------------------------------------------------

_OF_ITEMS: Mapping[str, Callable[..., Found]] = {
    "absolute_error": _absolute_error,
    "huber_error": _huber_error,
    "squared_log_error": _squared_log_error,
    "poisson_error": _poisson_error,
    "hinge_error": _hinge_error,
    "squared_hinge_error": _squared_hinge_error,
    "binary_cross_entropy_logits": _binary_cross_entropy_logits,
    "divergence_terms": _divergence_terms,
}
"""By the name of the rule whose items' mean they are."""


def _mean_of_items(
    neutral: Neutral, p: Any, t: Any, rule: Any, dim: int | None = None, **settings: Any
) -> Any:
    def definition(p: Any, t: Any) -> Any:
        return neutral(p, t, rule, dim, **settings)

    compute = _OF_ITEMS.get(rule.__name__)
    if compute is None or settings.get("label_smoothing"):
        return definition(p, t)
    place = {} if dim is None else {"dim": dim}
    return _run(functools.partial(compute, **place, **settings), definition, p, t)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "mse": PartialKernel(_mse),
    "mean_of_items": PartialKernel(_mean_of_items),
    "softmax_cross_entropy": PartialKernel(_softmax_cross_entropy),
    "softmax_cross_entropy_mean": PartialKernel(_softmax_cross_entropy_mean),
    "softmax_cross_entropy_labels_mean": PartialKernel(_softmax_cross_entropy_labels_mean),
}
