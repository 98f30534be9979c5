"""compute_gradients and compute_objective: an objective at a train state."""

from __future__ import annotations

from typing import Any, NamedTuple

from polylux.selectors import ADType
from polylux.training._call import Call, Prepared
from polylux.training._state import TrainState, advance
from polylux.typing import Objective, PyTree


class StepResult(NamedTuple):
    """What the training functions return; unpacks in this order.

    Attributes
    ----------
    grads : tree or None
        Like the parameters: of each leaf's shape and dtype, zeros where the loss does not depend
        on it and for integer leaves. A tied leaf carries its total at each of its places.
    loss : 0-d array
    stats : tree
        As the objective returned it.
    train_state : TrainState
    """

    grads: PyTree
    loss: Any
    stats: PyTree
    train_state: TrainState


def compute_gradients(
    selector: ADType, objective: Objective, data: Any, train_state: TrainState
) -> StepResult:
    """Loss, gradients by the parameters, stats, and the train state with the new model states.

    Parameters
    ----------
    selector : ADType
        Which backend differentiates, such as `AutoJax()`.
    objective : callable
        `objective(model, ps, st, data) -> (loss, st, stats)`; the loss is a 0-d real array. Every
        loss of `polylux.losses` is one.
    data : any
        A tree; its arrays are moved to the backend, its other leaves are handed on.
    train_state : TrainState
        Its arrays are moved to the backend if they are elsewhere.

    Returns
    -------
    StepResult
        `(grads, loss, stats, train_state)`. The returned state has the objective's new model
        states; parameters, optimizer state and step are those of `train_state`.

    Raises
    ------
    ObjectiveError
        If the objective does not return three values, or the loss is no real scalar.
    NothingTrainableError
        If no parameter is a floating-point array.
    UnsupportedError
        If the backend does not differentiate.

    References
    ----------
    `compute_gradients` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, TrainState, array_namespace, compute_gradients
    >>> from polylux.optimizers import SGD
    >>> def objective(model, ps, st, data):
    ...     y, st = model(data, ps, st)
    ...     return array_namespace(y).sum(y * y), st, {}
    >>> ts = TrainState(lambda x, ps, st: (x * ps["w"], st), {"w": np.ones(2)}, {}, SGD(0.1))
    >>> data = np.asarray([1.0, 2.0])
    >>> grads, loss, stats, ts = compute_gradients(AutoAutograd(), objective, data, ts)
    >>> float(loss), [float(g) for g in grads["w"]]
    (5.0, [2.0, 8.0])
    """
    prepared = Prepared(selector, objective, data, train_state)
    buffers = prepared.buffers
    buffers.layout.require_trainable("parameters")
    entry = prepared.entry("gradients", _gradients)
    (loss, gradients, aux), structures = prepared.run(
        entry, buffers.trainable, buffers.fixed, prepared.states, prepared.data
    )
    states, stats = prepared.finish_states(aux, structures)
    state = advance(train_state, buffers=buffers, states=states, objective=objective, steps=0)
    return StepResult(prepared.gradient_tree(gradients), loss, stats, state)


def compute_objective(
    selector: ADType, objective: Objective, data: Any, train_state: TrainState
) -> StepResult:
    """Loss, stats, and the train state with the new model states; nothing is differentiated.

    Parameters
    ----------
    selector, objective, data, train_state
        As for `compute_gradients`; `NoAutoDiff()` evaluates on the host.

    Returns
    -------
    StepResult
        `(grads, loss, stats, train_state)` with `grads` None.

    Raises
    ------
    ObjectiveError
        As for `compute_gradients`.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import NoAutoDiff, TrainState, compute_objective
    >>> from polylux.losses import MSELoss
    >>> from polylux.optimizers import SGD
    >>> ts = TrainState(lambda x, ps, st: (x * ps["w"], st), {"w": np.ones(2)}, {}, SGD(0.1))
    >>> float(compute_objective(NoAutoDiff(), MSELoss(), (np.ones(2), np.zeros(2)), ts).loss)
    1.0
    """
    prepared = Prepared(selector, objective, data, train_state)
    buffers = prepared.buffers
    entry = prepared.entry("objective", _objective)
    (loss, aux), structures = prepared.run(
        entry, buffers.trainable, buffers.fixed, prepared.states, prepared.data
    )
    states, stats = prepared.finish_states(aux, structures)
    state = advance(train_state, buffers=buffers, states=states, objective=objective, steps=0)
    return StepResult(None, loss, stats, state)


def _gradients(call: Call | None) -> Any:
    if call is None:
        return _eager_gradients
    return lambda *groups: _eager_gradients(call, *groups)


def _eager_gradients(call: Call, *groups: Any) -> tuple[Any, Any]:
    loss, gradients, aux, structures = call.value_and_gradient(*groups)
    return (loss, gradients, aux), structures


def _objective(call: Call | None) -> Any:
    if call is None:
        return _eager_objective
    return lambda *groups: _eager_objective(call, *groups)


def _eager_objective(call: Call, *groups: Any) -> tuple[Any, Any]:
    loss, aux, structures = call.backend.value(call.evaluate, groups)
    return (loss, aux), structures
