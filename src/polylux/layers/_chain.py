"""Chain: layers one after another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from polylux.errors import OptionError, TreeError
from polylux.layers._base import HasSetup, Layer
from polylux.ops import in_precision
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False, init=False)
class Chain(Layer):
    """Each layer applied to the output of the one before.

    Its parameters are `{"layer_1": ..., "layer_2": ...}`, its states have the same keys; a layer
    without parameters or states has `{}` there.

    Parameters
    ----------
    *layers : Layer or callable
        A plain function takes the array alone, and has neither parameters nor states.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import Dense, setup
    >>> model = Chain(Dense(64, 32, activation="relu"), Dense(32, 10))
    >>> print(model)
    Chain(
        Dense(64, 32, activation='relu'),
        Dense(32, 10),
    )
    >>> ps, st = setup(np.random.default_rng(0), model)
    >>> ps["layer_2"]["weight"].shape, st
    ((32, 10), {'layer_1': {}, 'layer_2': {}})
    """

    layers: tuple[Callable[..., Any], ...]
    # (name, layer, whether it is a plain function), for the call's loop
    _steps: tuple[tuple[str, Any, bool], ...] = dataclasses.field(
        init=False, repr=False, compare=False
    )

    def __new__(cls, *layers: Any, **options: Any) -> Self:
        if options:
            raise OptionError(
                f"{cls.__name__} got an unknown keyword {next(iter(options))!r}; it takes layers "
                "only, in order; an activation belongs to its layer: Dense(..., activation='relu')"
            )
        return super().__new__(cls)

    def __init__(self, *layers: Any) -> None:
        if not layers:
            raise OptionError("Chain needs at least one layer")
        for number, layer in enumerate(layers, 1):
            _check_layer(number, layer)
        steps = tuple(
            (f"layer_{number}", layer, not isinstance(layer, HasSetup))
            for number, layer in enumerate(layers, 1)
        )
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "_steps", steps)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return {
            name: {} if plain else layer.initial_parameters(rng)
            for name, layer, plain in self._steps
        }

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return {
            name: {} if plain else layer.initial_states(rng) for name, layer, plain in self._steps
        }

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        changed: dict[str, Any] = {}
        for name, layer, plain in self._steps:
            if plain:
                x = in_precision(layer, x)
                continue
            try:
                parameters, state = ps[name], st[name]
            except (KeyError, TypeError, IndexError) as error:
                self._explain(error, name, ps, st)
            x, new = layer(x, parameters, state)
            if new is not state:
                changed[name] = new
        # The same object where nothing has changed: no copy, and callers see that at a glance.
        return x, {**st, **changed} if changed else st

    def _explain(self, error: Exception, name: str, ps: PyTree, st: PyTree) -> None:
        names = [step for step, _, _ in self._steps]
        which, tree = ("states", st) if isinstance(ps, dict) and name in ps else ("parameters", ps)
        got = f"keys {list(tree)}" if isinstance(tree, dict) else f"a {type(tree).__name__}"
        raise TreeError(
            f"a Chain of {len(names)} layers needs {which} with the keys {names}, got {got}; "
            "setup(rng, model) makes them"
        ) from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(_name, self.layers))})"

    def __str__(self) -> str:
        lines = [f"{type(self).__name__}("]
        for layer in self.layers:
            text = str(layer) if isinstance(layer, Chain) else _name(layer)
            lines += ["    " + line for line in f"{text},".splitlines()]
        return "\n".join([*lines, ")"])


def _name(layer: Any) -> str:
    return repr(layer) if isinstance(layer, Layer) else getattr(layer, "__name__", repr(layer))


def _check_layer(number: int, layer: Any) -> None:
    if isinstance(layer, type) and issubclass(layer, Layer):
        raise OptionError(
            f"layer {number} of a Chain is the class {layer.__name__}; "
            f"make one: {layer.__name__}(...)"
        )
    if isinstance(layer, list | tuple):
        raise OptionError(
            f"layer {number} of a Chain is a {type(layer).__name__}; write Chain(*layers)"
        )
    if not callable(layer):
        raise OptionError(
            f"layer {number} of a Chain must be a layer or a function of one array, got {layer!r}"
        )
