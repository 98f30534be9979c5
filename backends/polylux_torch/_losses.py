"""Means of losses' items, block by block: value and gradient in one go.

An operation on a whole batch waits for memory. On blocks that stay in the processor's cache the
items and their slopes are found at once, and only the slopes are written; for most rules by the
rule itself, for some in fewer operations, without `where`, which torch does not vectorize.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from polylux.backend import PartialKernel
from polylux_torch._fused import MEAN, Found, Neutral, definition, is_eager, run
from polylux_torch._gradient import STATE

# Without the Python around them in `torch.nn.functional`, which broadcasts what has one shape.
_mse_loss: Callable[..., Any] = torch._C._nn.mse_loss
_huber_loss: Callable[..., Any] = torch._C._nn.huber_loss

Compute = Callable[..., Found | None]
"""`compute(prediction, target, count, is_wanted, **settings)`: the sum of the items over `count`,
and its gradient; None if it is not for these settings. The value must be NaN wherever value or
gradient are not those of the definition."""

_BLOCK = 2**16
"""Entries: five arrays of float32 are 1.3 MB, and a block's own 20 us are little beside them."""


# --- predicted numbers ---------------------------------------------------------------------------


def _mse(neutral: Neutral, p: Any, t: Any) -> Any:
    # The forward rule of mse_loss's backward pass fails where the target has no tangent.
    return neutral(p, t) if STATE.forward else _mse_loss(p, t, MEAN)


def _huber(p: Any, t: Any, delta: float) -> Any:
    return _huber_loss(p, t, MEAN, min(delta, torch.finfo(p.dtype).max))


def _absolute_error(p: Any, t: Any, count: int, is_wanted: bool) -> Found:
    difference = p - t
    slope = difference.sign().div_(count) if is_wanted else None
    return difference.abs_().sum().div_(count), slope


def _log_ratio(a: Any, b: Any, difference: Any) -> Any:
    """log(a / b) from a - b for positive numbers, NaN if one is negative; writes into `b`."""
    ratio = difference.abs().div_(torch.minimum(a, b, out=b))
    if b.amin() < 0:
        return ratio.fill_(math.nan)
    return ratio.log1p_().copysign_(difference)


def _squared_log_error(p: Any, t: Any, count: int, is_wanted: bool, *, epsilon: float) -> Found:
    shifted, given = p + epsilon, t + epsilon
    ratio = _log_ratio(shifted, given, p - t)
    value = torch.mul(ratio, ratio, out=given).sum().div_(count)
    return value, ratio.div_(shifted).div_(count / 2) if is_wanted else None


def _poisson_error(p: Any, t: Any, count: int, is_wanted: bool, *, epsilon: float) -> Found | None:
    if epsilon > torch.finfo(p.dtype).eps:
        return None  # near 1 the sum has not all digits of its logarithm
    shifted = p + epsilon
    buffer = shifted.log().mul_(t)
    value = torch.sub(p, buffer, out=buffer).sum().div_(count)
    if not is_wanted:
        return value, None
    return value, torch.sub(p, t, out=buffer).add_(epsilon).div_(shifted).div_(count)


# --- margins -------------------------------------------------------------------------------------


def _missing(p: Any, t: Any) -> Any:
    """max(0, 1 - t p)."""
    return (t * p).neg_().add_(1).relu_()


def _hinge_error(p: Any, t: Any, count: int, is_wanted: bool) -> Found:
    missing = _missing(p, t)
    value = missing.sum().div_(count)
    return value, missing.sign_().mul_(t).div_(-count) if is_wanted else None


def _squared_hinge_error(p: Any, t: Any, count: int, is_wanted: bool) -> Found:
    missing = _missing(p, t)
    value = (missing * missing).sum().div_(count)
    return value, missing.mul_(t).div_(-count / 2) if is_wanted else None


# --- probabilities -------------------------------------------------------------------------------


def _binary_cross_entropy(
    p: Any, t: Any, count: int, is_wanted: bool, *, epsilon: float, label_smoothing: float
) -> Found | None:
    if label_smoothing or epsilon not in (0, torch.finfo(p.dtype).eps):
        return None
    rest = torch.rsub(t, 1)
    items = (p + epsilon).log_().mul_(t)
    value = items.addcmul_(torch.rsub(p, epsilon).log1p_(), rest).sum().div_(-count)
    if not is_wanted:
        return value, None
    # (1 - t) / (1 - p + e) - t / (p + e), over one denominator
    above = (p - t).add_(rest.sub_(t), alpha=epsilon)
    below = torch.add(p, epsilon, out=items).mul_(torch.rsub(p - 1, epsilon))
    return value, above.div_(below).div_(count)


