"""What the forward function of a compact layer gets: its values by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from polylux import tree
from polylux.arrays import is_array
from polylux.errors import nearest
from polylux.layers._compact_values import Classified, Group
from polylux.ops import detach
from polylux.typing import PyTree


class SubLayer:
    """A layer with its parameters and states, called with the input alone.

    Attributes
    ----------
    layer : Layer
    ps, st : trees
        Its parameters, and its states as the latest call has left them.
    """

    __slots__ = ("layer", "ps", "st")

    def __init__(self, layer: Any, ps: PyTree, st: PyTree) -> None:
        self.layer = layer
        self.ps = ps
        self.st = st

    def __call__(self, x: Any, ps: PyTree = None, /) -> Any:
        y, self.st = self.layer(x, self.ps if ps is None else ps, self.st)
        return y

    def __repr__(self) -> str:
        return f"SubLayer({self.layer!r})"


class Namespace:
    """The values of a compact layer in one call, as attributes.

    A parameter is its array, a state its value as a constant for every derivative, a layer is
    called with the input alone. Assigning to a state changes the returned states; assigning to a
    parameter holds to the end of the call.
    """

    __slots__ = ("_assigned", "_classified", "_values")

    def __init__(self, classified: Classified, ps: PyTree, st: PyTree) -> None:
        values: dict[str, Any] = {name: ps[name] for name in classified.own_parameters}
        values.update((name, _constant(st[name])) for name in classified.own_states)
        for name, layer in classified.layers.items():
            values[name] = _bound(layer, ps[name], st[name])
        object.__setattr__(self, "_assigned", set())
        object.__setattr__(self, "_classified", classified)
        object.__setattr__(self, "_values", values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(
                f"the compact layer has no value {name!r}; {nearest(name, self._values)}"
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._values:
            raise AttributeError(
                f"the compact layer has no state {name!r} to assign to "
                f"({nearest(name, self._values)}); give it one, compact(..., {name}=initial), "
                "or use a plain variable for what lasts one call"
            )
        if name in self._classified.layers:
            raise AttributeError(
                f"{name!r} is a layer of the compact layer, and cannot be assigned to; "
                "use a plain variable"
            )
        self._values[name] = value
        if name in self._classified.own_states:
            self._assigned.add(name)

    def __dir__(self) -> Iterable[str]:
        return list(self._values)

    def __repr__(self) -> str:
        return f"<values of a compact layer: {', '.join(self._values)}>"


def new_states(namespace: Namespace, st: PyTree) -> PyTree:
    """The states after a call that began with `st`: the same object where nothing has changed."""
    values = namespace._values
    changed = {name: values[name] for name in namespace._assigned if values[name] is not st[name]}
    for name, layer in namespace._classified.layers.items():
        new = _states_of(layer, values[name], st[name])
        if new is not st[name]:
            changed[name] = new
    return {**st, **changed} if changed else st


def _states_of(layer: Any, bound: Any, st: PyTree) -> PyTree:
    if not isinstance(layer, Group):
        return bound.st
    each = bound.values() if layer.is_mapping else bound
    new = {key: one.st for key, one in zip(layer.layers, each, strict=True)}
    return st if all(new[key] is st[key] for key in new) else new


def _bound(layer: Any, ps: PyTree, st: PyTree) -> Any:
    if not isinstance(layer, Group):
        return SubLayer(layer, ps, st)
    bound = {key: SubLayer(one, ps[key], st[key]) for key, one in layer.layers.items()}
    return bound if layer.is_mapping else tuple(bound.values())


def _constant(value: PyTree) -> PyTree:
    """The value as a constant for every derivative; what holds no array is the same object."""
    if is_array(value):
        return detach(value)
    if callable(value) or isinstance(value, bool | int | float | str):
        return value  # the usual ones, without a walk
    found, structure = tree.flatten(value, is_array)
    return structure.unflatten([detach(array) for array in found]) if found else value
