"""Custom derivative rules, as `torch.autograd.Function`s.

Each rule has two. The plain one keeps its residuals on the graph's node, at the least cost. Under
`torch.func` a function may keep only what it takes and returns, so there the residuals are further
outputs, through which no derivative flows. In both, a derivative that is itself differentiated has
the residuals computed anew, so that it flows through them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from polylux.backend import DerivativeRule
from polylux_torch._functional import is_functional
from polylux_torch._gradient import forward_ad

Arrays = tuple[Any, ...]
Settings = dict[str, Any]


def custom_rule(rule: DerivativeRule) -> Callable[..., Any]:
    """`rule.plain` as a function whose derivatives are the rule's."""
    plain = (_elementwise_function if rule.elementwise else _function)(rule).apply
    transformed = _transformed_function(rule)

    def apply(*operands: Any, **settings: Any) -> Any:
        if torch.compiler.is_dynamo_compiling():
            return _outside_of_dynamo(apply)(*operands, **settings)
        if is_functional():
            call = _Call(settings)
            outputs = transformed.apply(call, *operands)
            return outputs[: call.count] if call.is_tuple else outputs[0]
        if not is_differentiated():  # as in most backward passes
            return rule.plain(*operands, **settings)
        return plain(settings, *operands)

    return apply


# --- eager -------------------------------------------------------------------------------------


def _elementwise_function(rule: DerivativeRule) -> Any:
    """For a rule given by its derivative, whose residuals are output and operands."""
    plain, pullback, pushforward = rule.plain, rule.pullback, rule.pushforward
    assert pushforward is not None

    def forward(ctx: Any, settings: Settings, *operands: Any) -> Any:
        output = plain(*operands, **settings)
        if any(output is x for x in operands):
            output = output.view_as(output)
        ctx.settings = settings
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(output, *operands)
        ctx.save_for_forward(output, *operands)
        return output

    def backward(ctx: Any, gradient: Any) -> Any:
        residuals = ctx.saved_tensors
        if gradient is None:
            return (None,) * len(residuals)
        return None, *_of_floats(pullback(residuals, gradient, **ctx.settings), residuals[1:])

    def jvp(ctx: Any, _: Any, *tangents: Any) -> Any:
        return pushforward(ctx.saved_tensors, *tangents, **ctx.settings)

    return _class(rule, forward=forward, backward=backward, jvp=jvp)


def _function(rule: DerivativeRule) -> Any:
    """For a rule given by a forward and a pullback."""

    def forward(ctx: Any, settings: Settings, *operands: Any) -> Any:
        output, residuals = rule.forward(*operands, **settings)
        ctx.is_tuple = isinstance(output, tuple)
        outputs = output if ctx.is_tuple else (output,)
        # torch refuses an operand that comes back unchanged.
        outputs = tuple([o.view_as(o) if any(o is x for x in operands) else o for o in outputs])
        ctx.settings = settings
        ctx.size = len(operands)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*_without_derivative(outputs))
        # Outputs among the residuals must not be kept by the node, which they hold themselves.
        kept = (*operands, *outputs)
        places = [_place(residual, kept) for residual in residuals]
        ctx.residuals = [
            (place, residual if place is None else None)
            for place, residual in zip(places, residuals, strict=True)
        ]
        ctx.save_for_backward(*kept)
        ctx.save_for_forward(*kept)
        return outputs if ctx.is_tuple else outputs[0]

    def residuals_of(ctx: Any, saved: Arrays) -> Arrays:
        others = tuple([kept for _, kept in ctx.residuals])
        if is_differentiated() and any(place is None for place, _ in ctx.residuals):
            others = rule.forward(*saved[: ctx.size], **ctx.settings)[1]
        return tuple(
            [
                other if place is None else saved[place]
                for (place, _), other in zip(ctx.residuals, others, strict=True)
            ]
        )

    def backward(ctx: Any, *gradients: Any) -> Any:
        saved = ctx.saved_tensors
        operands = saved[: ctx.size]
        cotangents = _filled(gradients, saved[ctx.size :])
        cotangent = cotangents if ctx.is_tuple else cotangents[0]
        residuals = residuals_of(ctx, saved)
        parts = rule.cotangents(operands, residuals, cotangent, ctx.settings)
        return None, *_of_floats(parts, operands)

    def jvp(ctx: Any, _: Any, *tangents: Any) -> Any:
        saved = ctx.saved_tensors
        residuals = residuals_of(ctx, saved)
        operands, outputs = saved[: ctx.size], saved[ctx.size :]
        return _pushed(
            rule, operands, residuals, outputs, tangents, ctx.settings, ctx.is_tuple
        )

    return _class(rule, forward=forward, backward=backward, jvp=jvp)


# --- under torch.func ---------------------------------------------------------------------------


class _Call:
    """One application: its settings, and what its forward pass says of outputs and residuals."""

    __slots__ = ("count", "is_tuple", "residuals", "settings")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.is_tuple = False
        self.count = 1
        """How many of the function's outputs are the rule's; the others are residuals."""
        self.residuals: tuple[int, ...] = ()
        """Place of each residual among operands, outputs and further outputs."""