def _binary_cross_entropy_logits(
    z: Any, t: Any, count: int, is_wanted: bool, *, label_smoothing: float
) -> Found | None:
    if label_smoothing:
        return None
    # With b = 1 where z >= 0, else 0, and r = sigmoid(-|z|), the share of the less probable class:
    # item = (b - t) z - log1p(-r), slope = b - t - (2 b - 1) r, and no digit of a small 1 - t is
    # lost.
    positive = torch.ge(z, 0, out=torch.empty_like(z))
    less = z.abs().neg_().sigmoid_().neg_()
    share = positive - t
    linear = share * z
    slope = None
    if is_wanted:
        slope = share.addcmul_(positive.mul_(2).sub_(1), less).div_(count)
    return linear.sub_(less.log1p_()).sum().div_(count), slope


def _divergence_terms(p: Any, t: Any, count: int, is_wanted: bool, *, epsilon: float) -> Found:
    shifted = p + epsilon
    # 1 in place of a target of 0, whose term is 0.
    positive = torch.eq(t, 0, out=torch.empty_like(t)).add_(t)
    ratio = _log_ratio(shifted, positive, (p - t).add_(epsilon))
    value = ratio.mul_(t).sum().div_(-count)
    return value, torch.div(t, shifted, out=shifted).div_(-count) if is_wanted else None


# --- any rule ------------------------------------------------------------------------------------

_OWN: Mapping[str, Callable[..., Any]] = {"huber_error": _huber}
"""Losses of torch itself, by the name of the rule whose items' mean they are."""

_SHORTER: Mapping[str, Compute] = {
    "absolute_error": _absolute_error,
    "squared_log_error": _squared_log_error,
    "poisson_error": _poisson_error,
    "hinge_error": _hinge_error,
    "squared_hinge_error": _squared_hinge_error,
    "binary_cross_entropy": _binary_cross_entropy,
    "binary_cross_entropy_logits": _binary_cross_entropy_logits,
    "divergence_terms": _divergence_terms,
}
"""Computations in fewer operations than the rule's, by its name."""


def _by_rule(rule: Any, p: Any, t: Any, count: int, is_wanted: bool, **settings: Any) -> Found:
    if not is_wanted:
        return rule.plain(p, t, **settings).sum().div_(count), None
    items, residuals = rule.rule.forward(p, t, **settings)
    slope, *_ = rule.rule.pullback(residuals, p.new_tensor(1 / count), **settings)
    return items.sum().div_(count), slope


def _in_blocks(
    rule: Any, count: int, settings: Mapping[str, Any], p: Any, t: Any, is_wanted: bool
) -> Found:
    by_rule = functools.partial(_by_rule, rule)
    compute = _SHORTER.get(rule.__name__, by_rule)

    def block(p: Any, t: Any) -> Found:
        found = compute(p, t, count, is_wanted, **settings)
        return by_rule(p, t, count, is_wanted, **settings) if found is None else found

    size = p.numel()
    if size <= _BLOCK:
        return block(p, t)
    total, slopes = 0.0, torch.empty_like(p, memory_format=torch.contiguous_format)
    p, t, flat = p.reshape(-1), t.reshape(-1), slopes.view(-1)
    for start in range(0, size, _BLOCK):
        place = slice(start, start + _BLOCK)
        value, slope = block(p[place], t[place])
        total += value.item()
        if slope is not None:
            flat[place] = slope
    return p.new_tensor(total), slopes


def _mean_of_items(
    neutral: Neutral, p: Any, t: Any, rule: Any, dim: int | None = None, **settings: Any
) -> Any:
    by_definition = definition(neutral, rule, dim, **settings)
    own = _OWN.get(rule.__name__)
    if own is not None and is_eager(p, t):
        loss = own(p, t, **settings)
        return by_definition(p, t) if math.isnan(loss.item()) else loss
    count = p.numel() // (1 if dim is None else max(p.shape[dim], 1))
    return run(functools.partial(_in_blocks, rule, count, settings), by_definition, p, t)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "mse": PartialKernel(_mse),
    "mean_of_items": PartialKernel(_mean_of_items),
}
