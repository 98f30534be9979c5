"""Custom derivative rules, as nodes of the tape.

Forward and derivatives run on the values one trace further out, so that they nest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.extend import JVPNode

from polylux.backend import DerivativeRule
from polylux_autograd._tracing import linearize
from polylux_autograd.array_api._array import Array, Box
from polylux_autograd.array_api._rules import fill, fit
from polylux_autograd.array_api._tape import OPEN, forward_node, require_open, reverse_node

Arrays = tuple[Any, ...]


def custom_rule(rule: DerivativeRule) -> Callable[..., Any]:
    """`rule.plain` as a function whose derivatives are the rule's."""

    def apply(*operands: Any, **settings: Any) -> Any:
        top = None
        for x in operands:
            if type(x) is Box and (top is None or x._trace > top):
                top = x._trace
        if top is None:
            return rule.plain(*operands, **settings)
        if top not in OPEN:
            require_open(top)
        places = [i for i, x in enumerate(operands) if type(x) is Box and x._trace == top]
        nodes = [operands[i]._node for i in places]
        values = list(operands)
        for i in places:
            values[i] = operands[i]._value

        if rule.elementwise:
            # By the function itself: a derivative that is written by the output obeys the rule.
            output = apply(*values, **settings)
            residuals: Arrays = (output, *values)
        else:
            output, residuals = rule.forward(*values, **settings)
            if any(type(x) is Box for x in values):  # a further derivative obeys the rule as well
                obeyed = apply(*values, **settings)
                residuals = rule.obeying(values, residuals, output, obeyed)
                output = obeyed

        if isinstance(nodes[0], JVPNode):
            tangents = [None] * len(values)
            for i, node in zip(places, nodes, strict=True):
                tangents[i] = fill(node.g, values[i])
            change = _pushed(rule, values, residuals, output, tangents, settings)
            if isinstance(output, tuple):
                pairs = zip(output, change, strict=True)
                return tuple([
                    Box(o, top, forward_node(fill(t, o))) if o.dtype.kind == "f" else o
                    for o, t in pairs
                ])  # fmt: skip
            return Box(output, top, forward_node(fill(change, output)))

        def pulled(cotangent: Any) -> list[Any]:
            parts = rule.cotangents(tuple(values), residuals, cotangent, settings)
            return [
                _zeros(values[i]) if parts[i] is None else fit(parts[i], values[i]) for i in places
            ]

        if not isinstance(output, tuple):
            return Box(output, top, reverse_node(nodes, pulled))

        def of_one(k: int) -> Callable[[Any], list[Any]]:
            def vjp(g: Any) -> list[Any]:
                return pulled(tuple([g if j == k else _zeros(o) for j, o in enumerate(output)]))

            return vjp

        return tuple([
            Box(o, top, reverse_node(nodes, of_one(k))) if o.dtype.kind == "f" else o
            for k, o in enumerate(output)
        ])  # fmt: skip

    return apply


def _pushed(
    rule: DerivativeRule,
    operands: list[Any],
    residuals: Arrays,
    output: Any,
    tangents: list[Any],
    settings: dict[str, Any],
) -> Any:
    """The tangent of the output; the transpose of the pullback where there is no pushforward."""
    if rule.pushforward is not None:
        return rule.pushforward(residuals, *tangents, **settings)
    places = [i for i, tangent in enumerate(tangents) if tangent is not None]
    single = not isinstance(output, tuple)

    def pulled(*cotangents: Any) -> Arrays:
        cotangent = cotangents[0] if single else cotangents
        parts = rule.cotangents(tuple(operands), residuals, cotangent, settings)
        return tuple([_zeros(operands[i]) if parts[i] is None else parts[i] for i in places])

    zeros = [_zeros(o) for o in ((output,) if single else output)]
    _, transpose = linearize(pulled, zeros)
    change = transpose(tuple([tangents[i] for i in places]))
    return change[0] if single else change


def _zeros(value: Any) -> Array:
    return Array(np.zeros(value.shape, value.dtype))
