"""Native kernels by name: torch's own functions where they are faster than the neutral definition.

Each equals the definition of the same name in the core, kinks and second derivatives included. In
the tails of sigmoid (its derivative) and gelu, torch keeps the digits of 1 and not of the result:
absolute errors stay at the rounding of 1, relative ones do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from polylux_torch import _convolution, _dropout, _normalization
from polylux_torch._gradient import STATE

_LINEAR_ABOVE = 40.0
"""From here softplus(x) is x in float64, as exp(-40) is 4e-18; at torch's 20 it is off by 2e-9."""


def _softplus(x: Any) -> Any:
    return F.softplus(x, threshold=_LINEAR_ABOVE)


def _gelu(x: Any, approximate: bool = False) -> Any:
    return F.gelu(x, approximate="tanh" if approximate else "none")


def _softmax(x: Any, dim: int = -1) -> Any:
    return torch.exp(_log_softmax(x, dim)) if STATE.forward else torch.softmax(x, dim)


def _log_softmax(x: Any, dim: int = -1) -> Any:
    if STATE.forward:
        # The forward rules of softmax and its kin write over what their own backward pass needs.
        shifted = x - torch.amax(x, dim, keepdim=True).detach()
        return shifted - torch.log(torch.exp(shifted).sum(dim, keepdim=True))
    return torch.log_softmax(x, dim)


def _dense(x: Any, weight: Any, bias: Any) -> Any:
    if bias is None:
        return x @ weight
    if x.ndim == 2:
        return torch.addmm(bias, x, weight)
    return x @ weight + bias


def _mse(prediction: Any, target: Any) -> Any:
    if STATE.forward:
        # The forward rule of mse_loss's backward pass fails where the target has no tangent.
        difference = prediction - target
        return torch.mean(difference * difference)
    return F.mse_loss(prediction, target)


def _softmax_cross_entropy(logits: Any, target: Any, dim: int) -> Any:
    # The sign goes to the target, which needs no derivative as a rule: one node less on the graph.
    return (target.neg() * _log_softmax(logits, dim)).sum(dim)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "relu": torch.relu,
    "rsqrt": torch.rsqrt,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": _softplus,
    "gelu": _gelu,
    "log_sigmoid": F.logsigmoid,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "dense": _dense,
    "mse": _mse,
    "softmax_cross_entropy": _softmax_cross_entropy,
    **_convolution.KERNELS,
    **_normalization.KERNELS,
    **_dropout.KERNELS,
}
