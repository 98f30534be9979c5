"""What the values given to compact are: parameters, states, or layers."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import optree

from polylux import tree
from polylux.arrays import array_namespace, is_array, precision_scope
from polylux.dtypes import dtype_name
from polylux.errors import OptionError
from polylux.layers._base import HasSetup, Layer
from polylux.layers._compact_marks import InitFn, Maker, NonTrainable
from polylux.layers._container import outline_of
from polylux.layers._printing import Outline
from polylux.layers._wrapped import name_of
from polylux.ops import detach
from polylux.typing import PyTree


class Group:
    """Several sub-layers under one name; its trees are dicts with an entry for each."""

    def __init__(self, layers: Mapping[str, Any], is_mapping: bool) -> None:
        self.layers = dict(layers)
        self.is_mapping = is_mapping

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return {key: layer.initial_parameters(rng) for key, layer in self.layers.items()}

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return {key: layer.initial_states(rng) for key, layer in self.layers.items()}

    def preserves_state_type(self) -> bool:
        return all(map(_preserves, self.layers.values()))

    def outline(self) -> Outline:
        opening, closing = "{}" if self.is_mapping else "[]"
        parts = tuple(
            (f"{key!r}: " if self.is_mapping else "", outline_of(layer))
            for key, layer in self.layers.items()
        )
        return Outline(opening, parts=parts, closing=closing)


class Classified:
    """The values of a compact layer by what they are, each kind in the order of the keywords.

    Attributes
    ----------
    layers : dict
        Name to layer or `Group`.
    parameters, states : dict
        Name to what makes the initial value from a generator; the layers have theirs in both.
    own_parameters, own_states : tuple of str
        The names among them that are no layers.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.layers: dict[str, Any] = {}
        self.parameters: dict[str, Maker] = {}
        self.states: dict[str, Maker] = {}
        for name, value in values.items():
            layer = _as_layer(name, value)
            if layer is not None:
                self.layers[name] = layer
                self.parameters[name] = layer.initial_parameters
                self.states[name] = layer.initial_states
            elif _is_parameter(value):
                self.parameters[name] = _maker(value)
            else:
                self.states[name] = _maker(value)
        self.own_parameters = tuple(name for name in self.parameters if name not in self.layers)
        self.own_states = tuple(name for name in self.states if name not in self.layers)

    def preserves_state_type(self) -> bool:
        return all(map(_preserves, self.layers.values()))


def _preserves(layer: Any) -> bool:
    return not isinstance(layer, Layer | Group) or layer.preserves_state_type()


def outline_of_value(value: Any) -> Outline:
    """What `print` shows of one value."""
    if isinstance(value, HasSetup):
        return outline_of(value)
    group = _as_group(value)
    if group is not None:
        return group.outline()
    return Outline(text_of(value), is_layer=False)


def text_of(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, InitFn):
        kind = "" if value.kind == "parameter" else f", kind={value.kind!r}"
        return f"init_fn({name_of(value.function)}{kind})"
    if isinstance(value, NonTrainable):
        return f"non_trainable({text_of(value.value)})"
    if _is_plain_array(value):
        return f"<{dtype_name(value.dtype)} array of shape {tuple(value.shape)}>"
    if type(value) in (list, tuple):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return opening + ", ".join(map(text_of, value)) + closing
    if callable(value):
        return name_of(value)
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _as_layer(name: str, value: Any) -> Any:
    """The layer or group of layers that a value is, or None."""
    if isinstance(value, type) and issubclass(value, HasSetup):
        raise OptionError(
            f"compact got the class {value.__name__} as {name}; make one: {value.__name__}(...)"
        )
    if isinstance(value, HasSetup):
        return value
    group = _as_group(value)
    if group is not None:
        return group
    for leaf in tree.leaves(value)[0]:
        if isinstance(leaf, HasSetup):
            raise OptionError(
                f"compact got layers and other values mixed in {name}={text_of(value)}; a list, "
                "tuple or dict of layers holds layers only: give the rest names of their own"
            )
        if leaf is not value and isinstance(leaf, InitFn | NonTrainable):
            raise OptionError(
                f"compact got {text_of(leaf)} inside of the value of {name}; give it a name of "
                "its own"
            )
    return None


def _as_group(value: Any) -> Group | None:
    if isinstance(value, dict):
        items = value
    elif optree.is_namedtuple(value):
        items = value._asdict()
    elif isinstance(value, list | tuple):
        items = {str(number): item for number, item in enumerate(value, 1)}
    else:
        return None
    if not items or not all(isinstance(item, HasSetup) for item in items.values()):
        return None
    return Group(items, isinstance(value, dict) or optree.is_namedtuple(value))


def _is_parameter(value: Any) -> bool:
    """Whether a value that is no layer is trained: arrays are, and lists or tuples of them."""
    if isinstance(value, InitFn):
        return value.kind == "parameter"
    if isinstance(value, list | tuple) and not optree.is_namedtuple(value):
        return bool(value) and all(map(_is_plain_array, value))
    return _is_plain_array(value)


def _is_plain_array(value: Any) -> bool:
    # A numpy scalar such as np.float32(3) is a number, not an array.
    return is_array(value) and not isinstance(value, np.generic)


def _maker(value: Any) -> Maker:
    """What makes the initial value: a function of the user's, or copies of what was given."""
    if isinstance(value, InitFn):
        return value.function
    given = value.value if isinstance(value, NonTrainable) else value
    return functools.partial(_copied, given)


def _copied(value: PyTree, _: np.random.Generator) -> PyTree:
    """The tree with each array copied, off any graph; other leaves are the same objects."""
    found, structure = tree.flatten(value, _is_plain_array)
    with precision_scope(*found):
        return structure.unflatten(
            [array_namespace(a).asarray(detach(a), copy=True) for a in found]
        )
