"""Plan: all of a training step but its arrays, kept from one step to the next."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Sequence
from typing import Any

from polylux import arrays, registry, tree
from polylux.cache import Cache, Entry
from polylux.optimizers import Rule
from polylux.spec import Spec
from polylux.training._buffers import Buffers
from polylux.training._call import Prepared, finished_states, gradient_tree, stats_tree
from polylux.training._state import TrainState, advance
from polylux.tree import Structure
from polylux.typing import PyTree

Arrays = tuple[Any, ...]
_dtype = operator.attrgetter("dtype")


class Plan:
    """A step made ready: who runs which function on what kind of arrays.

    Finding it again, by identity, is what a step costs beside its arrays: nothing is flattened,
    looked up or compared by value that cannot have changed. Whatever it does not know of (integer
    parameters, numbers of Python among the data) takes the long way, through `Prepared`, at every
    step.

    Attributes
    ----------
    backend, selector : Backend, ADType
        As resolved.
    call : Call
    entry : Entry
        The step's function.
    rule : Rule
    is_staged : bool
    has_scope : bool
        Whether such a step needs a precision scope, which depends on dtypes alone.
    """

    __slots__ = (
        "_are_own", "_dtypes", "_generation", "_given", "_is_flat", "_is_leaf", "_layout", "_place",
        "_return_gradients", "_taker", "_types", "backend", "call", "entry", "has_scope",
        "is_staged", "rule", "selector",
    )  # fmt: skip

    def __init__(
        self,
        prepared: Prepared,
        entry: Entry,
        rule: Rule,
        is_staged: bool,
        return_gradients: bool,
        taker: str | None,
    ) -> None:
        self.backend = prepared.backend
        self.selector = prepared.selector
        self.call = prepared.call
        self.entry = entry
        self.rule = rule
        self.is_staged = is_staged
        self._return_gradients = return_gradients
        self._taker = taker
        self._layout = prepared.buffers.layout
        self._place = (self.backend.name, self.selector)
        self.has_scope = prepared.scope is not None

    def keep(self, cache: Cache, selector: Any, data: Any) -> None:
        """Remember this plan as the cache's latest, if the next step can be known by its parts."""
        cache.latest = None
        found, structure = tree.leaves(data)[0], self.call.data
        # Nothing but arrays, each once.
        if self._layout.fixed or structure.slots != tuple(range(len(found))):
            return
        self._given = selector
        self._is_flat = type(data) is tuple and all(map(operator.is_, data, found))
        self._is_leaf = structure.treedef.is_leaf()
        self._are_own = arrays.are_own(found, self.backend)
        self._types, self._dtypes = [*map(type, found)], [*map(_dtype, found)]
        self._generation = registry.generation()
        cache.latest = self

    def batch(
        self,
        selector: Any,
        objective: Any,
        data: Any,
        state: TrainState,
        return_gradients: bool,
        taker: str | None,
    ) -> Arrays | None:
        """The arrays of data, on the backend; None unless a step with these is this plan's."""
        buffers, own = state._buffers, self.call.objective
        if not (
            (state._plan is self or self._suits(state))
            and taker is self._taker
            and return_gradients is self._return_gradients
            and (selector is self._given or selector == self._given)
            and (objective is own or (isinstance(objective, Spec) and objective == own))
            and buffers.given_to is None
            and (taker is None or (buffers.owned and not buffers.exposed))
            and self._generation == registry.generation()
            and self.entry.is_valid()
        ):
            return None
        if self._is_flat and type(data) is tuple:
            found: Sequence[Any] = data
        elif self._is_leaf:
            found = (data,)
        else:
            found, treedef = tree.leaves(data)
            if treedef != self.call.data.treedef:
                return None
        if [*map(type, found)] != self._types or [*map(_dtype, found)] != self._dtypes:
            return None
        if self._are_own:
            return tuple(self.backend.to_device(found, self.selector))
        return arrays.move(found, self.backend, self.selector)

    def _suits(self, state: TrainState) -> bool:
        """Whether a state that comes from elsewhere is like those that this plan's steps make."""
        buffers, states, call = state._buffers, state._states, self.call
        return (
            state.optimizer is self.rule
            and state.model is call.model
            and buffers.layout is self._layout
            and buffers.placed == self._place
            and buffers.has_slots
            and states.placed == self._place
            and states.structure == call.states
        )

    def scope(
        self, buffers: Buffers, states: Arrays, data: Arrays
    ) -> contextlib.AbstractContextManager[Any] | None:
        """The precision scope of a step."""
        samples = buffers.samples(self.backend.namespace)
        return self.backend.precision_scope((*samples, *states, *data))

    def finished(
        self,
        state: TrainState,
        objective: Any,
        buffers: Buffers,
        aux: Arrays,
        structures: tuple[Structure, Structure],
    ) -> tuple[TrainState, PyTree]:
        """The state after a step, and the stats as a tree."""
        if not aux and state._plan is self and structures[0] is state._states.structure:
            plan: Plan | None = self  # of a model without state arrays, mostly
            states, stats = state._states, stats_tree(structures[1], aux)
        else:
            states, stats = finished_states(aux, structures, self._place)
            knows = states.placed is self._place and states.structure == self.call.states
            plan = self if knows else None
        return advance(state, buffers, states, objective, plan=plan), stats

    def gradient_tree(
        self,
        buffers: Buffers,
        gradients: Arrays,
        scope: contextlib.AbstractContextManager[Any] | None,
    ) -> PyTree:
        """The gradients as a tree like the parameters."""
        return gradient_tree(buffers, gradients, self.backend, scope)
