"""How a function of the namespace gets its derivatives: unary, binary and general primitives.

A rule is written in the namespace's own functions, on the values one trace further out, so that
derivatives nest.  For an elementwise function one formula `rule(g, ans, *operands)` serves both
modes: a diagonal Jacobian is its own transpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from autograd.extend import JVPNode, SparseObject

from ._array import Array, Box, lift, raw
from ._dtypes import promote
from ._tape import OPEN, Trace, backward, forward_node, require_open, reverse_node

__all__ = [
    "accumulate",
    "binary",
    "comparison",
    "fill",
    "fit",
    "is_traced",
    "linear",
    "name_it",
    "nondifferentiable",
    "primitive",
    "transposed",
    "unary",
]

Function = Callable[..., Any]


def name_it(function: Function, name: str, doc: str | None) -> Function:
    """Give a generated function the name, docstring and home that a reader expects."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.__module__ = "polylux_autograd.array_api"
    return function


def is_traced(*operands: Any) -> bool:
    """Whether one of the operands is a Box."""
    return any(type(x) is Box for x in operands)


def unary(
    name: str, forward: Function, rule: Function, doc: str, *, tangent: Function | None = None
) -> Function:
    """An elementwise function of one array; `tangent` only where forward mode differs."""
    tangent = tangent or rule

    def function(x: Any, /) -> Any:
        kind = type(x)
        if kind is Array:
            return Array(forward(x._data))
        if kind is Box:
            trace = x._trace
            if trace not in OPEN:
                require_open(trace)
            value, node = x._value, x._node
            ans = function(value)
            if isinstance(node, JVPNode):
                return Box(ans, trace, forward_node(tangent(node.g, ans, value)))
            return Box(ans, trace, reverse_node((node,), lambda g: (rule(g, ans, value),)))
        return function(lift(x))

    return name_it(function, name, doc)


def nondifferentiable(name: str, forward: Function, doc: str) -> Function:
    """An elementwise function whose derivative is zero, or that has none: it ends the trace."""

    def function(x: Any, /) -> Any:
        return Array(forward(lift(x)._concrete()))

    return name_it(function, name, doc)


def comparison(name: str, forward: Function, doc: str) -> Function:
    """A function of two operands without a derivative: it ends the trace."""

    def function(x1: Any, x2: Any, /) -> Any:
        if type(x1) is Array and type(x2) is Array:
            return Array(forward(x1._data, x2._data))
        a = x1._concrete() if type(x1) is Box else raw(x1)
        b = x2._concrete() if type(x2) is Box else raw(x2)
        return Array(forward(a, b))

    return name_it(function, name, doc)


def apply_promoted(forward: Function, x1: Any, x2: Any) -> Array:
    """`forward` on two untraced operands, at the dtype of this project's promotion."""
    a, b = raw(x1), raw(x2)
    if type(a) is np.ndarray and type(b) is np.ndarray:
        da, db = a.dtype, b.dtype
        # only float with integer partners need help: numpy would widen them
        if da is not db and (da.kind in "fc") != (db.kind in "fc"):
            common = promote(da, db)
            a, b = a.astype(common, copy=False), b.astype(common, copy=False)
    return Array(forward(a, b))


