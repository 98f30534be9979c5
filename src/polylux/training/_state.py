"""TrainState: the record of a training run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from polylux import arrays, tree
from polylux.backend import Backend
from polylux.cache import Cache
from polylux.errors import OptionError, ShapeError, TreeError, nearest
from polylux.flat import Layout, lay_out
from polylux.optimizers import Rule
from polylux.selectors import ADType
from polylux.training._buffers import Buffers, is_at
from polylux.tree import Structure
from polylux.typing import PyTree

_FIELDS = ("model", "parameters", "states", "optimizer", "optimizer_state", "step")


class TrainState:
    """Model, parameters, states, optimizer and step of a run; immutable.

    Parameters
    ----------
    model : callable
        `model(x, ps, st) -> (y, st)`.
    parameters : tree
        Arrays of any library. Real floating arrays are trained; integer and boolean arrays and
        other leaves pass through. An array that occurs twice is one parameter.
    states : tree
        What the model hands from call to call; not differentiated.
    optimizer : Rule
        Such as `Adam(1e-3)`.
    optimizer_state : mapping, optional
        As the attribute of that name gives it; zeros when left out.
    step : int
        Updates made so far.

    Attributes
    ----------
    model, parameters, states, optimizer, step
        As given, or as the training functions have advanced them.
    optimizer_state : dict
        `"count"`, the number of updates that the slots have seen, and each slot's arrays by name,
        a tuple in the order of the parameters.
    cache : Cache
        Traced and compiled functions of the run. Internal.
    objective_function : callable or None
        The objective of the latest call. Internal.

    Raises
    ------
    OptionError
        If the model is not callable, or the optimizer is no rule.
    DTypeError
        If a parameter is complex.
    GivenAwayError
        On reading arrays that a `_` function has overwritten.

    Notes
    -----
    A state can be pickled and copied; its cache stays behind. Arrays are pickled as host arrays.

    References
    ----------
    `TrainState` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.optimizers import SGD
    >>> TrainState(lambda x, ps, st: (x * ps["w"], st), {"w": np.ones(3)}, {}, SGD(0.1)).step
    0
    """

    model: Any
    optimizer: Rule
    step: int
    cache: Cache
    objective_function: Any
    _buffers: Buffers
    _states: FlatStates
    _plan: object

    def __init__(
        self,
        model: Any,
        parameters: PyTree,
        states: PyTree,
        optimizer: Rule,
        *,
        optimizer_state: Mapping[str, Any] | None = None,
        step: int = 0,
    ) -> None:
        if not callable(model):
            raise OptionError(
                f"TrainState needs a callable model(x, ps, st) -> (y, st), got {model!r}"
            )
        if not isinstance(optimizer, Rule):
            raise OptionError(
                f"TrainState needs an optimizer rule such as Adam(1e-3), got {optimizer!r}"
            )
        found, layout = lay_out(parameters, "parameters")
        trainable, fixed = layout.split(found)
        optimizer = optimizer.bound(lambda: leaf_paths(layout))
        slots, count = _read_slots(optimizer_state, optimizer, trainable)
        buffers = Buffers(layout, (trainable, slots), fixed, count)
        _fill(self, model, optimizer, step, buffers, FlatStates.of(states), Cache())

    @property
    def parameters(self) -> PyTree:
        """The parameters; see the class."""
        buffers = self._buffers
        buffers.require_present()
        buffers.exposed = True
        return buffers.layout.unflatten(buffers.trainable, buffers.fixed)

    @property
    def states(self) -> PyTree:
        """The states; see the class."""
        return self._states.tree()

    @property
    def optimizer_state(self) -> dict[str, Any]:
        """The optimizer's slots; see the class."""
        buffers = self._buffers
        buffers.require_present()
        if not buffers.has_slots:
            xp = arrays.array_namespace(*buffers.trainable) if buffers.trainable else None
            with arrays.precision_scope(*buffers.trainable):
                buffers.init_slots(self.optimizer, xp)
        assert buffers.slots is not None
        # A backend's own form of a slot is no container to anybody else: copies, pickles and
        # moves would take it for a leaf.
        slots = zip(self.optimizer.slots, map(tuple, buffers.slots), strict=True)
        return {"count": buffers.count, **dict(slots)}

    def replace(self, **fields: Any) -> TrainState:
        """The same state with some fields replaced.

        The optimizer's slots go on where they still fit (a rule with the same slots, parameters
        of the same shapes), and start anew otherwise. A new optimizer knows nothing of what was
        frozen; `adjust` changes hyper-parameters and keeps all else.

        Raises
        ------
        OptionError
            For a name that is no field.
        """
        for name in fields:
            if name not in _FIELDS:
                raise OptionError(f"TrainState has no field {name!r}; {nearest(name, _FIELDS)}")
        given: dict[str, Any] = {
            "model": self.model, "states": self.states, "optimizer": self.optimizer,
            "step": self.step, **fields,
        }  # fmt: skip
        if "parameters" not in fields:
            given["parameters"] = self.parameters
        new = TrainState(**given)
        buffers = new._buffers
        if self._slots_fit(new):
            if not {"parameters", "optimizer_state"} & set(fields):
                # The same arrays, so the same record of who may overwrite them.
                buffers = self._buffers
            elif "optimizer_state" not in fields:
                trainable = buffers.trainable
                slots, buffers.count = _read_slots(self.optimizer_state, new.optimizer, trainable)
                buffers.carry = (trainable, slots)
                # Two records hold these slots now, so neither may overwrite them without a copy.
                self._buffers.owned = False
        _fill(
            new, new.model, new.optimizer, new.step, buffers, new._states, self.cache,
            self.objective_function,
        )  # fmt: skip
        return new

    def _slots_fit(self, other: TrainState) -> bool:
        """Whether the slots go on to be right in another state."""
        mine, its = self._buffers.trainable, other._buffers.trainable
        return (
            self.optimizer.slots == other.optimizer.slots
            and [tuple(a.shape) for a in mine] == [tuple(a.shape) for a in its]
            and self.optimizer.slot_places(len(mine)) == other.optimizer.slot_places(len(its))
        )

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"a TrainState cannot be changed; use train_state.replace({name}=...)"
        )

    def __repr__(self) -> str:
        buffers = self._buffers
        count = sum(math.prod(a.shape) for a in (*buffers.trainable, *buffers.fixed))
        where = "given away" if buffers.given_to else _where(buffers)
        model = "\n".join("    " + line for line in repr(self.model).splitlines()).strip()
        return (
            "TrainState(\n"
            f"    model: {model}\n"
            f"    parameters: {count:,} ({where})\n"
            f"    optimizer: {self.optimizer!r}\n"
            f"    step: {self.step}\n"
            f"    cache: {self.cache!r}\n"
            ")"
        )

    def __copy__(self) -> TrainState:
        # Two states now hold these arrays: neither may overwrite them without a copy.
        self._buffers.require_present()
        self._buffers.owned = False
        return _new(self.model, self.optimizer, self.step, self._buffers, self._states, Cache())

    def __deepcopy__(self, memo: dict[int, Any]) -> TrainState:
        return self._map_arrays(_copy_arrays)

    def __reduce__(self) -> Any:
        fields = {
            "model": self.model,
            "parameters": arrays.to_host(self.parameters),
            "states": arrays.to_host(self.states),
            "optimizer": self.optimizer,
            "optimizer_state": arrays.to_host(self.optimizer_state),
            "step": self.step,
        }
        return _rebuild, (fields,)

    def _map_arrays(self, function: Callable[[PyTree], PyTree]) -> TrainState:
        """A state whose trees went through `function`, which keeps their structure."""
        return TrainState(
            self.model,
            function(self.parameters),
            function(self.states),
            self.optimizer,
            optimizer_state=function(self.optimizer_state),
            step=self.step,
        )


