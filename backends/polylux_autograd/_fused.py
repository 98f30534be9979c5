"""Fusing a composed function into one node of the tape, with numpy code for value and gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd.extend import JVPNode

from polylux_autograd._tracing import linearize
from polylux_autograd.array_api._array import Array, Box
from polylux_autograd.array_api._rules import name_it
from polylux_autograd.array_api._tape import OPEN, require_open, reverse_node

__all__ = ["fused"]


def fused(
    name: str,
    *,
    reference: Callable[..., Any],
    forward: Callable[..., Any],
    pullback: Callable[..., Any],
) -> Callable[..., Any]:
    """`reference` as one fast operation wherever first-order reverse mode is all that is asked.

    In forward mode, inside another differentiation, or when the gradient itself is differentiated,
    `reference` is traced instead: every derivative is right if its are.

    Parameters
    ----------
    name : str
        Name of the resulting function.
    reference : callable
        `reference(*arrays, **settings)` in functions of the namespace, giving one array.
    forward : callable
        `forward(*data, **settings)` on numpy arrays gives `(out, residuals)`; None declines
        these operands (a shape or dtype it was not made for) and leaves them to `reference`.
    pullback : callable
        `pullback(g, residuals, needed, *data, **settings)` on numpy arrays gives one cotangent for
        each operand, of its shape and dtype; anything where `needed[i]` is false.

    Returns
    -------
    callable
        `f(*arrays, **settings)`; operands that are not arrays are passed through.
    """

    def function(*operands: Any, **settings: Any) -> Any:
        top = None
        for x in operands:
            if type(x) is Box and (top is None or x._trace > top):
                top = x._trace
        if top is None:
            result = forward(
                *[x._data if type(x) is Array else x for x in operands], **settings
            )
            return reference(*operands, **settings) if result is None else Array(result[0])
        if top not in OPEN:
            require_open(top)

        values, data, needed, nodes = [], [], [], []
        for x in operands:
            traced = type(x) is Box
            if traced:
                node, value = x._node, x._value
                if type(value) is Box or x._trace != top or isinstance(node, JVPNode):
                    return reference(*operands, **settings)
                nodes.append(node)
                x = value
            needed.append(traced)
            values.append(x)
            data.append(x._data if type(x) is Array else x)

        result = forward(*data, **settings)
        if result is None:
            return reference(*operands, **settings)
        out, residuals = result

        def vjp(g: Any) -> Any:
            if type(g) is not Array:  # the gradient is being differentiated
                return _pulled_through_reference(reference, values, needed, settings, g)
            parts = pullback(g._data, residuals, needed, *data, **settings)
            return [Array(p) for p, use in zip(parts, needed, strict=True) if use]

        return Box(Array(out), top, reverse_node(nodes, vjp))

    return name_it(function, name, reference.__doc__)


def _pulled_through_reference(
    reference: Callable[..., Any], values: list[Any], needed: list[bool],
    settings: dict[str, Any], g: Any,
) -> Any:
    wanted = [v for v, use in zip(values, needed, strict=True) if use]

    def of_wanted(*leaves: Any) -> Any:
        given = iter(leaves)
        return reference(
            *[next(given) if use else v for v, use in zip(values, needed, strict=True)],
            **settings,
        )

    return linearize(of_wanted, wanted)[1](g)
