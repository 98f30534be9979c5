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
from polylux_torch._fused import has_memory
from polylux_torch._rules import custom_rule
from polylux_torch._state import STATE

_LINEAR_ABOVE = 40.0
"""From here softplus(x) is x in float64, as exp(-40) is 4e-18; at torch's 20 it is off by 2e-9."""

_SATURATED = 800.0
"""From here exp(-x) is 0 in float64, and the logistic function is 0 or 1."""

def rule(function: Callable[..., Any], derivative: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one array with `derivative(value, x)` for its own."""
    name = function.__name__.lstrip("_")
    return custom_rule(DerivativeRule.from_derivative(name, function, derivative))


def _sigmoid_slope(y: Any, x: Any) -> Any:
    return y * sigmoid(-x)


sigmoid = rule(torch.sigmoid, _sigmoid_slope)


def _softplus_value(x: Any) -> Any:
    return F.softplus(x, threshold=_LINEAR_ABOVE)


_softplus = rule(_softplus_value, lambda y, x: sigmoid(x))
_log_sigmoid = rule(F.logsigmoid, lambda y, x: sigmoid(-x))


def _silu_value(x: Any) -> Any:
    return F.silu(x.clamp(min=-_SATURATED))


def _silu_slope(y: Any, x: Any) -> Any:
    return sigmoid(x) * (1 + x.clamp(-_SATURATED, _SATURATED) * sigmoid(-x))


_silu = rule(_silu_value, _silu_slope)


def _softmax(x: Any, dim: int = -1) -> Any:
    if has_memory(x):
        y = torch.softmax(x, dim)
        # A lane with an infinite entry is NaN; if none is, there is no need to look at all of `x`.
        if not math.isnan(y.detach().select(dim, 0).sum().item()):
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
    "sigmoid": sigmoid,
    "silu": _silu,
    "softplus": _softplus,
    "log_sigmoid": _log_sigmoid,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}
