"""SkipConnection: a layer's output brought together with its input."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from polylux.errors import OptionError
from polylux.layers._base import HasSetup, Shape
from polylux.layers._container import Container, call_part, check_part, part_shape
from polylux.layers._wrapped import call_function, function_shape
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class SkipConnection(Container):
    """`connection(layer(x), x)`.

    Its parameters and states have the keys `"layer"` and `"connection"`, with `{}` for a function.

    Parameters
    ----------
    layer : Layer or callable
        A `Chain`, if there are several.
    connection : callable or Layer
        A function of two arrays, such as `operator.add`; a layer takes them as a tuple.

    Raises
    ------
    OptionError
        If one of them is neither a layer nor a function.

    References
    ----------
    `SkipConnection` of Lux; with `operator.add`, K. He et al., Deep residual learning for image
    recognition, CVPR 2016, equation 1.

    Examples
    --------
    >>> import operator
    >>> import numpy as np
    >>> from polylux.layers import Dense, setup
    >>> model = SkipConnection(Dense(3, 3, "relu"), operator.add)
    >>> model
    SkipConnection(layer=Dense(3, 3, activation='relu'), connection=add)
    >>> model.output_shape((5, 3))
    (5, 3)
    """

    layer: Callable[..., Any]
    connection: Callable[..., Any]

    def __post_init__(self) -> None:
        check_part("SkipConnection", "the layer", self.layer)
        if not callable(self.connection) or isinstance(self.connection, type):
            raise OptionError(
                "SkipConnection takes (layer, connection), the second a function of two arrays "
                f"such as operator.add, or a layer; got {self.connection!r}"
            )

    def parts(self) -> tuple[tuple[str, Any], ...]:
        return (("layer", self.layer), ("connection", self.connection))

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        changed: dict[str, Any] = {}
        y = call_part(self, "layer", self.layer, x, ps, st, changed)
        if isinstance(self.connection, HasSetup):
            y = call_part(self, "connection", self.connection, (y, x), ps, st, changed)
        else:
            y = call_function(self.connection, y, x)
        return y, {**st, **changed} if changed else st

    def output_shape(self, input_shape: Shape, /) -> Shape:
        """Shape of the output; a connection that is a function is run on zeros on the host."""
        shape = part_shape(self.layer, input_shape)
        if isinstance(self.connection, HasSetup):
            return part_shape(self.connection, (shape, input_shape))
        return function_shape(self.connection, shape, input_shape)