def binary(
    name: str,
    forward: Function,
    rule1: Function | None,
    rule2: Function | None,
    doc: str,
    *,
    tangents: tuple[Function, Function] | None = None,
) -> Function:
    """An elementwise function of two operands; a rule of None is a derivative of zero.

    With rules of their own for `tangents`, the function need not be elementwise.
    """
    rule_1: Function = rule1 or _zero
    rule_2: Function = rule2 or _zero
    tangent_1, tangent_2 = tangents or (rule_1, rule_2)

    def function(x1: Any, x2: Any, /) -> Any:
        kind1, kind2 = type(x1), type(x2)
        if kind1 is Array and kind2 is Array:
            a, b = x1._data, x2._data
            if a.dtype is b.dtype:
                return Array(forward(a, b))
            return apply_promoted(forward, x1, x2)
        if kind1 is Array and (kind2 is float or kind2 is int):
            return Array(forward(x1._data, x2))
        if kind1 is Box:
            trace = x1._trace
            top1, top2 = True, False
            if kind2 is Box:
                other = x2._trace
                if other == trace:
                    top2 = True
                elif other > trace:
                    trace, top1, top2 = other, False, True
        elif kind2 is Box:
            trace, top1, top2 = x2._trace, False, True
        else:
            return apply_promoted(forward, x1, x2)

        if trace not in OPEN:
            require_open(trace)
        if top1:
            v1, node1 = x1._value, x1._node
            if top2:
                v2, node2 = x2._value, x2._node
                ans = function(v1, v2)
                if isinstance(node1, JVPNode):
                    t1 = tangent_1(node1.g, ans, v1, v2)
                    t2 = tangent_2(node2.g, ans, v1, v2)
                    return Box(ans, trace, forward_node(fill(t1 + t2, ans)))
                return Box(ans, trace, reverse_node((node1, node2), lambda g: (
                    fit(rule_1(g, ans, v1, v2), v1), fit(rule_2(g, ans, v1, v2), v2))))
            v2 = x2 if kind2 is not np.ndarray else Array(x2)
            ans = function(v1, v2)
            if isinstance(node1, JVPNode):
                return Box(ans, trace, forward_node(fill(tangent_1(node1.g, ans, v1, v2), ans)))
            return Box(ans, trace, reverse_node(
                (node1,), lambda g: (fit(rule_1(g, ans, v1, v2), v1),)))
        v1 = x1 if kind1 is not np.ndarray else Array(x1)
        v2, node2 = x2._value, x2._node
        ans = function(v1, v2)
        if isinstance(node2, JVPNode):
            return Box(ans, trace, forward_node(fill(tangent_2(node2.g, ans, v1, v2), ans)))
        return Box(ans, trace, reverse_node(
            (node2,), lambda g: (fit(rule_2(g, ans, v1, v2), v2),)))

    function.forward = forward  # type: ignore[attr-defined]
    return name_it(function, name, doc)


def _zero(g: Any, *_: Any) -> Any:
    return Array(np.zeros(g.shape, g.dtype))


def single(name: str, forward: Function, vjp: Function, jvp: Function) -> Function:
    """A function `f(x, **settings)` of one array: `primitive` with less to look at per call."""

    def function(x: Any, **settings: Any) -> Any:
        if type(x) is not Box:
            return Array(forward(lift(x)._data, **settings))
        trace = x._trace
        if trace not in OPEN:
            require_open(trace)
        value, node = x._value, x._node
        ans = function(value, **settings)
        if isinstance(node, JVPNode):
            return Box(ans, trace, forward_node(jvp(node.g, ans, value, **settings)))
        return Box(ans, trace, reverse_node((node,), lambda g: (vjp(g, ans, value, **settings),)))

    return name_it(function, name, None)


def primitive(
    name: str,
    forward: Function,
    vjps: Sequence[Any],
    jvps: Sequence[Any],
    *,
    multiple: bool = False,
) -> Function:
    """A function `f(*arrays, **settings)` of any number of arrays, with a rule for each.

    `forward` works on numpy arrays.  `vjps[i](g, ans, *arrays, **settings)` gives the cotangent of
    argument i and `jvps[i](t, ans, *arrays, **settings)` its share of the tangent.  With
    `multiple`, the answer is a tuple; a vjp gets a list with one cotangent and None for the others,
    a jvp gives a tuple of tangents, None for an output without derivative.
    """
    if len(vjps) == 1 and not multiple:
        return single(name, forward, vjps[0], jvps[0])

    def function(*operands: Any, **settings: Any) -> Any:
        top = None
        for x in operands:
            if type(x) is Box and (top is None or x._trace > top):
                top = x._trace
        if top is None:
            out = forward(
                *[x._data if type(x) is Array else x for x in operands], **settings
            )
            return tuple([Array(o) for o in out]) if multiple else Array(out)
        if top not in OPEN:
            require_open(top)

        values = list(operands)
        places = []
        nodes = []
        for i, x in enumerate(operands):
            if type(x) is Box and x._trace == top:
                values[i] = x._value
                places.append(i)
                nodes.append(x._node)
        ans = function(*values, **settings)

        if isinstance(nodes[0], JVPNode):
            tangent: Any = None
            for i, node in zip(places, nodes, strict=True):
                rule = jvps[i]
                if rule is None:
                    continue
                part = rule(node.g, ans, *values, **settings)
                if tangent is None:
                    tangent = part
                elif multiple:
                    tangent = tuple(
                        a if b is None else b if a is None else a + b
                        for a, b in zip(tangent, part, strict=True)
                    )
                else:
                    tangent = tangent + part
            if not multiple:
                return ans if tangent is None else Box(ans, top, forward_node(tangent))
            return tuple(
                o if t is None else Box(o, top, forward_node(t))
                for o, t in zip(ans, tangent, strict=True)
            )

        if not multiple:
            return Box(ans, top, reverse_node(nodes, lambda g: [
                vjps[i](g, ans, *values, **settings) for i in places]))

        def output(k: int) -> Any:
            def vjp(g: Any) -> Any:
                cotangents = [None] * len(ans)
                cotangents[k] = g
                return [vjps[i](cotangents, ans, *values, **settings) for i in places]

            return Box(ans[k], top, reverse_node(nodes, vjp))

        return tuple(
            output(k) if o.dtype.kind in "fc" else o for k, o in enumerate(ans)
        )

    return name_it(function, name, None)


