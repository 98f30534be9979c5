"""Call: an objective on flat arrays; Prepared: what a training function makes ready for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from polylux import arrays, registry, tree
from polylux.backend import Backend, Staged
from polylux.cache import Entry
from polylux.doctor import Findings
from polylux.errors import ObjectiveError, OptionError
from polylux.flat import Layout
from polylux.running import guarded, inside, require_real_scalar, value_and_gradient
from polylux.selectors import ADType
from polylux.training._buffers import Buffers, check_devices
from polylux.training._doctor import check_states, watched
from polylux.training._state import FlatStates, TrainState
from polylux.tree import Structure
from polylux.typing import PyTree

Arrays = tuple[Any, ...]


_NO_STATS = tree.flatten({}, arrays.is_array)[1]


class Call:
    """An objective with everything but the arrays: what one trace is made for."""

    __slots__ = (
        "_kind_of_loss", "accepted", "backend", "data", "findings", "layout", "model", "objective",
        "selector", "states",
    )  # fmt: skip

    def __init__(
        self,
        backend: Backend,
        selector: ADType,
        objective: Any,
        model: Any,
        layout: Layout,
        states: Structure,
        data: Structure,
        findings: Findings,
    ) -> None:
        self.backend = backend
        self.selector = selector
        self.objective = objective
        self.model = model
        self.layout = layout
        self.states = states
        self.data = data
        self.findings = findings
        self.accepted = arrays.owners_accepted_by(backend)
        self._kind_of_loss: tuple[Any, Any] = (None, None)

    def evaluate(
        self, trainable: Arrays, fixed: Arrays, states: Arrays, data: Arrays
    ) -> tuple[Any, Arrays, tuple[Structure, Structure]]:
        """Loss, arrays of the new states and of the stats, and the structures of these two."""
        result = inside(
            self.objective,
            self.model,
            self.layout.unflatten(trainable, fixed),
            self.states.unflatten(states),
            self.data.unflatten(data),
        )
        if not isinstance(result, tuple) or len(result) != 3:
            got = f"a tuple of {len(result)}" if isinstance(result, tuple) else repr(type(result))
            raise ObjectiveError(
                f"an objective returns three values, (loss, states, stats), and {self.objective!r} "
                f"returned {got}; write 'return loss, st, {{}}' if there are no stats"
            )
        loss, new_states, stats = result
        kind, dtype = self._kind_of_loss
        if type(loss) is not kind or loss.dtype != dtype or loss.shape != ():
            require_real_scalar(loss, self.backend, self.selector, "the loss")
            self._kind_of_loss = (type(loss), loss.dtype)  # the next step's is mostly like it
        state_arrays: Arrays = ()
        state_structure = self.states
        if not state_structure.is_of_empty(new_states):
            state_arrays, state_structure = tree.flatten(new_states, self._is_own)
        if states and state_structure == self.states:
            check_states(self.findings, state_structure, states, state_arrays)
        if type(stats) is dict and not stats:  # as of every loss
            return loss, state_arrays, (state_structure, _NO_STATS)
        stats_arrays, stats_structure = tree.flatten(stats, self._is_own)
        return loss, (*state_arrays, *stats_arrays), (state_structure, stats_structure)

    def value_and_gradient(
        self, trainable: Arrays, fixed: Arrays, states: Arrays, data: Arrays
    ) -> tuple[Any, Arrays, Arrays, tuple[Structure, Structure]]:
        """Loss, gradients, and the rest as `evaluate` gives it."""
        structures: Any = None

        def function(*leaves: Any) -> tuple[Any, Arrays]:
            nonlocal structures
            loss, aux, structures = self.evaluate(leaves, fixed, states, data)
            return loss, aux

        loss, gradients, aux = value_and_gradient(
            self.backend, function, trainable, self.selector
        )
        return loss, gradients, aux, structures

    def _is_own(self, leaf: Any) -> bool:
        # A foreign array among the outputs is a constant of the objective, and stays what it is.
        return arrays.owner_of(type(leaf)) in self.accepted and arrays.is_array(leaf)


class Prepared:
    """Arguments of one training call, moved to the backend and flattened."""

    __slots__ = ("backend", "buffers", "call", "data", "scope", "selector", "state", "states")

    def __init__(self, selector: Any, objective: Any, data: Any, state: Any) -> None:
        if not isinstance(state, TrainState):
            raise OptionError(
                f"expected a TrainState as the fourth argument, got {type(state).__name__}; "
                "the order is (selector, objective, data, train_state)"
            )
        if not callable(objective):
            raise OptionError(
                f"expected a callable objective(model, ps, st, data), got {objective!r}"
            )
        backend, selector = registry.resolve(selector)
        state._buffers.require_present()
        found, data_structure = tree.flatten(data, arrays.is_array)
        self.state = state
        self.backend = backend
        self.selector = selector
        self.buffers: Buffers = state._buffers.on(backend, selector)
        self.states = state._states.on(backend, selector)
        self.data = arrays.move(found, backend, selector)
        self.call = Call(
            backend, selector, objective, state.model, self.buffers.layout,
            state._states.structure, data_structure, state.cache.findings,
        )  # fmt: skip
        samples = self.buffers.samples(backend.namespace)
        self.scope = backend.precision_scope((*samples, *self.states, *self.data))

    def entry(
        self,
        kind: str,
        make: Callable[[Call | None], Callable[..., Any]],
        stage: Callable[[Callable[..., Any]], Staged] | None = None,
        **options: Any,
    ) -> Entry:
        """The cached staged function for this call, or a new one.

        `make(call)` gives the function to be staged, by `stage` or as it is. Where nothing is
        staged Python runs anew at each call, so the function is shared by all objectives and gets
        the call as its first argument: `make(None)`. `options` are what else tells two functions of
        one kind apart.
        """
        call, cache = self.call, self.state.cache
        is_staged = self.backend.is_staged(self.selector)
        parts: tuple[Any, ...] = (kind, self.selector, call.layout, *options.values())
        if is_staged:
            parts = (*parts, call.objective, call.model, call.states, call.data)
        entry = cache.find(parts)
        if entry is None:
            names: tuple[str, ...] = ("kind of call", "selector", "parameters", *options)
            if is_staged:
                names = (*names, "objective", "model", "states", "data")
                looked_at = watched(make(call), call.findings, call.layout, call.states, call.data)
                staged = stage(looked_at) if stage else self.backend.stage(looked_at, self.selector)
            else:
                staged = make(None)
            entry = Entry(names, parts, staged)
            cache.add(entry, is_staged)
            self._check_devices()
        return entry

    def run(self, entry: Entry, *groups: Any) -> tuple[Any, Any]:
        """Call the entry's function in the precision scope; explain the framework's errors."""
        staged: Staged = entry.staged
        if not self.backend.is_staged(self.selector):
            groups = (self.call, *groups)
        result: tuple[Any, Any] = guarded(self.backend, self.scope, staged, *groups)
        return result

    def init_slots(self, buffers: Buffers) -> None:
        """Make the optimizer's slots if there are none yet."""
        if not buffers.has_slots:
            with self._within():
                buffers.init_slots(self.state.optimizer, self.backend.namespace)

    def gradient_tree(self, gradients: Arrays) -> PyTree:
        """The gradients as a tree like the parameters."""
        return gradient_tree(self.buffers, gradients, self.backend, self.scope)

    def finish_states(
        self, aux: Arrays, structures: tuple[Structure, Structure]
    ) -> tuple[FlatStates, Any]:
        """The new states, and the stats as a tree."""
        return finished_states(aux, structures, (self.backend.name, self.selector))

    def _within(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if self.scope is None else self.scope

    def _check_devices(self) -> None:
        present = [*self.buffers.trainable, *self.states, *self.data]
        check_devices(present, self.backend, self.selector, "parameters, states and data")


def gradient_tree(
    buffers: Buffers,
    gradients: Arrays,
    backend: Backend,
    scope: contextlib.AbstractContextManager[Any] | None,
) -> PyTree:
    """The gradients as a tree like the parameters; zeros for the fixed ones."""
    layout, fixed = buffers.layout, buffers.fixed
    if not fixed:
        return layout.gradient_tree(gradients)
    with contextlib.nullcontext() if scope is None else scope:
        zeros = [backend.namespace.zeros_like(array) for array in fixed]
    return layout.gradient_tree(gradients, zeros)


def finished_states(
    aux: Arrays, structures: tuple[Structure, Structure], place: tuple[str, ADType]
) -> tuple[FlatStates, Any]:
    """The new states and the stats as a tree, from the arrays and the structures of both."""
    state_structure, stats_structure = structures
    cut = state_structure.size
    # A foreign constant among the states is a static of the trace: the next call moves it.
    states = FlatStates(aux[:cut], state_structure, place)
    if any(arrays.owner_of(type(s)) is not None for s in state_structure.statics):
        states = FlatStates.of(states.tree())
    return states, stats_tree(stats_structure, aux[cut:])


def stats_tree(structure: Structure, found: Arrays) -> PyTree:
    """The stats as a tree; few objectives have any."""
    return {} if structure is _NO_STATS else structure.unflatten(found)
