"""Plan: all of a training step but its arrays, kept from one step to the next."""

from __future__ import annotations

import contextlib
from typing import Any

from polylux import arrays, registry
from polylux.cache import Cache, Entry
from polylux.optimizers import Rule
from polylux.spec import Spec
from polylux.training._buffers import Buffers
from polylux.training._call import Prepared, finished_states, gradient_tree
from polylux.training._state import FlatStates, TrainState
from polylux.tree import Structure
from polylux.typing import PyTree

Arrays = tuple[Any, ...]


class Plan:
    """A step made ready: who runs which function on what kind of arrays.

    Finding it again, by identity, is what a step costs beside its arrays: nothing is flattened,
    looked up or compared by value that cannot have changed. Whatever it does not know of (data in
    nested containers, integer parameters) takes the long way, through `Prepared`, at every step.

    Attributes
    ----------
    backend, selector : Backend, ADType
        As resolved.
    call : Call
    entry : Entry
        The step's function.
    rule : Rule
    is_staged : bool
    """

    __slots__ = (
        "_are_own", "_data_kinds", "_generation", "_given", "_has_scope", "_layout", "_place",
        "_return_gradients", "_taker", "backend", "call", "entry", "is_staged", "rule", "selector",
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
        self._has_scope = prepared.scope is not None

    def keep(self, cache: Cache, selector: Any, data: Any) -> None:
        """Remember this plan as the cache's latest, if the next step can be known by its parts."""
        cache.latest = None
        if self._layout.fixed or type(data) is not tuple or not _are_distinct(data):
            return
        if self.call.data.slots != tuple(range(len(data))):  # something in it is no array
            return
        if not all(hasattr(a, "dtype") for a in data):  # a container of one array
            return
        self._given = selector
        self._data_kinds = tuple([(type(a), a.dtype) for a in data])
        self._are_own = arrays.are_own(data, self.backend)
        self._generation = registry.generation()
        cache.latest = self

    def fits(
        self,
        selector: Any,
        objective: Any,
        data: Any,
        state: TrainState,
        return_gradients: bool,
        taker: str | None,
    ) -> bool:
        """Whether a step with these arguments is this plan with other arrays."""
        call = self.call
        if (
            state.optimizer is not self.rule
            or state.model is not call.model
            or taker is not self._taker
            or return_gradients is not self._return_gradients
            or not (selector is self._given or selector == self._given)
            or not (
                objective is call.objective
                or (isinstance(objective, Spec) and objective == call.objective)
            )
        ):
            return False
        buffers, states = state._buffers, state._states
        if (
            buffers.given_to is not None
            or (taker is not None and (buffers.exposed or not buffers.owned))
            or not (buffers.made_by is self or self._suits(buffers))
            or states.placed is None
            or not (states.placed is self._place or states.placed == self._place)
            or not (states.structure is call.states or states.structure == call.states)
            or type(data) is not tuple
            or len(data) != len(self._data_kinds)
            or not _are_distinct(data)
        ):
            return False
        for array, kind in zip(data, self._data_kinds, strict=True):
            if (type(array), array.dtype) != kind:
                return False
        return self._generation == registry.generation() and self.entry.is_valid()

    def _suits(self, buffers: Buffers) -> bool:
        """Whether buffers that come from elsewhere are like those that this plan's steps make."""
        return (
            buffers.layout is self._layout
            and buffers.placed == self._place
            and buffers.slots is not None
        )

    def moved(self, data: Arrays) -> Arrays:
        """The arrays of data that fits, on the backend."""
        if self._are_own:
            return tuple(self.backend.to_device(data, self.selector))
        return arrays.move(data, self.backend, self.selector)

    def scope(
        self, buffers: Buffers, states: Arrays, data: Arrays
    ) -> contextlib.AbstractContextManager[Any] | None:
        """The precision scope of a step; whether there is one depends on dtypes alone."""
        if not self._has_scope:
            return None
        samples = buffers.samples(self.backend.namespace)
        return self.backend.precision_scope((*samples, *states, *data))

    def finished_states(
        self, former: FlatStates, aux: Arrays, structures: tuple[Structure, Structure]
    ) -> tuple[FlatStates, Any]:
        """The new states, and the stats as a tree."""
        structure, stats = structures
        if not structure.size and structure is former.structure and former.placed is self._place:
            return former, stats.unflatten(aux)  # a model without state arrays
        return finished_states(aux, structures, self._place)

    def gradient_tree(
        self,
        buffers: Buffers,
        gradients: Arrays,
        scope: contextlib.AbstractContextManager[Any] | None,
    ) -> PyTree:
        """The gradients as a tree like the parameters."""
        return gradient_tree(buffers, gradients, self.backend, scope)


def _are_distinct(data: tuple[Any, ...]) -> bool:
    """Whether no object occurs twice: a tied array is one."""
    if len(data) == 2:
        return data[0] is not data[1]
    return len(set(map(id, data))) == len(data)
