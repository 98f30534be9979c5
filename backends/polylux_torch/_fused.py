"""Functions whose value and gradient come from one computation: how they are differentiated."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from polylux_torch._beginning import begin_at
from polylux_torch._functional import is_functional
from polylux_torch._gradient import forward_ad
from polylux_torch._rules import is_differentiated
from polylux_torch._state import STATE

Neutral = Callable[..., Any]
Found = tuple[Any, Any]
"""Value, and gradient by the prediction; this is None if it was not wanted."""

FULL = (torch.float32, torch.float64)

MEAN = 1
"""The reduction of torch's own losses, where they are called without `torch.nn.functional`."""


class _Fused(torch.autograd.Function):
    """The value, with the gradient kept for the backward pass.

    A value of several entries has one for each lane along `dim` of the prediction.
    """

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
        slope = None if is_differentiated() else _taken_slope(ctx)
        if slope is None:
            p, t = ctx.saved_tensors
            return None, None, None, neutral_gradient(ctx.neutral, p, t, g), None
        return None, None, None, scaled(slope, g, ctx.dim), None


def _taken_slope(ctx: Any) -> Any:
    """The buffer, given away; a second backward pass, which gets None, has to find its own."""
    slope, ctx.slope = ctx.slope, None
    return slope


_fused: Callable[..., Any] = _Fused.apply
"""`_fused(compute, neutral, dim, prediction, target)`, for a prediction that is differentiated."""

# What `torch.autograd.grad(..., is_grads_batched=True)` hands to backward passes.
_is_legacy_batched: Callable[[Any], bool] = torch._C._functorch.is_legacy_batchedtensor


def definition(neutral: Neutral, *settings: Any, **named: Any) -> Neutral:
    """A neutral definition as a function of prediction and target alone."""
    return lambda p, t: neutral(p, t, *settings, **named)


def scaled(slope: Any, g: Any, dim: int | None = None) -> Any:
    """The slope times the cotangent, which has no axis `dim` if one is given; in its place."""
    is_of_several = is_functional() or _is_legacy_batched(g)  # cotangents at once, by vmap
    if g.ndim and dim is not None:
        g = g.unsqueeze(dim)
    if is_of_several:
        return slope * g
    return slope.mul_(g) if g.ndim or g.item() != 1 else slope


def neutral_gradient(neutral: Neutral, p: Any, t: Any, g: Any) -> Any:
    is_wanted = is_differentiated()
    with torch.enable_grad():
        alias = p.view_as(p) if is_wanted else p.detach().requires_grad_()
        value = neutral(alias, t)
        return torch.autograd.grad(value, alias, g, create_graph=is_wanted)[0]


def has_memory(x: Any) -> bool:
    """Whether a tensor has memory here, and there are no derivatives of it but in reverse."""
    return (
        type(x) is not FakeTensor
        and x.is_cpu
        and x.dtype in FULL
        and x.numel() > 0
        and not STATE.staging
        and not torch.compiler.is_dynamo_compiling()
        and forward_ad._current_level < 0
        and not is_functional()
    )


def is_eager(p: Any, t: Any) -> bool:
    """Whether a loss can be found at once, as its derivative is by the prediction alone."""
    return has_memory(p) and not t.requires_grad


def run(compute: Callable[..., Found], neutral: Neutral, p: Any, t: Any, dim: int = -1) -> Any:
    """From `compute(prediction, target, is_wanted) -> (value, gradient)`, where it applies.

    The value is one number or one for each lane along `dim`. It must be NaN wherever value or
    gradient are not those of the definition.
    """
    if not is_eager(p, t):
        return neutral(p, t)
    if p.requires_grad and torch.is_grad_enabled():
        value = _fused(compute, neutral, dim, p, t)
        begin_at(value, p, functools.partial(_taken_slope, value.grad_fn), t)
    else:
        value, _ = compute(p, t, False)
    # Such as 0 * inf, which the definitions leave out.
    is_nan = value.isnan().any() if value.ndim else math.isnan(value.item())
    return neutral(p, t) if is_nan else value
