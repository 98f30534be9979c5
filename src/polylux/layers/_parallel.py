"""Parallel: layers side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Self

from polylux.errors import OptionError, ShapeError
from polylux.layers._base import HasSetup, Shape, is_shape
from polylux.layers._container import Container, call_part, named_parts, part_shape
from polylux.layers._printing import Outline
from polylux.layers._wrapped import call_function, function_shape, name_of
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False, init=False)
class Parallel(Container):
    """Layers side by side, and their outputs brought together.

    A tuple as input gives one entry to each layer; any other input goes to all of them whole. Its
    parameters and states have the keys `layer_1`, `layer_2`, ..., or the names that were given.

    Parameters
    ----------
    connection : callable or None
        Takes as many outputs as there are layers, such as `operator.add` for two; None gives them
        as a tuple.
    *layers : Layer or callable
        Plain functions have neither parameters nor states.
    **named : Layer or callable
        All of them by name instead.

    Raises
    ------
    OptionError
        If there are no layers, or one is neither a layer nor a function.
    ShapeError
        When called with a tuple of another length.

    References
    ----------
    `Parallel` of Lux.

    Examples
    --------
    >>> import operator
    >>> import numpy as np
    >>> from polylux.layers import Dense, setup
    >>> model = Parallel(operator.add, Dense(2, 3), Dense(4, 3))
    >>> print(model)
    Parallel(
        add,
        Dense(2, 3),  # 9 parameters
        Dense(4, 3),  # 15 parameters
    )                 # Total: 24 parameters, plus 0 states
    >>> x = np.ones((5, 2), dtype=np.float32), np.ones((5, 4), dtype=np.float32)
    >>> model(x, *setup(np.random.default_rng(0), model))[0].shape
    (5, 3)
    >>> model.output_shape(((5, 2), (5, 4)))
    (5, 3)
    """

    connection: Callable[..., Any] | None
    layers: tuple[Callable[..., Any], ...]
    names: tuple[str, ...]

    def __new__(cls, *args: Any, **named: Any) -> Self:
        return super().__new__(cls)  # keywords are names here, not fields

    def __init__(
        self, connection: Callable[..., Any] | None, /, *layers: Any, **named: Any
    ) -> None:
        if connection is not None and (
            not callable(connection) or isinstance(connection, type | HasSetup)
        ):
            raise OptionError(
                "Parallel takes a function of the layers' outputs first, or None for a tuple of "
                f"them, got {connection!r}; a layer comes after: Chain(Parallel(None, ...), layer)"
            )
        parts = named_parts("Parallel", layers, named)
        object.__setattr__(self, "connection", connection)
        object.__setattr__(self, "layers", tuple(layer for _, layer in parts))
        object.__setattr__(self, "names", tuple(name for name, _ in parts))

    def parts(self) -> tuple[tuple[str, Any], ...]:
        return tuple(zip(self.names, self.layers, strict=True))

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        inputs = self._for_each(x, isinstance(x, tuple), "inputs")
        outputs: list[Any] = []
        changed: dict[str, Any] = {}
        for (name, layer), one in zip(self.parts(), inputs, strict=True):
            y = call_part(self, name, layer, one, ps, st, changed)
            outputs.append(y)
        y = tuple(outputs) if self.connection is None else call_function(self.connection, *outputs)
        return y, {**st, **changed} if changed else st

    def output_shape(self, input_shape: Shape, /) -> Shape:
        """Shape of the output: a tuple of shapes without a connection.

        A connection is run on zeros on the host.
        """
        is_each = isinstance(input_shape, tuple) and not is_shape(input_shape)
        inputs = self._for_each(input_shape, is_each, "input shapes")
        shapes = tuple(map(part_shape, self.layers, inputs))
        return shapes if self.connection is None else function_shape(self.connection, *shapes)

    def _for_each(self, x: Any, is_each: bool, what: str) -> tuple[Any, ...]:
        if not is_each:
            return (x,) * len(self.layers)
        if len(x) != len(self.layers):
            raise ShapeError(
                f"a Parallel of {len(self.layers)} layers got a tuple of {len(x)} {what}; give one "
                "for each layer, or a single one for all"
            )
        return tuple(x)

    def _outlines(self) -> list[tuple[str, Outline]]:
        return [("", Outline(_connection_name(self.connection))), *super()._outlines()]

    def __repr__(self) -> str:
        first, _, rest = super().__repr__().partition("(")
        return f"{first}({_connection_name(self.connection)}, {rest}"


def _connection_name(connection: Callable[..., Any] | None) -> str:
    return "None" if connection is None else name_of(connection)
