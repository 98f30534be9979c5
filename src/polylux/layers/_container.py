"""Container: the base of layers that are made of layers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from polylux.errors import OptionError, TreeError
from polylux.layers._base import HasSetup, Layer, Shape, parameter_count, state_count
from polylux.layers._printing import Outline
from polylux.layers._wrapped import call_function, function_shape, name_of
from polylux.typing import PyTree


class Container(Layer):
    """A layer whose parameters and states are dicts with an entry for each of its parts.

    A part is a layer or a plain function; the entry of a function, and of a layer without
    parameters or states, is `{}`. A subclass says what its parts are, and how it calls them
    (`call_part` does for one of them).
    """

    @abstractmethod
    def parts(self) -> tuple[tuple[str, Any], ...]:
        """Name and layer (or function) of each part, in the order in which they are drawn."""

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return {
            name: part.initial_parameters(rng) if isinstance(part, HasSetup) else {}
            for name, part in self.parts()
        }

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return {
            name: part.initial_states(rng) if isinstance(part, HasSetup) else {}
            for name, part in self.parts()
        }

    def parameter_count(self) -> int:
        return sum(parameter_count(part) for _, part in self.parts() if isinstance(part, HasSetup))

    def state_count(self) -> int:
        return sum(state_count(part) for _, part in self.parts() if isinstance(part, HasSetup))

    def preserves_state_type(self) -> bool:
        return all(
            part.preserves_state_type() for _, part in self.parts() if isinstance(part, Layer)
        )

    def _outline(self) -> Outline:
        return Outline(
            f"{type(self).__name__}(",
            self.parameter_count(),
            self.state_count(),
            tuple(self._outlines()),
            ")",
        )

    def _outlines(self) -> list[tuple[str, Outline]]:
        """What `print` shows of each part, with what stands before it."""
        return [(prefix(name), outline_of(part)) for name, part in self.parts()]

    def __repr__(self) -> str:
        shown = (prefix(name) + name_of(part) for name, part in self.parts())
        return f"{type(self).__name__}({', '.join(shown)})"


def call_part(
    container: Container,
    name: str,
    part: Any,
    x: Any,
    ps: PyTree,
    st: PyTree,
    changed: dict[str, Any],
) -> Any:
    """Output of one part, for the trees of its container; a new state is put into `changed`."""
    if not isinstance(part, HasSetup):
        return call_function(part, x)
    try:
        parameters, state = ps[name], st[name]
    except (KeyError, TypeError, IndexError) as error:
        explain_missing(error, container, name, ps, st)
    y, new = part(x, parameters, state)  # type: ignore[operator]  # a model is callable
    if new is not state:
        changed[name] = new
    return y


def part_shape(part: Any, input_shape: Shape) -> Shape:
    """Shape of one part's output."""
    if isinstance(part, Layer):
        return part.output_shape(input_shape)
    if isinstance(part, HasSetup):
        raise OptionError(
            f"the output shape of {part!r} is not known; derive its class from polylux.layers.Layer"
        )
    return function_shape(part, input_shape)


def explain_missing(
    error: Exception, container: Container, name: str, ps: PyTree, st: PyTree
) -> NoReturn:
    """Raise that the parameters or states are no dict with an entry for the part `name`."""
    names = [part for part, _ in container.parts()]
    which, tree = ("states", st) if isinstance(ps, dict) and name in ps else ("parameters", ps)
    got = f"keys {list(tree)}" if isinstance(tree, dict) else f"a {type(tree).__name__}"
    raise TreeError(
        f"a {type(container).__name__} of {len(names)} layers needs {which} with the keys {names}, "
        f"got {got}; setup(rng, model) makes them"
    ) from error


def outline_of(part: Any) -> Outline:
    """What `print` shows of a layer, a model of the user's, or a function."""
    if isinstance(part, Layer):
        return part._outline()
    if isinstance(part, HasSetup):
        return Outline(repr(part), parameter_count(part), state_count(part))
    return Outline(name_of(part))


def prefix(name: str) -> str:
    """What stands before a part where it is printed: nothing for the names `layer_1`, ..."""
    return "" if name.removeprefix("layer_").isdecimal() else f"{name}="


def named_parts(
    owner: str, layers: Sequence[Any], named: Mapping[str, Any]
) -> tuple[tuple[str, Any], ...]:
    """Parts called `layer_1`, `layer_2`, ..., or by the keywords under which they were given.

    Raises
    ------
    OptionError
        If there are none, or both kinds, or one is neither a layer nor a function.
    """
    for name, layer in named.items():
        if not callable(layer):
            raise OptionError(
                f"{owner} got an unknown keyword {name!r}; it takes layers only, in order; "
                "an activation belongs to its layer: Dense(..., activation='relu')"
            )
    if layers and named:
        raise OptionError(
            f"{owner} got {len(layers)} layers without and {len(named)} with a name; "
            "give names to all of them, or to none"
        )
    if not layers and not named:
        raise OptionError(f"{owner} needs at least one layer")
    parts = tuple(named.items()) or tuple(
        (f"layer_{number}", layer) for number, layer in enumerate(layers, 1)
    )
    for name, layer in parts:
        check_part(owner, name.replace("_", " ") if layers else f"the layer {name!r}", layer)
    return parts


def check_part(owner: str, which: str, layer: Any) -> None:
    """Raise `OptionError` for what is neither a layer nor a function."""
    if isinstance(layer, type) and issubclass(layer, Layer):
        raise OptionError(
            f"{which} of a {owner} is the class {layer.__name__}; make one: {layer.__name__}(...)"
        )
    if isinstance(layer, list | tuple):
        raise OptionError(
            f"{which} of a {owner} is a {type(layer).__name__}; write {owner}(*layers)"
        )
    if not callable(layer):
        raise OptionError(
            f"{which} of a {owner} must be a layer or a function of one array, got {layer!r}"
        )
