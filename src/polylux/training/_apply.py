"""apply_gradients, pure and with a trailing underscore in reused buffers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from polylux import arrays, registry, tree
from polylux.backend import Backend, Numbers
from polylux.cache import Entry
from polylux.errors import DTypeError, ShapeError, TreeError
from polylux.selectors import ADType, Auto, NoAutoDiff
from polylux.training._buffers import Buffers
from polylux.training._doctor import check_parameters
from polylux.training._state import TrainState, advance, require_state
from polylux.training._update import Carry, eager_update, is_donated, staged_update
from polylux.typing import PyTree

Arrays = tuple[Any, ...]


def apply_gradients(train_state: TrainState, grads: PyTree) -> TrainState:
    """The train state after one update with these gradients; the one passed in stays as it was.

    Parameters
    ----------
    train_state : TrainState
    grads : tree
        Like the parameters, each leaf of its parameter's shape and dtype.

    Returns
    -------
    TrainState
        In the backend of the gradients.

    Raises
    ------
    TreeError, ShapeError, DTypeError
        If the gradients do not match the parameters, naming the leaf.

    References
    ----------
    `apply_gradients` of the Utilities page.
    """
    return _apply(train_state, grads, None)


def apply_gradients_(train_state: TrainState, grads: PyTree) -> TrainState:
    """The train state after one update in its own buffers: **use the returned state**.

    Parameters
    ----------
    train_state, grads
        As for `apply_gradients`.

    Returns
    -------
    TrainState

    Raises
    ------
    GivenAwayError, TreeError, ShapeError, DTypeError
        As for `single_train_step_` and `apply_gradients`.

    References
    ----------
    `apply_gradients!` of the Utilities page.
    """
    return _apply(train_state, grads, "apply_gradients_")


def _apply(state: TrainState, grads: PyTree, taker: str | None) -> TrainState:
    require_state(state, taker or "apply_gradients")
    state._buffers.require_present()
    layout = state._buffers.layout
    layout.require_trainable("parameters")
    given = tree.flatten_like(grads, layout.structure, "the gradients do not match", _equal)
    gradients = tuple(given[i] for i in layout.trainable)
    for path, gradient in zip(layout.paths(), gradients, strict=True):
        if not arrays.is_array(gradient):
            raise TreeError(
                f"the gradient at {path} is {gradient!r}, expected an array; "
                "use zeros for a parameter that the loss does not use"
            )
    backend, selector = _place_of_update(state._buffers, gradients)
    buffers = state._buffers.on(backend, selector)
    gradients = arrays.move(gradients, backend, selector)
    _check_gradients(buffers, gradients)
    if taker is not None:
        buffers = buffers.own(backend, selector, gradients)
    rule, in_place = state.optimizer, taker is not None
    update = _cached_update(state, backend, selector, buffers, in_place)
    with arrays.precision_scope(*buffers.trainable):
        if not buffers.has_slots:
            buffers.init_slots(rule, backend.namespace)
        carry = update(buffers.carry, gradients, buffers.count + 1)
    if taker is not None:
        buffers.given_to = taker
    return advance(
        state,
        buffers=buffers.updated(carry),
        states=state._states,
        objective=state.objective_function,
        steps=1,
    )


def _cached_update(
    state: TrainState, backend: Backend, selector: ADType, buffers: Buffers, in_place: bool
) -> Callable[[Carry, Arrays, int], Carry]:
    rule = state.optimizer
    is_staged = backend.is_staged(selector)
    parts = ("apply", selector, buffers.layout, rule.signature if is_staged else rule, in_place)
    entry = state.cache.find(parts)
    if entry is None:
        check = functools.partial(check_parameters, state.cache.findings, buffers.layout)
        made: Any
        if is_staged:
            made = backend.stage_step(
                lambda _, gradients: ((), gradients, None),
                staged_update(backend, rule, check),
                selector,
                can_join=rule.can_join,
                donated=is_donated(backend, in_place),
            )
        else:
            made = eager_update(backend, selector, rule, in_place, check)
        names = ("kind of call", "selector", "parameters", "optimizer", "in_place")
        entry = Entry(names, parts, made)
        state.cache.add(entry, is_staged)
    update = entry.staged
    if not is_staged:
        return update

    def staged(carry: Carry, gradients: Arrays, count: int) -> Carry:
        (_, carry), _ = update(carry, Numbers(rule.scalars, count), gradients)
        return carry

    return staged


def _place_of_update(buffers: Buffers, gradients: Arrays) -> tuple[Backend, ADType]:
    """Where the update runs: in the gradients' backend, as the latest call there selected it."""
    owners = {arrays.owner_of(type(g)) for g in gradients}
    if len(owners) > 1:
        arrays.common_owner(gradients, "apply_gradients")
    owner = next(iter(owners))
    placed = buffers.placed
    if placed is not None and (owner == placed[0] or owner == "host"):
        return registry.resolve(placed[1])
    if owner == "host":
        own = {arrays.owner_of(type(p)) for p in buffers.trainable}
        if own == {"host"}:
            return registry.resolve(NoAutoDiff())
        owner = arrays.common_owner(buffers.trainable, "apply_gradients")
    return registry.resolve(Auto(str(owner)))


def _check_gradients(buffers: Buffers, gradients: Arrays) -> None:
    for i, (p, g) in enumerate(zip(buffers.trainable, gradients, strict=True)):
        if tuple(g.shape) != tuple(p.shape):
            raise ShapeError(
                f"the gradient at {buffers.layout.paths()[i]} has shape {tuple(g.shape)}, and its "
                f"parameter has shape {tuple(p.shape)}"
            )
        if g.dtype != p.dtype:
            raise DTypeError(
                f"the gradient at {buffers.layout.paths()[i]} has dtype {g.dtype}, and its "
                f"parameter has dtype {p.dtype}; cast it, with f32(grads) or f64(grads)"
            )


def _equal(a: Any, b: Any) -> bool:
    if not (arrays.is_array(a) and arrays.is_array(b)):
        return a is b
    first, second = arrays.host_arrays([a, b])
    return np.array_equal(first, second, equal_nan=True)
