"""Checks of what a layer is made from, with the layer's name in the message."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

from polylux.errors import DomainError, OptionError
from polylux.ops import ACTIVATIONS, activation, identity, in_precision

Activation: TypeAlias = str | Callable[[Any], Any] | None
"""A name (see `polylux.ops.activation`), a function of one array, or None."""


def length(layer: object, name: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise OptionError(f"{_call(layer, name)} takes an int, got {value!r}") from None
    if number < least:
        raise DomainError(f"{_call(layer, name)} must be at least {least}, got {number}")
    return number


def lengths(layer: object, name: str, value: Any, least: int = 1) -> tuple[int, ...]:
    """`value`, an int or several, as a tuple of ints of at least `least`."""
    if isinstance(value, tuple | list):
        if not value:
            raise OptionError(f"{_call(layer, name)} needs at least one int, got {value!r}")
        return tuple(length(layer, name, item, least) for item in value)
    return (length(layer, name, value, least),)


def flag(layer: object, name: str, value: Any) -> None:
    """Raise unless `value` is a bool."""
    if not isinstance(value, bool):
        raise OptionError(f"{_call(layer, name)} takes a bool, got {value!r}")


def initializer(layer: object, name: str, value: Any) -> None:
    """Raise unless `value` can be called."""
    if not callable(value):
        raise OptionError(f"{_call(layer, name)} takes a function of (rng, shape), got {value!r}")


def number(layer: object, name: str, value: Any, low: float, high: float) -> float:
    """`value` as a float from `low` to `high`, both included."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise OptionError(f"{_call(layer, name)} takes a number, got {value!r}") from None
    if not low <= found <= high:
        raise DomainError(f"{_call(layer, name)} must be from {low} to {high}, got {found}")
    return found


def activated(layer: object, given: Any) -> tuple[Activation, Callable[[Any], Any] | None]:
    """How an activation is kept, and the function that is called: None for the identity.

    A function that has a name is kept by it, so that `relu` and "relu" make equal layers.
    """
    if given is None:
        return None, None
    if callable(given) and not isinstance(given, type):
        given = next((name for name, known in ACTIVATIONS.items() if known is given), given)
    if isinstance(given, str):
        function = activation(given)
        return given, None if function is identity else function
    if callable(given) and not isinstance(given, type):
        return given, functools.partial(in_precision, given)
    raise OptionError(
        f"{_call(layer, 'activation')} takes a name or a function of one array, got {given!r}"
    )


def _call(layer: object, name: str) -> str:
    return f"{type(layer).__name__}({name}=...)"
