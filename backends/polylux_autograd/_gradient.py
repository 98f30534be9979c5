"""Derivatives of a function of leaves: value, value and gradient, pullback, pushforward."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polylux_autograd import _tracing
from polylux_autograd.array_api._array import Array

Arrays = tuple[Any, ...]
Function = Callable[..., tuple[Any, Arrays]]
Map = Callable[..., tuple[Arrays, Arrays]]
Pull = Callable[[Arrays], Arrays]


def value(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """What the function returns, in memory apart from its arguments' flat buffers."""
    groups = [a if isinstance(a, tuple) else (a,) for a in arguments]
    return _all_apart(function(*arguments), tuple(itertools.chain(*groups)))


def value_and_gradient(function: Function, leaves: Arrays) -> tuple[Any, Arrays, Arrays]:
    """Value, gradient and auxiliary output; nests with itself and the other two."""
    value, gradients, aux = _tracing.value_and_gradient(function, leaves)
    return _apart(value, leaves), gradients, _each_apart(aux, leaves)


def pullback(function: Map, leaves: Arrays) -> tuple[Arrays, Pull, Arrays]:
    """Outputs, the map from their cotangents to those of the leaves, and auxiliary output."""
    outputs, pull, aux = _tracing.linearize(function, leaves, has_aux=True)
    return _each_apart(outputs, leaves), pull, _each_apart(aux, leaves)


def pushforward(
    function: Map, leaves: Arrays, tangents: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    """Outputs, their derivatives along the tangents, and auxiliary output."""
    outputs, derivatives, aux = _tracing.pushforward(function, leaves, tangents, has_aux=True)
    return _each_apart(outputs, leaves), derivatives, _each_apart(aux, leaves)


def _each_apart(arrays: Arrays, leaves: Arrays) -> Arrays:
    return tuple([_apart(array, leaves) for array in arrays])


def _all_apart(result: Any, leaves: Arrays) -> Any:
    if type(result) is tuple:
        return tuple([_all_apart(part, leaves) for part in result])
    return _apart(result, leaves)


def _apart(array: Any, leaves: Arrays) -> Any:
    """The array in memory of its own, if it is a view of what holds the leaves.

    Their flat buffer is overwritten by the next update in place; a loss or a statistic must not
    change with it.
    """
    if type(array) is Array and array._data.base is not None:
        base = array._data.base
        if any(type(leaf) is Array and leaf._data.base is base for leaf in leaves):
            return Array(np.array(array._data))
    return array
