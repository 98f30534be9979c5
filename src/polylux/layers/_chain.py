"""Chain: layers one after another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Self

from polylux.layers._base import HasSetup, Shape
from polylux.layers._container import Container, explain_missing, named_parts, part_shape
from polylux.layers._wrapped import call_function
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False, init=False)
class Chain(Container):
    """Each layer applied to the output of the one before.

    Its parameters are `{"layer_1": ..., "layer_2": ...}`, its states have the same keys; a layer
    without parameters or states has `{}` there.

    Parameters
    ----------
    *layers : Layer or callable
        A plain function takes the array alone, and has neither parameters nor states.
    **named : Layer or callable
        All of them by name instead: the keys of the parameters and states are then these names.

    Raises
    ------
    OptionError
        If there are no layers, or one is neither a layer nor a function.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import Dense, setup
    >>> model = Chain(Dense(64, 32, activation="relu"), Dense(32, 10))
    >>> print(model)
    Chain(
        Dense(64, 32, activation='relu'),  # 2,080 parameters
        Dense(32, 10),                     # 330 parameters
    )                                      # Total: 2,410 parameters, plus 0 states
    >>> ps, st = setup(np.random.default_rng(0), model)
    >>> ps["layer_2"]["weight"].shape, st
    ((32, 10), {'layer_1': {}, 'layer_2': {}})
    >>> model.output_shape((5, 64))
    (5, 10)
    >>> list(setup(np.random.default_rng(0), Chain(body=Dense(4, 3), head=Dense(3, 2)))[0])
    ['body', 'head']
    """

    layers: tuple[Callable[..., Any], ...]
    names: tuple[str, ...]
    # (name, layer, whether it is a plain function), for the call's loop
    _steps: tuple[tuple[str, Any, bool], ...] = dataclasses.field(
        init=False, repr=False, compare=False
    )

    def __new__(cls, *layers: Any, **named: Any) -> Self:
        return super().__new__(cls)  # keywords are names here, not fields

    def __init__(self, *layers: Any, **named: Any) -> None:
        parts = named_parts("Chain", layers, named)
        put = object.__setattr__
        put(self, "layers", tuple(layer for _, layer in parts))
        put(self, "names", tuple(name for name, _ in parts))
        put(self, "_steps", tuple((*part, not isinstance(part[1], HasSetup)) for part in parts))

    def parts(self) -> tuple[tuple[str, Any], ...]:
        return tuple(zip(self.names, self.layers, strict=True))

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        changed: dict[str, Any] = {}
        for name, layer, plain in self._steps:
            if plain:
                x = call_function(layer, x)
                continue
            try:
                parameters, state = ps[name], st[name]
            except (KeyError, TypeError, IndexError) as error:
                explain_missing(error, self, name, ps, st)
            x, new = layer(x, parameters, state)
            if new is not state:
                changed[name] = new
        # The same object where nothing has changed: no copy, and callers see that at a glance.
        return x, {**st, **changed} if changed else st

    def output_shape(self, input_shape: Shape, /) -> Shape:
        """Shape of the last layer's output, for an input of this shape."""
        for layer in self.layers:
            input_shape = part_shape(layer, input_shape)
        return input_shape
