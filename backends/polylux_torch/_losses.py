"""Means of losses' items, block by block: value and gradient in one go.

An operation on a whole batch waits for memory. On blocks that stay in the processor's cache the
items and their slopes are found at once, and only the slopes are written; for most rules by the
rule itself, for some in fewer operations, in kept memory, and without `where`, which torch does not
vectorize.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from polylux.backend import PartialKernel
from polylux_torch._fused import FULL, MEAN, Found, Neutral, definition, is_eager, run
from polylux_torch._scratch import BLOCK, scratch
from polylux_torch._state import STATE

# Without the Python around them in `torch.nn.functional`, which broadcasts what has one shape.
_mse_loss: Callable[..., Any] = torch._C._nn.mse_loss
_huber_loss: Callable[..., Any] = torch._C._nn.huber_loss

_LARGEST = {dtype: torch.finfo(dtype).max for dtype in FULL}

_MANY = 2**12
"""Entries from which fewer logarithms are worth more operations."""

Compute = Callable[..., Any | None]
"""`compute(prediction, target, slopes, **settings)`: the sum of the items, or None if it is not for
these settings. It writes the slopes, over a factor, into `slopes` if that is not None. The sum must
be NaN wherever the items or the slopes are not those of the definition."""


# --- predicted numbers ---------------------------------------------------------------------------


def _mse(neutral: Neutral, p: Any, t: Any) -> Any:
    # The forward rule of mse_loss's backward pass fails where the target has no tangent.
    return neutral(p, t) if STATE.forward else _mse_loss(p, t, MEAN)


def _huber(p: Any, t: Any, delta: float) -> Any:
    return _huber_loss(p, t, MEAN, min(delta, _LARGEST[p.dtype]))


def _absolute_error(p: Any, t: Any, slopes: Any) -> Any:
    (difference,) = scratch(p, 1)
    torch.sub(p, t, out=difference)
    if slopes is not None:
        torch.sign(difference, out=slopes)
    return difference.abs_().sum()


def _log_ratio(a: Any, b: Any, difference: Any) -> Any:
    """log(a / b) from a - b for positive numbers, NaN if one is negative; in the memory of `b`."""
    torch.minimum(a, b, out=b)
    is_negative = b.amin() < 0
    torch.div(difference, b, out=b)
    return b.fill_(math.nan) if is_negative else b.abs_().log1p_().copysign_(difference)


def _squared_log_error(p: Any, t: Any, slopes: Any, *, epsilon: float) -> Any:
    shifted, given, difference = scratch(p, 3)
    torch.add(p, epsilon, out=shifted)
    ratio = _log_ratio(
        shifted, torch.add(t, epsilon, out=given), torch.sub(p, t, out=difference)
    )
    if slopes is not None:
        torch.div(ratio, shifted, out=slopes)
    return ratio.mul_(ratio).sum()


def _poisson_error(p: Any, t: Any, slopes: Any, *, epsilon: float) -> Any | None:
    if epsilon > torch.finfo(p.dtype).eps:
        return None  # near 1 the sum has not all digits of its logarithm
    (shifted,) = scratch(p, 1)
    torch.add(p, epsilon, out=shifted)
    if slopes is not None:
        torch.sub(p, t, out=slopes).add_(epsilon).div_(shifted)
    return torch.sub(p, shifted.log_().mul_(t), out=shifted).sum()


# --- margins -------------------------------------------------------------------------------------


def _missing(p: Any, t: Any) -> Any:
    """max(0, 1 - t p)."""
    (missing,) = scratch(p, 1)
    return torch.mul(t, p, out=missing).neg_().add_(1).relu_()


def _hinge_error(p: Any, t: Any, slopes: Any) -> Any:
    missing = _missing(p, t)
    if slopes is not None:
        torch.sign(missing, out=slopes).mul_(t)
    return missing.sum()


def _squared_hinge_error(p: Any, t: Any, slopes: Any) -> Any:
    missing = _missing(p, t)
    if slopes is not None:
        torch.mul(missing, t, out=slopes)
    return missing.mul_(missing).sum()


# --- probabilities -------------------------------------------------------------------------------


def _binary_cross_entropy(
    p: Any, t: Any, slopes: Any, *, epsilon: float, label_smoothing: float
) -> Any | None:
    if label_smoothing or epsilon not in (0, torch.finfo(p.dtype).eps):
        return None
    shifted, rest, buffer = scratch(p, 3)
    torch.add(p, epsilon, out=shifted)
    torch.neg(t, out=rest).add_(1)
    if slopes is not None:
        # (1 - t) / (1 - p + e) - t / (p + e), over one denominator
        torch.sub(p, t, out=slopes).add_(torch.sub(rest, t, out=buffer), alpha=epsilon)
        slopes.div_(torch.sub(p, 1, out=buffer).neg_().add_(epsilon).mul_(shifted))
    absent = torch.neg(p, out=buffer).add_(epsilon).log1p_()
    return shifted.log_().mul_(t).addcmul_(absent, rest).sum().neg_()


def _binary_cross_entropy_logits(
    z: Any, t: Any, slopes: Any, *, label_smoothing: float
) -> Any | None:
    if label_smoothing:
        return None
    # With b = 1 where z >= 0, else 0, and r = sigmoid(-|z|), the share of the less probable class:
    # item = (b - t) z - log1p(-r), slope = b - t - 2 b r + r, and no digit of a small 1 - t is
    # lost.
    positive, less, share, buffer = scratch(z, 4)
    torch.ge(z, 0, out=positive)
    torch.abs(z, out=less).neg_().sigmoid_()
    torch.sub(positive, t, out=share)
    linear = torch.mul(share, z, out=buffer).sum()
    if slopes is not None:
        torch.add(share.addcmul_(positive, less, value=-2), less, out=slopes)
    return linear.sub_(_log_of_rests(less, buffer))


def _log_of_rests(r: Any, buffer: Any) -> Any:
    """Sum of log(1 - r) for numbers up to 1/2, in their memory and another's of their size."""
    if len(r) >= _MANY and len(r) % 4 == 0:
        # One logarithm for four: (1 - a) (1 - b) is 1 - (a + b - a b), whose digits are all there.
        for _ in range(2):
            a, b = r.chunk(2)
            r, buffer = torch.add(a, b, out=buffer[: len(a)]).addcmul_(a, b, value=-1), r
    return r.neg_().log1p_().sum()