class FlatStates:
    """States as arrays and a structure, with the tree made when it is read."""

    __slots__ = ("arrays", "placed", "structure")

    def __init__(
        self, found: tuple[Any, ...], structure: Structure, placed: tuple[str, ADType] | None = None
    ) -> None:
        self.arrays = found
        self.structure = structure
        self.placed = placed

    @classmethod
    def of(cls, states: PyTree) -> FlatStates:
        """Of a tree that a user gave."""
        return cls(*tree.flatten(states, arrays.is_array))

    def tree(self) -> PyTree:
        """The states as a tree."""
        return self.structure.unflatten(self.arrays)

    def on(self, backend: Backend, selector: ADType) -> tuple[Any, ...]:
        """The arrays in `backend`."""
        if is_at(self.placed, backend, selector):
            return self.arrays
        return arrays.move(self.arrays, backend, selector)


def advance(
    state: TrainState,
    buffers: Buffers,
    states: FlatStates,
    objective: Any,
    steps: int = 1,
    plan: object = None,
) -> TrainState:
    """The state after a training function has run; it keeps the run's cache.

    `plan` is that of the step that made it, if the next step need not look at it.
    """
    new = object.__new__(TrainState)
    # All at once: this is done in every step, and each attribute on its own costs as much.
    fields = {
        **state.__dict__, "step": state.step + steps, "_buffers": buffers, "_states": states,
        "objective_function": objective, "_plan": plan,
    }  # fmt: skip
    object.__setattr__(new, "__dict__", fields)
    return new


