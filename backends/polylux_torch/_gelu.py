"""gelu, which is x Phi(x), where Phi(x) is the probability that a normal variable is below x.

torch's own is right to 1e-7 of the largest entry, and below -5 there is no more than that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from polylux_torch._activations import rule, sigmoid
from polylux_torch._fused import FULL, has_memory, neutral_gradient, scaled
from polylux_torch._rules import is_differentiated

_FAR = 40.0
_FAR_APPROXIMATE = 30.0
"""Beyond these the normal tail, or its approximation, is 0 in float64."""

_EXPONENT = -0.5 * math.log2(math.e)
"""Times x * x, and `_LARGEST` added, of which power of 2 the density at x is: torch finds these in
half the time that powers of e take."""


def _numbers(value: float) -> Mapping[torch.dtype, Any]:
    """For `addcmul`, which adds a product of arrays to a tensor, in one pass through memory."""
    return {dtype: torch.tensor(value, dtype=dtype, device="cpu") for dtype in FULL}


_ZERO, _LARGEST = _numbers(0.0), _numbers(-0.5 * math.log2(2 * math.pi))


def _probability_value(x: Any) -> Any:
    return torch.erfc(x * -math.sqrt(0.5)) / 2


def _density(_: Any, x: Any) -> Any:
    return torch.exp(x * x / -2) / math.sqrt(2 * math.pi)


_probability = rule(_probability_value, _density)


def _by_parts(x: Any, approximate: bool = False) -> Any:
    wide = x if x.dtype in FULL else x.float()
    if approximate:
        near = wide.clamp(-_FAR_APPROXIMATE, _FAR_APPROXIMATE)
        beyond = torch.relu(wide - _FAR_APPROXIMATE)
        share = sigmoid(math.sqrt(8 / math.pi) * (near + 0.044715 * near * near * near))
    else:
        near = wide.clamp(-_FAR, _FAR)
        beyond = torch.relu(wide - _FAR)
        share = _probability(near)
    # In two summands, as inf * 0 would be NaN in a derivative.
    return (beyond + near * share).to(x.dtype)


class _InMemory(torch.autograd.Function):
    """The slope is found in the backward pass, from the value, and not kept for it.

    What a forward pass keeps is new memory to every step, which the system clears page by page.
    """

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        value = _value(x)
        ctx.save_for_backward(x)
        # Not saved as `x` is: torch would refuse to go back if the caller writes into its value.
        ctx.value, ctx.version = value.detach(), value._version
        return value

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        if is_differentiated():
            return neutral_gradient(lambda x, _: _by_parts(x), x, None, g)
        value, ctx.value = ctx.value, None
        if value is None or value._version != ctx.version:
            value = _value(x)
        return scaled(_slope(x, value), g)


_in_memory: Callable[[Any], Any] = _InMemory.apply


def _value(x: Any) -> Any:
    value = torch.mul(x, -math.sqrt(0.5)).erfc_()
    torch.addcmul(_ZERO[x.dtype], value, x, value=0.5, out=value)
    if math.isfinite(value.sum().item()):
        return value
    near = x.clamp(min=-_FAR)  # 0 * -inf is NaN
    return _probability_value(near).mul_(near)


def _slope(x: Any, value: Any) -> Any:
    """Phi(x) + x phi(x), where Phi(x) is the value over x."""
    slope = torch.addcmul(_LARGEST[x.dtype], x, x, value=_EXPONENT)
    slope.exp2_().mul_(x).addcdiv_(value, x)
    if math.isfinite(slope.sum().item()):
        return slope
    near = x.clamp(-_FAR, _FAR)  # 0 / 0, or infinity
    return _probability_value(near).addcmul_(_density(None, near), near)


def _gelu(x: Any, approximate: bool = False) -> Any:
    if approximate or not has_memory(x):
        return _by_parts(x, approximate)
    if x.requires_grad and torch.is_grad_enabled():
        return _in_memory(x)
    return _value(x)


KERNELS: Mapping[str, Callable[..., Any]] = {"gelu": _gelu}