def _divergence_terms(p: Any, t: Any, slopes: Any, *, epsilon: float) -> Any:
    shifted, positive, difference = scratch(p, 3)
    torch.add(p, epsilon, out=shifted)
    if slopes is not None:
        torch.div(t, shifted, out=slopes)
    # 1 in place of a target of 0, whose term is 0.
    torch.eq(t, 0, out=positive).add_(t)
    ratio = _log_ratio(shifted, positive, torch.sub(p, t, out=difference).add_(epsilon))
    return ratio.mul_(t).sum().neg_()


# --- any rule ------------------------------------------------------------------------------------

_OWN: Mapping[str, Callable[..., Any]] = {"huber_error": _huber}
"""Losses of torch itself, by the name of the rule whose items' mean they are."""

_SHORTER: Mapping[str, tuple[Compute, float]] = {
    "absolute_error": (_absolute_error, 1),
    "squared_log_error": (_squared_log_error, 2),
    "poisson_error": (_poisson_error, 1),
    "hinge_error": (_hinge_error, -1),
    "squared_hinge_error": (_squared_hinge_error, -2),
    "binary_cross_entropy": (_binary_cross_entropy, 1),
    "binary_cross_entropy_logits": (_binary_cross_entropy_logits, 1),
    "divergence_terms": (_divergence_terms, -1),
}
"""Computations in fewer operations than the rule's, by its name, with the factor of the slopes."""


def _by_rule(rule: Any, p: Any, t: Any, slopes: Any, scale: float, **settings: Any) -> Any:
    if slopes is None:
        return rule.plain(p, t, **settings).sum()
    items, residuals = rule.rule.forward(p, t, **settings)
    slopes.copy_(rule.rule.pullback(residuals, p.new_tensor(scale), **settings)[0])
    return items.sum()


def _in_blocks(
    rule: Any, count: int, settings: Mapping[str, Any], p: Any, t: Any, is_wanted: bool
) -> Found:
    shorter, factor = _SHORTER.get(rule.__name__, (None, 1.0))

    def block(p: Any, t: Any, slopes: Any) -> Any:
        """The sum of the items, with the mean's slopes written."""
        total = None if shorter is None else shorter(p, t, slopes, **settings)
        if total is None:
            return _by_rule(rule, p, t, slopes, 1 / count, **settings)
        if slopes is not None:
            slopes.mul_(factor / count)
        return total

    slopes = flat = None
    if is_wanted:
        slopes = torch.empty_like(p, memory_format=torch.contiguous_format)
        flat = slopes.view(-1)
    size, p, t = p.numel(), p.reshape(-1), t.reshape(-1)
    if size <= BLOCK:
        return block(p, t, flat).div_(count), slopes
    total = 0.0
    for start in range(0, size, BLOCK):
        place = slice(start, start + BLOCK)
        total += block(p[place], t[place], None if flat is None else flat[place]).item()
    return p.new_tensor(total / count), slopes


def _mean_of_items(
    neutral: Neutral, p: Any, t: Any, rule: Any, dim: int | None = None, **settings: Any
) -> Any:
    own = _OWN.get(rule.__name__)
    if own is not None and is_eager(p, t):
        return own(p, t, **settings)
    by_definition = definition(neutral, rule, dim, **settings)
    count = p.numel() // (1 if dim is None else max(p.shape[dim], 1))
    return run(functools.partial(_in_blocks, rule, count, settings), by_definition, p, t)


# --- masks ---------------------------------------------------------------------------------------


def _dice(smooth: float, p: Any, t: Any, is_wanted: bool) -> Found:
    samples = len(p) if p.ndim > 1 else 1
    slopes = torch.empty_like(p, memory_format=torch.contiguous_format)
    p, t, buffer = (array.reshape(samples, -1) for array in (p, t, slopes))

    def summed(product: Any) -> Any:
        return product.sum(1, keepdim=True)

    total = summed(torch.mul(p, p, out=buffer)).add_(smooth)
    total += summed(torch.mul(t, t, out=buffer))
    value = summed(torch.sub(p, t, out=buffer).mul_(buffer)).div_(total)
    loss = value.mean()
    if not is_wanted:
        return loss, None
    # As the rule has it: p - t less the loss's share of p, or the coefficient's share of p less t.
    coefficient = summed(torch.mul(p, t, out=buffer)).mul_(2).add_(smooth).div_(total)
    is_close = value < 0.5
    kept, lost = torch.where(is_close, 1.0, coefficient), torch.where(is_close, value, 0.0)
    torch.mul(p, kept, out=buffer).sub_(t).addcmul_(p, lost, value=-1)
    buffer.mul_(total.reciprocal_().mul_(2 / samples))
    return loss, slopes


def _dice_mean(neutral: Neutral, p: Any, t: Any, smooth: float) -> Any:
    return run(functools.partial(_dice, smooth), definition(neutral, smooth), p, t)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "mse": PartialKernel(_mse),
    "mean_of_items": PartialKernel(_mean_of_items),
    "dice_mean": PartialKernel(_dice_mean),
}
