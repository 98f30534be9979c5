"""apply_gradients and single_train_step, pure and with a trailing underscore in reused buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polylux import arrays, registry, tree
from polylux.backend import Backend, Capability
from polylux.cache import Entry
from polylux.errors import DTypeError, ShapeError, TreeError
from polylux.optimizers import Rule
from polylux.selectors import ADType, Auto, NoAutoDiff
from polylux.training._buffers import Buffers
from polylux.training._call import Call, Prepared
from polylux.training._gradients import StepResult
from polylux.training._state import TrainState, advance
from polylux.typing import Objective, PyTree

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


def _step(
    selector: ADType,
    objective: Objective,
    data: Any,
    state: TrainState,
    return_gradients: bool,
    taker: str | None,
) -> StepResult:
    prepared = Prepared(selector, objective, data, state)
    backend, selector, layout = prepared.backend, prepared.selector, prepared.buffers.layout
    layout.require_trainable("parameters")
    if taker is None:
        buffers = prepared.buffers
    else:
        buffers = prepared.buffers.own(backend, selector, (*prepared.data, *prepared.states))
    rule = state.optimizer
    with prepared.within():
        slots = buffers.with_slots(rule, backend.namespace)
    is_staged = backend.is_staged(selector)
    in_place = taker is not None
    entry = prepared.entry(
        "step",
        lambda call: _make_step(call, backend, selector, rule, in_place, return_gradients),
        rule.signature if is_staged else rule,
        in_place,
        return_gradients,
        donate=(0, 1) if in_place and Capability.DONATION in backend.capabilities else (),
    )
    count = buffers.count + 1
    (loss, gradients, aux, trainable, slots), structures = prepared.run(
        entry, buffers.trainable, slots, rule.scalars(count) if is_staged else count,
        buffers.fixed, prepared.states, prepared.data,
    )  # fmt: skip
    if taker is not None:
        buffers.given_to = taker
    states, stats = prepared.finish_states(aux, structures)
    grads = None
    if return_gradients:
        with prepared.within():
            grads = layout.gradient_tree(gradients, buffers.fixed, backend.namespace)
    state = advance(
        state, buffers=buffers.updated(trainable, slots), states=states, objective=objective, steps=1
    )
    return StepResult(grads, loss, stats, state)


def _make_step(
    call: Call | None,
    backend: Backend,
    selector: ADType,
    rule: Rule,
    in_place: bool,
    return_gradients: bool,
) -> Callable[..., Any]:
    """Gradient and update in one function, for one trace (`call` given) or for every call."""
    if call is not None:

        def staged(
            trainable: Arrays, slots: Any, scalars: Any, fixed: Arrays, states: Arrays, data: Arrays
        ) -> tuple[Any, Any]:
            loss, gradients, aux, structures = call.value_and_gradient(
                trainable, fixed, states, data
            )
            new, slots = neutral_update(backend, rule, trainable, gradients, slots, scalars)
            return (loss, gradients if return_gradients else (), aux, new, slots), structures

        return staged

    update = _eager_update(backend, selector, rule, in_place)

    def eager(
        call: Call, trainable: Arrays, slots: Any, count: int, fixed: Arrays, states: Arrays, data: Arrays
    ) -> tuple[Any, Any]:
        loss, gradients, aux, structures = call.value_and_gradient(trainable, fixed, states, data)
        new, slots = update(trainable, gradients, slots, count)
        return (loss, gradients, aux, new, slots), structures

    return eager


def neutral_update(
    backend: Backend, rule: Rule, trainable: Arrays, gradients: Arrays, slots: Any, scalars: Any
) -> tuple[Arrays, Any]:
    """One update by the rule's own array code."""
    steps, slots = rule.update(backend.namespace, scalars, gradients, trainable, slots)
    return tuple(p - step for p, step in zip(trainable, steps, strict=True)), slots


def _eager_update(
    backend: Backend, selector: ADType, rule: Rule, in_place: bool
) -> Callable[[Arrays, Arrays, Any, int], tuple[Arrays, Any]]:
    fused = backend.fused_update(rule, in_place, selector)
    if fused is not None:
        return fused
    return lambda trainable, gradients, slots, count: neutral_update(
        backend, rule, trainable, gradients, slots, rule.scalars(count)
    )


def _apply(state: TrainState, grads: PyTree, taker: str | None) -> TrainState:
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
    with arrays.precision_scope(*buffers.trainable):
        slots = buffers.with_slots(rule, backend.namespace)
    update = _cached_update(state, backend, selector, buffers, in_place)
    with arrays.precision_scope(*buffers.trainable):
        trainable, slots = update(buffers.trainable, gradients, slots, buffers.count + 1)
    if taker is not None:
        buffers.given_to = taker
    return advance(
        state,
        buffers=buffers.updated(trainable, slots),
        states=state._states,
        objective=state.objective_function,
        steps=1,
    )


def _cached_update(
    state: TrainState, backend: Backend, selector: ADType, buffers: Buffers, in_place: bool
) -> Callable[..., Any]:
    rule = state.optimizer
    is_staged = backend.is_staged(selector)
    parts = ("apply", selector, buffers.layout, rule.signature if is_staged else rule, in_place)
    entry = state.cache.find(parts)
    if entry is None:
        if is_staged:
            donate = (0, 1) if in_place and Capability.DONATION in backend.capabilities else ()
            made = backend.stage(
                lambda trainable, slots, scalars, gradients: (
                    neutral_update(backend, rule, trainable, gradients, slots, scalars),
                    None,
                ),
                selector,
                donate,
            )
        else:
            made = _eager_update(backend, selector, rule, in_place)
        entry = Entry(parts, made)
        names = ("kind of call", "selector", "parameters", "optimizer", "option")
        state.cache.add(entry, names, is_staged)
    made = entry.staged
    if not is_staged:
        return made
    return lambda trainable, gradients, slots, count: made(
        trainable, slots, rule.scalars(count), gradients
    )[0]


def _place_of_update(buffers: Buffers, gradients: Arrays) -> tuple[Backend, ADType]:
    """Where the update runs: in the gradients' backend, with the selector of the latest call there."""
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
