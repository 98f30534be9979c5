"""Differentiating a function of arrays: gradient, pullback, pushforward, stop_gradient.

All of them nest inside each other, in any order, also when some leaves are boxes of an outer trace.
Leaves that are not floating point are passed through and get zeros of their own dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polylux.errors import LeakedTracerError, ObjectiveError, ShapeError
from polylux_autograd.array_api._array import Array, Box, lift
from polylux_autograd.array_api._casting import cast_gradient
from polylux_autograd.array_api._rules import accumulate
from polylux_autograd.array_api._tape import (
    Trace,
    backward,
    forward_node,
    is_tracing,
    reverse_node,
)

__all__ = [
    "LeakedTracerError",
    "is_tracing",
    "linearize",
    "pullback",
    "pushforward",
    "stop_gradient",
    "value_and_gradient",
]


def _no_parents(_: Any) -> tuple[()]:
    return ()


def _boxed(leaves: Sequence[Any], trace: float) -> tuple[list[Any], list[Any]]:
    """The leaves with a root each, and the roots; None for a leaf without derivative."""
    boxes, roots = [], []
    for leaf in leaves:
        if leaf.dtype.kind in "fc":
            root = reverse_node((), _no_parents)
            boxes.append(Box(leaf, trace, root))
        else:
            root = None
            boxes.append(leaf)
        roots.append(root)
    return boxes, roots


def _released(obj: Any, trace: float) -> Any:
    """`obj` with the boxes of this trace replaced by their values, also inside containers."""
    kind = type(obj)
    if kind is Box:
        return obj._value if obj._trace == trace else obj
    if kind is tuple or kind is list:
        return kind([_released(o, trace) for o in obj])
    if kind is dict:
        return {key: _released(value, trace) for key, value in obj.items()}
    if isinstance(obj, tuple) and hasattr(obj, "_fields"):
        return kind(*[_released(o, trace) for o in obj])
    return obj


def _zeros(leaf: Any) -> Array:
    return Array(np.zeros(leaf.shape, leaf.dtype))


def _owner(data: Any) -> int:
    """What identifies the memory behind a numpy array."""
    return id(data if data.base is None else data.base)


def _collected(
    leaves: Sequence[Any], roots: Sequence[Any], found: dict[Any, Any], seeds: Sequence[Any] = ()
) -> tuple[Any, ...]:
    """The cotangents of the roots, each in memory of its own, zeros where there is none."""
    grads = []
    seen = {_owner(seed._data) for seed in seeds if type(seed) is Array}
    for leaf, root in zip(leaves, roots, strict=True):
        grad = found.get(root) if root is not None else None
        if grad is None:
            grad = _zeros(leaf)
        elif type(grad) is Array:
            data = grad._data
            flags = data.flags
            # a broadcast view, or one array for two leaves, must not reach an in-place update
            if not (flags.c_contiguous and flags.writeable) or _owner(data) in seen:
                grad = Array(data.copy())
            seen.add(_owner(data))
        elif type(grad) is not Box:
            grad = lift(grad)
        grads.append(grad)
    return tuple(grads)


def value_and_gradient(
    f: Callable[..., tuple[Any, Any]], leaves: Sequence[Any]
) -> tuple[Any, tuple[Any, ...], Any]:
    """The scalar value of `f`, its gradient by every leaf, and its auxiliary output.

    Parameters
    ----------
    f : callable
        `f(*arrays)` gives a scalar array and auxiliary output of any kind.
    leaves : sequence of arrays

    Returns
    -------
    (value, gradients, aux)
        Gradients have the leaves' shapes and dtypes, zeros where `f` does not depend on a leaf.

    Raises
    ------
    ObjectiveError
        If the value is not a real array of no axes.
    """
    leaves = [lift(leaf) for leaf in leaves]
    with Trace() as trace:
        boxes, roots = _boxed(leaves, trace)
        out, aux = f(*boxes)
        aux = _released(aux, trace)
    if type(out) is not Box or out._trace != trace:
        _require_scalar(out)
        return out, tuple([_zeros(leaf) for leaf in leaves]), aux
    value = out._value
    _require_scalar(value)
    seed = Array(np.ones((), value.dtype))
    with np.errstate(all="ignore"):  # infinite slopes are results, not accidents
        found = backward(out._node, seed, accumulate)
        return value, _collected(leaves, roots, found, (seed,)), aux


def _require_scalar(value: Any) -> None:
    if type(value) not in (Array, Box):
        value = lift(value)
    if value.shape != () or value.dtype.kind == "c":
        raise ObjectiveError(
            "a gradient needs a real scalar, but f returned an array of shape "
            f"{value.shape} and dtype {value.dtype}"
        )


def linearize(f: Callable[..., Any], leaves: Sequence[Any], *, has_aux: bool = False) -> Any:
    """The output of `f`, and a function from cotangents of the output to those of the leaves.

    `f` gives an array or a tuple of arrays, and the function takes the same.  It may be called any
    number of times.  With `has_aux`, `f` gives a pair of output and auxiliary output, and the
    latter is the third result.
    """
    leaves = [lift(leaf) for leaf in leaves]
    aux: Any = None
    with Trace() as trace:
        boxes, roots = _boxed(leaves, trace)
        out = f(*boxes)
        if has_aux:
            out, aux = out
            aux = _released(aux, trace)
    single = not isinstance(out, (tuple, list))
    outputs = (out,) if single else tuple(out)
    traced = [type(o) is Box and o._trace == trace for o in outputs]
    values = [
        o._value if is_traced else lift(o) for o, is_traced in zip(outputs, traced, strict=True)
    ]
    nodes = [o._node for o, is_traced in zip(outputs, traced, strict=True) if is_traced]

    def pull(cotangents: Any) -> tuple[Any, ...]:
        given = (cotangents,) if single else tuple(cotangents)
        if len(given) != len(values):
            raise ShapeError(f"got {len(given)} cotangents for {len(values)} outputs")
        seeds = [
            _like(g, value)
            for g, value, is_traced in zip(given, values, traced, strict=True)
            if is_traced
        ]
        if not seeds:
            return tuple(_zeros(leaf) for leaf in leaves)
        end = reverse_node(nodes, lambda _: seeds)
        with np.errstate(all="ignore"):
            found = backward(end, None, accumulate)
            return _collected(leaves, roots, found, seeds)

    output = values[0] if single else tuple(values)
    return (output, pull, aux) if has_aux else (output, pull)


def _like(g: Any, value: Any) -> Any:
    """A given cotangent or tangent, checked against the value it belongs to."""
    g = lift(g)
    if g.shape != value.shape:
        raise ShapeError(
            f"got a cotangent or tangent of shape {g.shape} for a value of shape {value.shape}"
        )
    return g if g.dtype == value.dtype else cast_gradient(g, dtype=value.dtype)


def pullback(
    f: Callable[..., Any], leaves: Sequence[Any], cotangents: Any
) -> tuple[Any, tuple[Any, ...]]:
    """The output of `f`, and `cotangents` times its Jacobian, one array for each leaf."""
    out, pull = linearize(f, leaves)
    return out, pull(cotangents)


def pushforward(
    f: Callable[..., Any], leaves: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False
) -> Any:
    """The output of `f`, and its Jacobian times `tangents` (None stands for zeros).

    With `has_aux`, `f` gives a pair of output and auxiliary output, and the latter is the third
    result.
    """
    leaves = [lift(leaf) for leaf in leaves]
    aux: Any = None
    if len(tangents) != len(leaves):
        raise ShapeError(f"got {len(tangents)} tangents for {len(leaves)} leaves")
    with Trace() as trace:
        boxes = [
            Box(leaf, trace, forward_node(_like(t, leaf)))
            if t is not None and leaf.dtype.kind in "fc"
            else leaf
            for leaf, t in zip(leaves, tangents, strict=True)
        ]
        out = f(*boxes)
        if has_aux:
            out, aux = out
            aux = _released(aux, trace)
    single = not isinstance(out, (tuple, list))
    values, changes = [], []
    for o in (out,) if single else out:
        if type(o) is Box and o._trace == trace:
            values.append(o._value)
            changes.append(lift(o._node.g))
        else:
            o = lift(o)
            values.append(o)
            changes.append(_zeros(o))
    result = (values[0], changes[0]) if single else (tuple(values), tuple(changes))
    return (*result, aux) if has_aux else result


def stop_gradient(x: Any) -> Any:
    """`x` as a constant of every differentiation under way; what is not an array stays itself."""
    return Array(x._concrete()) if type(x) is Box else x