def with_optimizer(state: TrainState, rule: Rule) -> TrainState:
    """The state with another rule, bound to the same leaves; it keeps the run's cache.

    Slots of the same name go on, further ones start anew, and the count goes on.
    """
    former, buffers = state.optimizer, state._buffers
    if rule.slots != former.slots and buffers.slots is not None:
        buffers.require_present()
        # Two records hold these arrays now, so neither may overwrite them without a copy.
        buffers.owned = False
        xp = arrays.array_namespace(*buffers.trainable)
        with arrays.precision_scope(*buffers.trainable):
            slots = dict(zip(rule.slots, rule.init(xp, buffers.trainable), strict=True))
        old = zip(former.slots, buffers.slots, strict=True)
        slots.update((name, slot) for name, slot in old if name in slots)
        carry = (buffers.trainable, tuple(slots.values()))
        buffers = Buffers(
            buffers.layout, carry, buffers.fixed, buffers.count, buffers.placed
        )
    return _new(
        state.model, rule, state.step, buffers, state._states, state.cache,
        state.objective_function,
    )  # fmt: skip


def require_state(given: Any, caller: str) -> None:
    """Raise unless what was given to the caller is a train state."""
    if not isinstance(given, TrainState):
        raise OptionError(f"{caller} takes a TrainState first, got {type(given).__name__}")


def leaf_paths(layout: Layout) -> list[tuple[str, ...]]:
    """For each trainable leaf the paths at which it stands."""
    paths = layout.structure.every_path()
    return [paths[i] for i in layout.trainable]


def _new(*fields: Any) -> TrainState:
    state = object.__new__(TrainState)
    _fill(state, *fields)
    return state


def _fill(
    state: TrainState,
    model: Any,
    optimizer: Rule,
    step: int,
    buffers: Buffers,
    states: FlatStates,
    cache: Cache,
    objective: Any = None,
) -> None:
    fields = {
        "model": model, "optimizer": optimizer, "step": step, "_buffers": buffers,
        "_states": states, "cache": cache, "objective_function": objective, "_plan": None,
    }  # fmt: skip
    object.__setattr__(state, "__dict__", fields)


def _read_slots(
    given: Mapping[str, Any] | None, rule: Rule, trainable: tuple[Any, ...]
) -> tuple[tuple[tuple[Any, ...], ...] | None, int]:
    """Slots and count of an `optimizer_state`, checked."""
    if given is None:
        return None, 0
    if set(given) == {"count"}:
        return None, int(given["count"])
    expected = {"count", *rule.slots}
    if set(given) != expected:
        raise TreeError(
            f"optimizer_state has the keys {sorted(given)}, and {rule!r} needs {sorted(expected)}"
        )
    for name, places in zip(rule.slots, rule.slot_places(len(trainable)), strict=True):
        got = [tuple(a.shape) for a in given[name]]
        shapes = [tuple(trainable[i].shape) for i in places]
        if got != shapes:
            raise ShapeError(
                f"optimizer_state[{name!r}] has arrays of shapes {got}, and the parameters have "
                f"{shapes}"
            )
    return tuple(tuple(given[name]) for name in rule.slots), int(given["count"])


def _copy_arrays(values: PyTree) -> PyTree:
    found, structure = tree.flatten(values, arrays.is_array)
    with arrays.precision_scope(*found):
        return structure.unflatten([arrays.array_namespace(a).asarray(a, copy=True) for a in found])


def _where(buffers: Buffers) -> str:
    if not (buffers.trainable or buffers.fixed):
        return "none"
    owners = {str(arrays.owner_of(type(a))) for a in (*buffers.trainable, *buffers.fixed)}
    return ", ".join(sorted(owners))


def _rebuild(fields: dict[str, Any]) -> TrainState:
    return TrainState(**fields)
