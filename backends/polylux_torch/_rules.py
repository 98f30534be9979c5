"""Custom derivative rules, as `torch.autograd.Function`s.

The residuals are outputs of the function that no derivative flows through: that is the one way to
keep them which eager torch, `torch.func` and vmap all understand. Where the derivative is itself
differentiated they are computed anew, so that it flows through them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from polylux.backend import DerivativeRule
from polylux_torch._gradient import forward_ad

Arrays = tuple[Any, ...]


def custom_rule(rule: DerivativeRule) -> Callable[..., Any]:
    """`rule.plain` as a function whose derivatives are the rule's."""
    function = _function_of(rule)

    def apply(*operands: Any, **settings: Any) -> Any:
        call = _Call(settings)
        outputs = function.apply(call, *operands)
        return outputs[: call.count] if call.is_tuple else outputs[0]

    return apply


class _Call:
    """One application: its settings, and what its forward pass says of outputs and residuals."""

    __slots__ = ("count", "is_tuple", "residuals", "settings")

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.is_tuple = False
        self.count = 1
        """How many of the function's outputs are the rule's; the others are residuals."""
        self.residuals: tuple[int, ...] = ()
        """Place of each residual among operands, outputs and extra outputs."""

    def like_output(self, arrays: Arrays) -> Any:
        return arrays if self.is_tuple else arrays[0]


def _function_of(rule: DerivativeRule) -> Any:
    """The subclass of `torch.autograd.Function` for a rule."""

    def forward(call: _Call, *operands: Any) -> Arrays:
        output, residuals = rule.forward(*operands, **call.settings)
        call.is_tuple = isinstance(output, tuple)
        outputs = output if isinstance(output, tuple) else (output,)
        # torch returns an operand that comes back unchanged as another tensor, or refuses it.
        outputs = tuple(
            [o.view_as(o) if any(o is x for x in operands) else o for o in outputs]
        )
        kept = [*operands, *outputs]
        places = []
        for residual in residuals:
            place = next((i for i, known in enumerate(kept) if known is residual), len(kept))
            if place == len(kept):
                kept.append(residual)
            places.append(place)
        call.count = len(outputs)
        call.residuals = tuple(places)
        return tuple(kept[len(operands) :])

    def setup_context(ctx: Any, inputs: Any, output: Arrays) -> None:
        call, *operands = inputs
        ctx.call = call
        ctx.size = len(operands)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*output[call.count :])
        ctx.save_for_backward(*operands, *output)
        ctx.save_for_forward(*operands, *output)

    def residuals_of(ctx: Any) -> tuple[Arrays, Arrays]:
        """The operands, and the residuals: those kept, or new ones that are differentiable."""
        saved = ctx.saved_tensors
        operands = saved[: ctx.size]
        call = ctx.call
        if torch.is_grad_enabled() or forward_ad._current_level >= 0:
            kept = ctx.size + call.count
            if any(place >= kept for place in call.residuals):
                return operands, rule.forward(*operands, **call.settings)[1]
        return operands, tuple([saved[place] for place in call.residuals])

    def backward(ctx: Any, *gradients: Any) -> Any:
        call = ctx.call
        operands, residuals = residuals_of(ctx)
        outputs = ctx.saved_tensors[ctx.size : ctx.size + call.count]
        cotangents = tuple(
            [
                torch.zeros_like(o) if g is None else g
                for g, o in zip(gradients, outputs, strict=False)
            ]
        )
        cotangent = call.like_output(cotangents)
        parts = rule.cotangents(operands, residuals, cotangent, call.settings)
        return None, *[
            part if operand.is_floating_point() else None
            for part, operand in zip(parts, operands, strict=True)
        ]

    def jvp(ctx: Any, _: Any, *tangents: Any) -> Any:
        call = ctx.call
        operands, residuals = residuals_of(ctx)
        outputs = ctx.saved_tensors[ctx.size : ctx.size + call.count]
        if rule.pushforward is not None:
            tangent = rule.pushforward(residuals, *tangents, **call.settings)
        else:
            tangent = _transposed(rule, call, operands, residuals, outputs, tangents)
        found = tangent if call.is_tuple else (tangent,)
        return *found, *[None] * (len(ctx.saved_tensors) - ctx.size - call.count)

    members = {
        "forward": staticmethod(forward),
        "setup_context": staticmethod(setup_context),
        "backward": staticmethod(backward),
        "jvp": staticmethod(jvp),
        "generate_vmap_rule": True,
    }
    return type(rule.name, (torch.autograd.Function,), members)


def _transposed(
    rule: DerivativeRule,
    call: _Call,
    operands: Arrays,
    residuals: Arrays,
    outputs: Arrays,
    tangents: Arrays,
) -> Any:
    """The pushforward as the transpose of the pullback, which is linear in its cotangent."""
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]

    def pulled(*cotangents: Any) -> Arrays:
        parts = rule.cotangents(
            operands, residuals, call.like_output(cotangents), call.settings
        )
        return tuple(
            [torch.zeros_like(operands[i]) if parts[i] is None else parts[i] for i in moving]
        )

    zeros = tuple([torch.zeros_like(o) for o in outputs])
    transpose: Callable[..., Any] = torch.func.vjp(pulled, *zeros)[1]
    return call.like_output(transpose(tuple([tangents[i] for i in moving])))
