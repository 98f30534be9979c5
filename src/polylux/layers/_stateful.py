"""StatefulLayer: a model that keeps its parameters and states, called with the input alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import optree

from polylux import registry, tree
from polylux.arrays import is_array
from polylux.dtypes import dtype_name
from polylux.errors import LeakedTracerError, OptionError, TreeError
from polylux.layers._base import Layer, parameter_count, state_count
from polylux.layers._container import outline_of
from polylux.layers._printing import Outline, render
from polylux.layers._wrapped import name_of
from polylux.typing import Model, PyTree


class StatefulLayer:
    """A model with its parameters and states: `s(x)` returns the output and keeps the new states.

    It is an object that changes, and no layer: an objective gets the layer, and makes one of these
    inside for convenience. It is a node of trees: `f64(s)`, `to_backend(s, selector)` and the like
    give a new one with other arrays.

    Parameters
    ----------
    model : Layer or callable
        `model(x, ps, st) -> (y, st)`.
    ps : tree or None
        Parameters; without them each call needs its own, `s(x, ps)`.
    st : tree
        States.
    fixed_state_type : bool, optional
        Whether states of other containers, shapes, dtypes or Python types than the former ones are
        an error; as the model says when left out, and a plain function does not say no.

    Attributes
    ----------
    model, ps, st, fixed_state_type
        As given; `st` advances at each call.

    Raises
    ------
    OptionError
        If the model is not callable; when called without parameters.
    TreeError
        When called, if the type of the states changes and must not.
    LeakedTracerError
        When called inside a derivative or a compiled step, if the states change and the object was
        made outside; when used outside, if it was made inside. Values of a trace cannot be kept:
        make the object inside and return its `st`.

    References
    ----------
    `StatefulLuxLayer` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, TrainState, array_namespace, compute_gradients
    >>> from polylux.layers import Dense, setup
    >>> from polylux.optimizers import SGD
    >>> model = Dense(2, 3)
    >>> ps, st = setup(np.random.default_rng(0), model)
    >>> s = StatefulLayer(model, ps, st)
    >>> s(np.ones((5, 2), dtype=np.float32)).shape
    (5, 3)

    In an objective, the states are handed back:

    >>> def objective(model, ps, st, x):
    ...     s = StatefulLayer(model, ps, st)
    ...     y = s(x) + s(2 * x)
    ...     return array_namespace(y).mean(y), s.st, {}
    >>> ts = TrainState(model, ps, st, SGD(0.1))
    >>> x = np.ones((5, 2), dtype=np.float32)
    >>> compute_gradients(AutoAutograd(), objective, x, ts).grads["weight"].shape
    (2, 3)
    """

    def __init__(
        self, model: Model, ps: PyTree, st: PyTree, *, fixed_state_type: bool | None = None
    ) -> None:
        if not callable(model) or isinstance(model, type):
            raise OptionError(
                f"StatefulLayer needs a model(x, ps, st) -> (y, st), got {model!r}; "
                "the order is (model, ps, st)"
            )
        if fixed_state_type is None:
            fixed_state_type = not isinstance(model, Layer) or model.preserves_state_type()
        self.model = model
        self.fixed_state_type = fixed_state_type
        self._ps = ps
        self._st = st
        self._made_inside = _inside_a_trace()

    @property
    def ps(self) -> PyTree:
        """The parameters; see the class."""
        self._require_alive()
        return self._ps

    @property
    def st(self) -> PyTree:
        """The states; see the class."""
        self._require_alive()
        return self._st

    def __call__(self, x: Any, ps: PyTree = None, /) -> Any:
        self._require_alive()
        ps = self._ps if ps is None else ps
        if ps is None:
            raise OptionError(
                "this StatefulLayer was made without parameters; call it as s(x, ps), "
                "or make it with them: StatefulLayer(model, ps, st)"
            )
        y, st = self.model(x, ps, self._st)
        if st is not self._st:
            self._keep(st)
        return y

    def parameter_count(self) -> int:
        """Number of numbers in the parameters; those of the model's own where there are none."""
        return parameter_count(self.model if self._ps is None else self._ps)

    def state_count(self) -> int:
        """Number of numbers in the states; what is no array counts one."""
        return state_count(self._st)

    def _keep(self, st: PyTree) -> None:
        changed = _difference(self._st, st)
        if self.fixed_state_type and changed is not None:
            raise TreeError(
                f"the type of the states changed: {changed}; keep it the same, or allow it with "
                "StatefulLayer(model, ps, st, fixed_state_type=False)"
            )
        if not self._made_inside and _inside_a_trace() and not _are_same(self._st, st):
            raise LeakedTracerError(
                "this StatefulLayer was made outside of the objective or function that is being "
                "differentiated or compiled, and cannot keep the states of a call inside; make it "
                "inside, s = StatefulLayer(model, ps, st), and return s.st with the loss"
            )
        self._st = st

    def _require_alive(self) -> None:
        if self._made_inside and not _inside_a_trace():
            raise LeakedTracerError(
                "this StatefulLayer was made inside an objective or function that was "
                "differentiated or compiled, and its values ended with that; return s.st from "
                "there, and make a new one of what comes back"
            )

    def _map_states(self, function: Callable[[PyTree], PyTree], /) -> Self:
        fixed = self.fixed_state_type
        return type(self)(self.model, self.ps, function(self.st), fixed_state_type=fixed)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({name_of(self.model)})"

    def __str__(self) -> str:
        part = ("", outline_of(self.model))
        name = f"{type(self).__name__}("
        return render(Outline(name, self.parameter_count(), self.state_count(), (part,), ")"))


