"""Whole steps under `jax.jit`, and whether a trace is under way."""

from __future__ import annotations

import importlib
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend.core.primitives import convert_element_type_p

from polylux.selectors import ADType
from polylux_jax._gradient import strong
from polylux_jax._packing import Packed, Plan, packed

Staged = Callable[..., tuple[Any, Any]]

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
    numbers = itertools.count()
    statics: dict[int, Any] = {}
    variants: dict[tuple[Plan | None, ...], Any] = {}
    inputs = frozenset(i for i, _ in carried)
    scalars: tuple[int, ...] | None = None  # which groups hold floats, the same at every call

    def variant(plans: tuple[Plan | None, ...]) -> Any:
        """The jitted function for carried groups that lie in vectors, each by its plan."""
        in_vectors = [(i, o, plan) for (i, o), plan in zip(carried, plans, strict=True) if plan]

        def traced(*groups: Any) -> tuple[Any, tuple[None, ...], tuple[Any, ...]]:
            opened = list(groups)
            for i in scalars or ():
                opened[i] = _unpack(groups[i])
            for i, _, plan in in_vectors:
                opened[i] = plan.unpack(groups[i])
            outputs, static = function(*opened)
            number = next(numbers)
            statics[number] = static
            outputs = jax.tree.map(strong, outputs)
            if in_vectors:
                outputs = list(outputs)
                for _, o, plan in in_vectors:
                    outputs[o] = plan.pack(outputs[o])
            # The trace's number comes out of jit's own cache as the length of a tuple without
            # leaves: a node type of ours would cost a Python call, and the object itself would
            # never be freed in that cache where it leads back to the staged function.
            unused = _without_use([groups[i] for i in donate], outputs)
            return outputs, (None,) * number, unused

        return jax.jit(traced, donate_argnums=donate)

    def staged(*groups: Any) -> tuple[Any, Any]:
        nonlocal scalars
        if scalars is None:
            scalars = tuple(i for i, group in enumerate(groups) if _is_worth_packing(group))
        given = [_opened(g) if i not in inputs else g for i, g in enumerate(groups)]
        for i in scalars:
            given[i] = np.array(groups[i])
        plans = []
        for i, _ in carried:
            given[i], plan = packed(groups[i])
            plans.append(plan)
        key = tuple(plans)
        jitted = variants.get(key)
        if jitted is None:
            jitted = variants[key] = variant(key)
        outputs, trace, _ = jitted(*given)
        for (_, o), plan in zip(carried, plans, strict=True):
            if plan is not None:
                outputs[o] = Packed(outputs[o], plan)
        return outputs, statics[len(trace)]

    return staged


def _opened(group: Any) -> Any:
    """A group as the function takes it where no vector is expected."""
    return group.group() if type(group) is Packed else group


def _is_worth_packing(group: Any) -> bool:
    # Each float is a transfer of 2 us, and so is a vector of them.
    return type(group) is tuple and len(group) > 1 and all(type(x) is float for x in group)


def _unpack(vector: Any) -> tuple[Any, ...]:
    """Floats that came in one vector, weakly typed as Python's own: float16 times one stays so."""
    dtype = vector.dtype
    weak = convert_element_type_p.bind(vector, new_dtype=dtype, weak_type=True, sharding=None)
    return tuple(weak[i] for i in range(weak.shape[0]))


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