def linear(name: str, forward: Function, transpose: Function) -> Function:
    """A function linear in its one array; `transpose(g, x, **settings)` is its adjoint."""
    function: Function

    def vjp(g: Any, ans: Any, x: Any, **settings: Any) -> Any:
        return transpose(g, x, **settings)

    def jvp(t: Any, ans: Any, x: Any, **settings: Any) -> Any:
        return function(t, **settings)

    function = single(name, forward, vjp, jvp)
    return function


def fit(g: Any, x: Any) -> Any:
    """The cotangent `g` brought to the shape and dtype of `x`: summed where x was broadcast."""
    a, b = g._data, x._data
    if a.shape == b.shape and a.dtype is b.dtype:
        return g
    from ._broadcasting import sum_to
    from ._casting import cast_gradient

    if a.shape != b.shape:
        g = sum_to(g, shape=b.shape)
    return g if a.dtype == b.dtype else cast_gradient(g, dtype=b.dtype)


def fill(t: Any, ans: Any) -> Any:
    """The tangent `t` brought to the shape and dtype of the answer."""
    if type(t) is not Array:
        t = lift(t)  # a tangent that a stranger put into a root may be numpy data
    a, b = t._data, ans._data
    if a.shape == b.shape and a.dtype is b.dtype:
        return t
    from ._broadcasting import spread
    from ._casting import cast_gradient

    if a.shape != b.shape:
        t = spread(t, shape=b.shape)
    return t if a.dtype == b.dtype else cast_gradient(t, dtype=b.dtype)


def accumulate(a: Any, b: Any, owned: bool) -> Any:
    """Sum of two cotangents, in place when `a` belongs to this backward pass."""
    if type(b) is SparseObject:
        if type(a) is not Array:
            return a + b.mut_add(b.vs.zeros())
        return b.mut_add(a if owned else Array(a._data.copy()))
    if type(a) is Array and type(b) is Array:
        left, right = a._data, b._data
        if owned and left.dtype is right.dtype and left.shape == right.shape:
            np.add(left, right, out=left)
            return a
        return Array(left + right)
    return a + b


def transposed(jvp: Function) -> Function:
    """The vjp rule that belongs to a jvp rule, found by tracing the rule, linear in its tangent."""

    def vjp(g: Any, ans: Any, x: Any, *others: Any, **settings: Any) -> Any:
        from ._reductions import sum as total

        cotangents = g if isinstance(g, (list, tuple)) else (g,)
        origin = Array(np.zeros(x.shape, x.dtype))
        root = reverse_node((), lambda _: ())
        with Trace() as trace:
            out = jvp(Box(origin, trace, root), ans, x, *others, **settings)
            parts = out if isinstance(out, tuple) else (out,)
            loss: Any = None
            for part, cotangent in zip(parts, cotangents, strict=True):
                if cotangent is not None and type(part) is Box and part._trace == trace:
                    term = total(part * cotangent)
                    loss = term if loss is None else loss + term
        if loss is None:
            return origin
        seed = Array(np.ones((), loss.dtype))
        found = backward(loss._node, seed, accumulate)
        return fit(found.get(root, origin), x)

    return vjp
