"""WrappedFunction, and plain functions where layers are expected."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

from polylux import tree
from polylux.arrays import is_array
from polylux.errors import OptionError
from polylux.layers._base import Layer, Shape, shape_of, zeros_of
from polylux.ops import TRAITS, keeping_precision
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class WrappedFunction(Layer):
    """A plain function as a layer without parameters and states.

    Containers take a function as it is; this is for where a layer is asked for.

    Parameters
    ----------
    function : callable
        Of the input alone; two of these layers are equal if their functions are the same object.

    Raises
    ------
    OptionError
        If it is not callable.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import setup
    >>> from polylux.ops import relu
    >>> layer = WrappedFunction(relu)
    >>> layer(np.asarray([-1.0, 2.0]), *setup(np.random.default_rng(0), layer))
    (array([0., 2.]), {})
    """

    function: Callable[[Any], Any]

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, type | Layer):
            raise OptionError(
                f"WrappedFunction takes a function of the input alone, got {self.function!r}"
            )

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        return call_function(self.function, x), st

    def output_shape(self, input_shape: Shape, /) -> Shape:
        """Shape of the output, found by running the function on zeros on the host."""
        return function_shape(self.function, input_shape)

    def __repr__(self) -> str:
        return f"WrappedFunction({name_of(self.function)})"


def call_function(function: Callable[..., Any], *inputs: Any) -> Any:
    """`function(*inputs)`, in the context in which arrays among the inputs keep their dtypes."""
    scope = precision_of(*inputs)
    if scope is None:
        return function(*inputs)
    with scope:
        return function(*inputs)


def precision_of(x: Any, *others: PyTree) -> contextlib.AbstractContextManager[Any] | None:
    """The context in which the arrays of these trees keep their dtypes, or None.

    Whether there is one is seen from `x` alone, where that is an array.
    """
    if is_array(x):
        if TRAITS[type(x)].scope is None:
            return None
        if not others:
            return keeping_precision(x)
    found, _ = tree.flatten((x, *others), is_array)
    return keeping_precision(*found) if found else None


def function_shape(function: Callable[..., Any], *input_shapes: Shape) -> Shape:
    """Shape of `function(*inputs)`, found by running it on zeros on the host."""
    return shape_of(call_function(function, *map(zeros_of, input_shapes)))


def name_of(function: Any) -> str:
    """What a layer or a function is called where layers are printed."""
    return repr(function) if isinstance(function, Layer) else _short_name(function)


def _short_name(function: Any) -> str:
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else repr(function)
