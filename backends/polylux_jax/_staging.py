"""Whole steps under `jax.jit`, and whether a trace is under way."""

from __future__ import annotations

import importlib
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import jax

from polylux.backend import Numbers
from polylux.selectors import ADType
from polylux_jax._arrays import only_name
from polylux_jax._gradient import strong
from polylux_jax._numbers import Ahead, row
from polylux_jax._packing import Packed, Plan, packed, unpacked

Staged = Callable[..., tuple[Any, Any]]
Compiled = Callable[..., tuple[Any, ...]]

# It moved to `jax.extend` in JAX 0.10, and is deprecated where it was.
_extend = importlib.import_module("jax.extend.core")
_trace_state: Callable[[], Any] = (
    getattr(_extend, "get_opaque_trace_state", None) or jax.core.get_opaque_trace_state
)

with jax.core.eval_context():  # a user's trace may be under way when the backend is loaded
    _NO_TRACE = _trace_state()


def is_tracing() -> bool:
    """Whether this thread is inside a trace of JAX now: jit, a derivative or vmap."""
    return bool(_trace_state() != _NO_TRACE)


def is_staged(selector: ADType) -> bool:
    """Whether steps are jitted under this selector."""
    return bool(selector.jit)  # type: ignore[attr-defined]  # AutoJax by the registry's promise


def stage(
    function: Staged,
    selector: ADType,
    donate: tuple[int, ...] = (),
    carried: tuple[tuple[int, int], ...] = (),
) -> Staged:
    """The function under `jax.jit`, or itself where the selector says `jit=False`."""
    if not is_staged(selector):
        return function
    serial = itertools.count()
    statics: dict[int, Any] = {}
    variants: dict[Plan | None, Any] = {}
    places = tuple([i for i, _ in carried])
    ahead = Ahead()
    number: int | None = None  # which group holds numbers, the same at every call
    is_first = True

    def variant(plan: Plan | None) -> Any:
        """The jitted function for carried groups that lie in a vector by this plan, if any."""

        def traced(*groups: Any) -> tuple[Any, tuple[None, ...], tuple[Any, ...], Any]:
            opened = list(groups)
            place = None
            if number is not None:
                rows, place = groups[number]
                opened[number] = row(rows, place)
                place = place + 1
            if plan is not None:
                for i, group in zip(places, plan.unpack(groups[places[0]]), strict=True):
                    opened[i] = group
            outputs, static = function(*opened)
            trace = next(serial)
            statics[trace] = static
            outputs = jax.tree.map(strong, outputs)
            if plan is not None:
                outputs = list(outputs)
                vector = plan.pack([outputs[o] for _, o in carried])
                for _, o in carried:
                    outputs[o] = ()
                outputs[carried[0][1]] = vector
            # The trace's number comes out of jit's own cache as the length of a tuple without
            # leaves: a node type of ours would cost a Python call, and the object itself would
            # never be freed in that cache where it leads back to the staged function.
            unused = _without_use([groups[i] for i in donate], outputs)
            return outputs, (None,) * trace, unused, place

        return jax.jit(traced, donate_argnums=donate)

    def staged(*groups: Any) -> tuple[Any, Any]:
        nonlocal number, is_first
        if is_first:
            number = next((i for i, group in enumerate(groups) if type(group) is Numbers), None)
            is_first = False
        plain = variants.get(None)
        if plain is not None and number is None and Packed not in map(type, groups):
            # An operator's call: it carries nothing, and may run in microseconds.
            outputs, trace, _, _ = plain(*groups)
            return outputs, statics[len(trace)]
        together = packed([groups[i] for i in places])
        plan = None
        if together is None:
            given = unpacked(groups)
        else:
            vector, plan = together
            rest = list(groups)
            for i in places:
                rest[i] = ()
            given = unpacked(rest)
            given[places[0]] = vector
        jitted = variants.get(plan)
        if jitted is None:
            jitted = variants[plan] = variant(plan)
        if number is None:
            outputs, trace, _, _ = jitted(*given)
        else:
            table = ahead.table(groups[number])
            given[number] = (table.rows, table.place)
            outputs, trace, _, place = jitted(*given)
            ahead.advance(table, place)
        if plan is not None:
            vector = outputs[carried[0][1]]
            for i, (_, o) in enumerate(carried):
                outputs[o] = Packed(vector, plan, i)
        return outputs, statics[len(trace)]

    return staged


def compiled(function: Compiled, leaves: Sequence[Any]) -> Compiled | None:
    """The function compiled for arrays like these.

    Where there are several devices JAX would move an array that is on none in particular, and say
    nothing.
    """
    if only_name() is None:
        return None
    return jax.jit(function).lower(*leaves).compile()


def _without_use(donated: Any, outputs: Any) -> tuple[Any, ...]:
    """Donated arrays whose buffer no output can take over: none has their shape and dtype.

    Returned, and dropped by the caller, they give JAX no reason to warn.
    """
    room = Counter((o.shape, o.dtype) for o in jax.tree.leaves(outputs))
    unused = []
    for array in jax.tree.leaves(donated):
        room[array.shape, array.dtype] -= 1
        if room[array.shape, array.dtype] < 0:
            unused.append(array)
    return tuple(unused)
