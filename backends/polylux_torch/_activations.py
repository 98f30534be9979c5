"""Activations: torch's own functions where they are right, and its derivatives where those are.

Its derivatives keep the digits of 1 and not of the result (`(1 - y) * y` for sigmoid), and its
second ones are NaN or 0 far out: those are rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from polylux.backend import DerivativeRule
from polylux_torch._fused import FULL, Found, fused, has_memory
from polylux_torch._gradient import STATE
from polylux_torch._rules import custom_rule
from polylux_torch._scratch import BLOCK, scratch

_LINEAR_ABOVE = 40.0
"""From here softplus(x) is x in float64, as exp(-40) is 4e-18; at torch's 20 it is off by 2e-9."""

_SATURATED = 800.0
"""From here exp(-x) is 0 in float64, and the logistic function is 0 or 1."""

_FAR = 40.0
_FAR_APPROXIMATE = 30.0
"""Beyond these the normal tail, or its approximation, is 0 in float64."""


def _rule(function: Callable[..., Any], derivative: Callable[..., Any]) -> Callable[..., Any]:
    name = function.__name__.lstrip("_")
    return custom_rule(DerivativeRule.from_derivative(name, function, derivative))


def _sigmoid_slope(y: Any, x: Any) -> Any:
    return y * _sigmoid(-x)


_sigmoid = _rule(torch.sigmoid, _sigmoid_slope)


def _softplus_value(x: Any) -> Any:
    return F.softplus(x, threshold=_LINEAR_ABOVE)


_softplus = _rule(_softplus_value, lambda y, x: _sigmoid(x))
_log_sigmoid = _rule(F.logsigmoid, lambda y, x: _sigmoid(-x))


def _silu_value(x: Any) -> Any:
    return F.silu(x.clamp(min=-_SATURATED))


def _silu_slope(y: Any, x: Any) -> Any:
    return _sigmoid(x) * (1 + x.clamp(-_SATURATED, _SATURATED) * _sigmoid(-x))


_silu = _rule(_silu_value, _silu_slope)


def _normal_probability_value(x: Any) -> Any:
    return torch.erfc(x * -math.sqrt(0.5)) / 2


def _density(_: Any, x: Any) -> Any:
    return torch.exp(x * x / -2) / math.sqrt(2 * math.pi)


_normal_probability = _rule(_normal_probability_value, _density)


def _gelu_by_parts(x: Any, approximate: bool = False) -> Any:
    wide = x if x.dtype in FULL else x.float()
    if approximate:
        near = wide.clamp(-_FAR_APPROXIMATE, _FAR_APPROXIMATE)
        beyond = torch.relu(wide - _FAR_APPROXIMATE)
        share = _sigmoid(math.sqrt(8 / math.pi) * (near + 0.044715 * near * near * near))
    else:
        near = wide.clamp(-_FAR, _FAR)
        beyond = torch.relu(wide - _FAR)
        share = _normal_probability(near)
    # In two summands, as inf * 0 would be NaN in a derivative.
    return (beyond + near * share).to(x.dtype)


def _gelu_in_blocks(x: Any, _: None, is_wanted: bool) -> Found:
    """The value, and the slope Phi(x) + x phi(x) if it is wanted, from u = -x / sqrt(2)."""
    shape, x = x.shape, x.reshape(-1)
    value = torch.empty_like(x)
    slope = torch.empty_like(x) if is_wanted else value
    for near, y, s in zip(*[torch.split(a, BLOCK) for a in (x, value, slope)], strict=True):
        (u,) = scratch(near, 1)
        torch.mul(near, -math.sqrt(0.5), out=u)
        is_far = not math.isfinite(u.sum().item())  # 0 * inf is NaN
        if is_far:
            near = near.clamp(min=-_FAR)
            torch.mul(near, -math.sqrt(0.5), out=u)
        torch.erfc(u, out=y).mul_(0.5)
        if is_wanted:
            if is_far:
                u.clamp_(min=-_FAR)
            torch.mul(u, u, out=s).neg_().exp_()
            torch.addcmul(y, s, u, value=-math.sqrt(1 / math.pi), out=s)
        y.mul_(near)
    return value.view(shape), slope.view(shape) if is_wanted else None


def _gelu(x: Any, approximate: bool = False) -> Any:
    if approximate or not has_memory(x):
        return _gelu_by_parts(x, approximate)
    if x.requires_grad and torch.is_grad_enabled():
        return fused(_gelu_in_blocks, lambda x, _: _gelu_by_parts(x), None, x, None)
    return _gelu_in_blocks(x, None, False)[0]


def _softmax(x: Any, dim: int = -1) -> Any:
    if has_memory(x):
        y = torch.softmax(x, dim)
        # A lane with an infinite entry is NaN; if none is, there is no need to look at all of `x`.
        if not y.detach().select(dim, 0).isnan().any():
            return y
    capped = x.clamp(max=torch.finfo(x.dtype).max)
    if STATE.forward:
        return torch.exp(_finite_log_softmax(capped, dim))
    return torch.softmax(capped, dim)


def _log_softmax(x: Any, dim: int = -1) -> Any:
    largest = torch.finfo(x.dtype).max
    result = _finite_log_softmax(x.clamp(max=largest), dim)
    # Beside an entry of inf the finite ones have the logarithm of 0.
    is_infinite = torch.isinf(torch.amax(x.detach(), dim, keepdim=True).clamp(min=0))
    return torch.where(is_infinite & (x.detach() <= largest), result - torch.inf, result)


def _finite_log_softmax(x: Any, dim: int) -> Any:
    if STATE.forward:
        # The forward rules of softmax and its kin write over what their own backward pass needs.
        shifted = x - torch.amax(x, dim, keepdim=True).detach()
        return shifted - torch.log(torch.exp(shifted).sum(dim, keepdim=True))
    return torch.log_softmax(x, dim)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "softplus": _softplus,
    "gelu": _gelu,
    "log_sigmoid": _log_sigmoid,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}