def _transformed_function(rule: DerivativeRule) -> Any:
    def forward(call: _Call, *operands: Any) -> Arrays:
        output, residuals = rule.forward(*operands, **call.settings)
        call.is_tuple = isinstance(output, tuple)
        outputs = output if isinstance(output, tuple) else (output,)
        outputs = tuple([o.view_as(o) if any(o is x for x in operands) else o for o in outputs])
        kept = [*operands, *outputs]
        places = []
        for residual in residuals:
            place = _place(residual, kept)
            if place is None:
                place = len(kept)
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
        ctx.mark_non_differentiable(
            *_without_derivative(output[: call.count]), *output[call.count :]
        )
        ctx.save_for_backward(*operands, *output)
        ctx.save_for_forward(*operands, *output)

    def parts_of(ctx: Any, saved: Arrays) -> tuple[Arrays, Arrays, Arrays]:
        """Operands, outputs and residuals."""
        call = ctx.call
        end = ctx.size + call.count
        operands, outputs = saved[: ctx.size], saved[ctx.size : end]
        residuals = [saved[place] for place in call.residuals]
        if is_differentiated() and any(place >= end for place in call.residuals):
            again = rule.forward(*operands, **call.settings)[1]
            residuals = [
                saved[place] if place < end else residual
                for place, residual in zip(call.residuals, again, strict=True)
            ]
        return operands, outputs, tuple(residuals)

    def backward(ctx: Any, *gradients: Any) -> Any:
        operands, outputs, residuals = parts_of(ctx, ctx.saved_tensors)
        cotangents = _filled(gradients, outputs)
        cotangent = cotangents if ctx.call.is_tuple else cotangents[0]
        parts = rule.cotangents(operands, residuals, cotangent, ctx.call.settings)
        return None, *_of_floats(parts, operands)

    def jvp(ctx: Any, _: Any, *tangents: Any) -> Any:
        saved, call = ctx.saved_tensors, ctx.call
        further = len(saved) - ctx.size - call.count
        # torch switches forward mode off here, for the levels further out too, whose tangents would
        # be lost. What is saved has those of this level, and no tangent may have a tangent itself.
        saved = tuple([forward_ad.unpack_dual(tensor, level=0).primal for tensor in saved])
        with forward_ad._set_fwd_grad_enabled(True):
            operands, outputs, residuals = parts_of(ctx, saved)
            found = _pushed(
                rule, operands, residuals, outputs, tangents, call.settings, call.is_tuple
            )
        return *(found if call.is_tuple else (found,)), *[None] * further

    result = _class(
        rule, forward=forward, setup_context=setup_context, backward=backward, jvp=jvp
    )
    result.generate_vmap_rule = True
    return result


# --- what both do -------------------------------------------------------------------------------


def _class(rule: DerivativeRule, **methods: Callable[..., Any]) -> Any:
    members = {name: staticmethod(method) for name, method in methods.items()}
    return type(rule.name, (torch.autograd.Function,), members)


def _place(array: Any, among: Sequence[Any]) -> int | None:
    """Where an object stands among others, by identity."""
    return next((i for i, known in enumerate(among) if known is array), None)


def _outside_of_dynamo(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one that `torch.compile` does not look into.

    It would leave the rule out inside `torch.func`, and cannot trace a rule with a `jvp` elsewhere.
    """
    disable: Any = torch.compiler.disable  # torch leaves it without annotations
    found: Callable[..., Any] = disable(function)
    return found


def is_differentiated() -> bool:
    """Whether a derivative of what is computed now may be asked for."""
    return torch.is_grad_enabled() or forward_ad._current_level >= 0


def _of_floats(parts: Sequence[Any], operands: Arrays) -> list[Any]:
    """The cotangents of floating operands; None for the others."""
    return [
        part if operand.is_floating_point() else None
        for part, operand in zip(parts, operands, strict=True)
    ]


def _without_derivative(outputs: Arrays) -> list[Any]:
    return [output for output in outputs if not output.is_floating_point()]


def _filled(gradients: Arrays, outputs: Arrays) -> Arrays:
    return tuple(
        [
            torch.zeros_like(output) if gradient is None else gradient
            for gradient, output in zip(gradients, outputs, strict=False)
        ]
    )


def _pushed(
    rule: DerivativeRule,
    operands: Arrays,
    residuals: Arrays,
    outputs: Arrays,
    tangents: Arrays,
    settings: Settings,
    is_tuple: bool,
) -> Any:
    """The tangent of the output; the transpose of the pullback where there is no pushforward."""
    if rule.pushforward is not None:
        found = rule.pushforward(residuals, *tangents, **settings)
        return tuple(_of_floats(found, outputs)) if is_tuple else found
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
    floats = [k for k, output in enumerate(outputs) if output.is_floating_point()]

    def pulled(*cotangents: Any) -> Arrays:
        given = _placed(cotangents, floats, outputs)
        cotangent = _filled(given, outputs) if is_tuple else given[0]
        parts = rule.cotangents(operands, residuals, cotangent, settings)
        return tuple(
            [torch.zeros_like(operands[i]) if parts[i] is None else parts[i] for i in moving]
        )

    zeros = tuple([torch.zeros_like(outputs[k]) for k in floats])
    # The pullback is linear in its cotangent: its own pullback is its transpose.
    transpose: Callable[..., Any] = torch.func.vjp(pulled, *zeros)[1]
    found = _placed(transpose(tuple([tangents[i] for i in moving])), floats, outputs)
    return found if is_tuple else found[0]


def _placed(parts: Sequence[Any], places: Sequence[int], outputs: Arrays) -> Arrays:
    """The parts at their places beside the outputs, None at the others."""
    by_place = dict(zip(places, parts, strict=True))
    return tuple([by_place.get(k) for k in range(len(outputs))])
