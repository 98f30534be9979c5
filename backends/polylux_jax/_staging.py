"""Whole steps under `jax.jit`, and whether a trace is under way."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from polylux.backend import Gradient, Numbers, StepUpdate, in_turn
from polylux.selectors import ADType
from polylux_jax._arrays import is_wide, only_name
from polylux_jax._carry import Carry
from polylux_jax._form import Form
from polylux_jax._gradient import strong
from polylux_jax._numbers import place_after, row

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


def stage(function: Staged, selector: ADType) -> Staged:
    """The function under `jax.jit`, or itself where the selector says `jit=False`."""
    return _plain(function) if is_staged(selector) else function


def stage_step(
    gradient: Gradient, update: StepUpdate, selector: ADType, can_join: bool, donated: bool
) -> Staged:
    """The two parts of a step under one `jax.jit`, or one after the other where there is none."""
    if not is_staged(selector):
        return in_turn(gradient, update)
    return _step(gradient, update, can_join, donated)


_LARGE = 2**16
"""Entries of a parameter that should not be copied."""


class _Statics(dict[int, Any]):
    """What belongs to each trace of a function beside its arrays, by the trace's number.

    This comes out of jit's own cache as the length of a tuple without leaves: a node type of ours
    would cost a Python call, and the object itself would never be freed in that cache where it
    leads back to the staged function.
    """

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count()  # several threads may trace

    def kept(self, static: Any) -> tuple[None, ...]:
        number = next(self._numbers)
        self[number] = static
        return (None,) * number


def _plain(function: Staged) -> Staged:
    statics = _Statics()

    def traced(*groups: Any) -> tuple[Any, tuple[None, ...]]:
        outputs, static = function(*groups)
        return jax.tree.map(strong, outputs), statics.kept(static)

    jitted = jax.jit(traced)

    def staged(*groups: Any) -> tuple[Any, Any]:
        outputs, trace = jitted(*groups)
        return outputs, statics[len(trace)]

    return staged


def _step(gradient: Gradient, update: StepUpdate, can_join: bool, donated: bool) -> Staged:
    statics = _Statics()
    variants: dict[Form, Any] = {}

    def variant(form: Form) -> Any:
        """The jitted step for carries of this form."""

        def traced(content: Any, rows: Any, *groups: Any) -> tuple[Any, ...]:
            carry, place = form.unpack(content)
            outputs, gradients, static = gradient(form.apart(carry[0], place), *groups)
            gradients = form.together(gradients)
            needed = _needed(carry[0], (outputs, gradients)) if donated else []
            place = place_after(place)
            carry = update(carry, gradients, row(rows, place, needed))
            outputs, carry = jax.tree.map(strong, (outputs, carry))
            after = form.after(carry)
            # The content first: XLA orders its work by the outputs, and a loss in front of all cost
            # a small step by hand a half more.
            return after.pack(carry, place), outputs, statics.kept((static, after))

        return jax.jit(traced, donate_argnums=(0,) if donated else ())

    def staged(carry: Any, numbers: Numbers, *groups: Any) -> tuple[Any, Any]:
        table = carry.table if type(carry) is Carry else None
        if (
            table is None
            or carry.update != numbers.update
            or table.end == numbers.update
            or table.function != numbers.function
            or table.is_wide is not is_wide()
        ):
            carry = Carry.at(carry, numbers, can_join)
            table = carry.table
        jitted = variants.get(carry.form)
        if jitted is None:
            if carry.form.joining is not None and not can_join:  # as another rule's steps left it
                carry = Carry.at(carry, numbers, can_join)
                table = carry.table
            jitted = variants.setdefault(carry.form, variant(carry.form))
        content, outputs, trace = jitted(carry.content, table.rows, *groups)
        static, form = statics[len(trace)]
        return (outputs, Carry(content, form, table, carry.update + 1)), static

    return staged


def _needed(parameters: Sequence[Any], found: Any) -> list[Any]:
    """Arrays that have to be there before the parameters are overwritten.

    XLA copies each parameter whose new value does not need all that reads the old one, such as the
    loss. Told that it does, a step of five parameters of 65,536 entries takes four fifths of the
    time; smaller ones would wait for each other for longer than it takes to copy them.
    """
    if max([p.size for p in parameters], default=0) < _LARGE:
        return []
    leaves = {id(array): array for array in jax.tree.leaves(found)}.values()
    return [a for a in leaves if a.size and jnp.issubdtype(a.dtype, jnp.floating)]


def compiled(function: Compiled, leaves: Sequence[Any]) -> Compiled | None:
    """The function compiled for arrays like these.

    Where there are several devices JAX would move an array that is on none in particular, and say
    nothing.
    """
    if only_name() is None:
        return None
    return jax.jit(function).lower(*leaves).compile()
