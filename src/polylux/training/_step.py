"""single_train_step, pure and with a trailing underscore in reused buffers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from polylux.backend import Gradient, Numbers
from polylux.running import guarded
from polylux.selectors import ADType
from polylux.training._buffers import Buffers
from polylux.training._call import Call, Prepared
from polylux.training._doctor import check_parameters
from polylux.training._gradients import StepResult
from polylux.training._plan import Plan
from polylux.training._state import TrainState
from polylux.training._update import Carry, eager_update, is_donated, staged_update
from polylux.typing import Objective

Arrays = tuple[Any, ...]


def single_train_step(
    selector: ADType,
    objective: Objective,
    data: Any,
    train_state: TrainState,
    *,
    return_gradients: bool = True,
) -> StepResult:
    """One gradient and one update; the train state passed in stays as it was.

    Parameters
    ----------
    selector, objective, data, train_state
        As for `compute_gradients`.
    return_gradients : bool
        Without them `grads` is None, and a compiled step need not keep them.

    Returns
    -------
    StepResult
        `(grads, loss, stats, train_state)`. Loss and gradients belong to the parameters before
        the update.

    Raises
    ------
    ObjectiveError, NothingTrainableError, UnsupportedError
        As for `compute_gradients`.

    References
    ----------
    `single_train_step` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, TrainState, single_train_step
    >>> from polylux.losses import MSELoss
    >>> from polylux.optimizers import SGD
    >>> ts = TrainState(lambda x, ps, st: (x * ps["w"], st), {"w": np.ones(2)}, {}, SGD(0.5))
    >>> batch = (np.ones(2), np.zeros(2))
    >>> grads, loss, stats, ts = single_train_step(AutoAutograd(), MSELoss(), batch, ts)
    >>> float(loss), [float(w) for w in ts.parameters["w"]]
    (1.0, [0.5, 0.5])
    """
    return _step(selector, objective, data, train_state, return_gradients, None)


def single_train_step_(
    selector: ADType,
    objective: Objective,
    data: Any,
    train_state: TrainState,
    *,
    return_gradients: bool = True,
) -> StepResult:
    """One gradient and one update in the train state's own buffers: **use the returned state**.

    The first such step copies the arrays that the user handed in, so that they stay as they are;
    from then on the buffers of parameters and optimizer slots are reused. A state whose buffers
    were taken raises `GivenAwayError` when its arrays are read.

    Parameters
    ----------
    selector, objective, data, train_state, return_gradients
        As for `single_train_step`.

    Returns
    -------
    StepResult

    Raises
    ------
    GivenAwayError
        If the buffers of `train_state` were taken before.
    ObjectiveError, NothingTrainableError, UnsupportedError
        As for `compute_gradients`; the train state is then still whole.

    References
    ----------
    `single_train_step!` of the Utilities page.
    """
    return _step(selector, objective, data, train_state, return_gradients, "single_train_step_")


def _step(
    selector: ADType,
    objective: Objective,
    data: Any,
    state: TrainState,
    return_gradients: bool,
    taker: str | None,
) -> StepResult:
    plan: Plan | None = state.cache.latest if type(state) is TrainState else None
    moved = None
    if plan is not None:
        moved = plan.batch(selector, objective, data, state, return_gradients, taker)
    if plan is None or moved is None:
        prepared = Prepared(selector, objective, data, state)
        plan, buffers = _planned(prepared, return_gradients, taker)
        states, moved, scope = prepared.states, prepared.data, prepared.scope
        plan.keep(state.cache, selector, data)
    else:
        state.cache.misses = 0
        buffers, states = state._buffers, state._states.arrays
        scope = plan.scope(buffers, states, moved) if plan.has_scope else None
    count = buffers.count + 1
    groups: tuple[Any, ...]
    if plan.is_staged:
        numbers = Numbers(plan.rule.scalars, count)
        groups = (buffers.carry, numbers, buffers.fixed, states, moved)
    else:
        groups = (plan.call, buffers.carry, count, buffers.fixed, states, moved)
    ((loss, gradients, aux), carry), structures = guarded(
        plan.backend, scope, plan.entry.staged, *groups
    )
    if taker is not None:
        buffers.given_to = taker
    grads = plan.gradient_tree(buffers, gradients, scope) if return_gradients else None
    state, stats = plan.finished(state, objective, buffers.updated(carry), aux, structures)
    return StepResult(grads, loss, stats, state)


def _planned(
    prepared: Prepared, return_gradients: bool, taker: str | None
) -> tuple[Plan, Buffers]:
    """The plan of a step, its function cached or made now, and the buffers that it takes."""
    backend, selector, state = prepared.backend, prepared.selector, prepared.state
    prepared.buffers.layout.require_trainable("parameters")
    if taker is None:
        buffers = prepared.buffers
    else:
        buffers = prepared.buffers.own(backend, selector, (*prepared.data, *prepared.states))
    rule = state.optimizer
    prepared.init_slots(buffers)
    is_staged = backend.is_staged(selector)
    in_place = taker is not None
    check = functools.partial(check_parameters, state.cache.findings, buffers.layout)

    def make(call: Call | None) -> Callable[..., Any]:
        if call is not None:
            return _gradient(call, return_gradients)
        return _eager_step(eager_update(backend, selector, rule, in_place, check))

    entry = prepared.entry(
        "step",
        make,
        lambda gradient: backend.stage_step(
            gradient,
            staged_update(backend, rule, check),
            selector,
            can_join=rule.can_join,
            donated=is_donated(backend, in_place),
        ),
        optimizer=rule.signature if is_staged else rule,
        in_place=in_place,
        return_gradients=return_gradients,
    )
    return Plan(prepared, entry, rule, is_staged, return_gradients, taker), buffers


def _gradient(call: Call, return_gradients: bool) -> Gradient:
    """The gradient of a staged step, for one trace."""

    def gradient(*groups: Arrays) -> tuple[Any, Arrays, Any]:
        loss, gradients, aux, structures = call.value_and_gradient(*groups)
        return (loss, gradients if return_gradients else (), aux), gradients, structures

    return gradient


def _eager_step(update: Callable[[Carry, Arrays, int], Carry]) -> Callable[..., Any]:
    """Gradient and update, one after the other at every call."""

    def eager(call: Call, carry: Carry, count: int, *rest: Arrays) -> tuple[Any, Any]:
        loss, gradients, aux, structures = call.value_and_gradient(carry[0], *rest)
        return ((loss, gradients, aux), update(carry, gradients, count)), structures

    return eager
