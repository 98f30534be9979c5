"""The tape under the boxes: trace ids that are never reused, nodes, and the backward pass.

autograd numbers its traces from one process-wide stack and hands a number out again as soon as its
trace has ended.  Two threads then disturb each other, and a box that outlived its trace can pass
for one of a later trace.  autograd only ever *compares* trace ids, so ours are fractions: each lies
between the innermost trace that encloses it and the number autograd would give to the next one, and
no two are equal.  The stack itself is read and never written, no lock is held while user code runs,
and autograd's own `grad` nests rightly inside and outside.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autograd.extend import JVPNode, SparseObject, VJPNode
from autograd.tracer import trace_stack

from polylux.errors import LeakedTracerError

__all__ = ["OPEN", "LeakedTracerError", "Trace", "backward", "forward_node", "require_open",
           "reverse_node"]


# 2**-40 keeps ids exact for 10**12 traces below 2**12 nested autograd traces (53 bits in a float)
_STEP = 2.0**-40
_serial = itertools.count(1)
_enclosing = threading.local()

#: ids of our traces that are being recorded now, in any thread
OPEN: set[float] = set()


class Trace:
    """Context manager: opens a trace and gives its id."""

    __slots__ = ("_id", "_outer")

    _id: float

    def __enter__(self) -> float:
        outer = getattr(_enclosing, "id", -1.0)
        level = max(trace_stack.top, math.floor(outer))
        self._outer = outer
        self._id = level + next(_serial) * _STEP
        OPEN.add(self._id)
        _enclosing.id = self._id
        return self._id

    def __exit__(self, *_: object) -> None:
        OPEN.discard(self._id)
        _enclosing.id = self._outer


def is_tracing() -> bool:
    """Whether this thread is inside one of our traces."""
    return getattr(_enclosing, "id", -1.0) != -1.0


def require_open(trace: float) -> None:
    """Raise LeakedTracerError if `trace` is one of ours and has ended."""
    if trace not in OPEN and type(trace) is float:
        raise LeakedTracerError(
            "a traced array was used after the gradient, pullback or pushforward that traced it "
            "had ended; return it from the differentiated function as auxiliary output, or apply "
            "stop_gradient to it before keeping it"
        )


_new_reverse = VJPNode.__new__
_new_forward = JVPNode.__new__


def reverse_node(parents: Sequence[Any], vjp: Callable[[Any], Iterable[Any]]) -> Any:
    """Node of a reverse-mode tape; `vjp(g)` gives one cotangent for each parent."""
    node = _new_reverse(VJPNode)
    node.parents = parents
    node.vjp = vjp
    return node


def forward_node(tangent: Any) -> Any:
    """Node of a forward-mode trace."""
    node = _new_forward(JVPNode)
    node.g = tangent
    return node


def backward(end: Any, seed: Any, add: Callable[[Any, Any, bool], Any]) -> dict[Any, Any]:
    """Cotangents of the root nodes that `end` depends on.

    `add(a, b, owned)` adds two cotangents; `owned` says that `a` was made by an earlier `add` of
    this pass and belongs to nobody else, so that its buffer may be reused.
    """
    children: dict[Any, int] = {}
    stack = [end]
    while stack:
        node = stack.pop()
        if node in children:
            children[node] += 1
        else:
            children[node] = 1
            stack.extend(node.parents)

    cotangents = {end: seed}
    owned: set[Any] = set()
    ready = [end]
    while ready:
        node = ready.pop()
        parents = node.parents
        if not parents:
            continue  # a root: its cotangent stays in the dictionary
        for parent, part in zip(parents, node.vjp(cotangents.pop(node)), strict=False):
            known = cotangents.get(parent)
            if known is None:
                if type(part) is SparseObject:
                    part = part.mut_add(part.vs.zeros())
                    owned.add(parent)
                cotangents[parent] = part
            else:
                cotangents[parent] = add(known, part, parent in owned)
                owned.add(parent)
            left = children[parent]
            if left == 1:
                ready.append(parent)
            else:
                children[parent] = left - 1
    return cotangents