class _Kept:
    """What a StatefulLayer is besides its trees; hashable with any model."""

    def __init__(self, layer: StatefulLayer) -> None:
        self.model = layer.model
        self.fixed_state_type = layer.fixed_state_type

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Kept)
            and tree.same_static(self.model, other.model)
            and self.fixed_state_type == other.fixed_state_type
        )

    def __hash__(self) -> int:
        return hash(type(self.model))


def _flatten(layer: StatefulLayer) -> tuple[tuple[PyTree, PyTree], _Kept, tuple[str, str]]:
    return (layer.ps, layer.st), _Kept(layer), ("ps", "st")


def _unflatten(kept: _Kept, trees: Any) -> StatefulLayer:
    return StatefulLayer(kept.model, *trees, fixed_state_type=kept.fixed_state_type)


_register: Any = optree.register_pytree_node  # typed for collections only; any class will do
_register(
    StatefulLayer,
    _flatten,
    _unflatten,
    path_entry_type=optree.GetAttrEntry,
    namespace=tree.NAMESPACE,
)


def _inside_a_trace() -> bool:
    """Whether this thread is inside a derivative or a trace of any backend."""
    return any(backend.is_tracing() for backend in registry.loaded_backends().values())


def _difference(old: PyTree, new: PyTree) -> str | None:
    """Where the type of the states differs, or None."""
    before, definition = tree.leaves(old)
    after, new_definition = tree.leaves(new)
    if definition != new_definition:
        return tree.first_difference(new_definition, definition)
    for place, (a, b) in enumerate(zip(before, after, strict=True)):
        if a is not b and _type_of(a) != _type_of(b):
            return f"st{tree.path(old, place)} was {_type_of(a)} and is {_type_of(b)}"
    return None


def _type_of(leaf: Any) -> str:
    if is_array(leaf):
        return f"an array of shape {tuple(leaf.shape)} and dtype {dtype_name(leaf.dtype)}"
    kind = type(leaf)
    return f"a {kind.__module__}.{kind.__qualname__}"


def _are_same(old: PyTree, new: PyTree) -> bool:
    """Whether nothing has changed: the same arrays, and equal leaves of other types."""
    before, definition = tree.leaves(old)
    after, new_definition = tree.leaves(new)
    return bool(definition == new_definition) and all(
        a is b or (not is_array(a) and tree.same_static(a, b))
        for a, b in zip(before, after, strict=True)
    )
