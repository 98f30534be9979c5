"""Checks of the options that losses are made with."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

from polylux.errors import DomainError, OptionError


def real(loss: Any, name: str, *, optional: bool = False) -> float | None:
    """An option that is a finite number; with `optional`, it may be None."""
    value = getattr(loss, name)
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise OptionError(f"{_made(loss, name)} takes a number, got {value!r}")
    return float(value)


def at_least_zero(loss: Any, name: str, *, optional: bool = False) -> None:
    """Raise unless the option is a finite number from 0."""
    value = real(loss, name, optional=optional)
    if value is not None and not 0 <= value < math.inf:
        raise DomainError(f"{_made(loss, name)} must be at least 0 and finite, got {value}")


def above_zero(loss: Any, name: str) -> None:
    """Raise unless the option is a finite number above 0."""
    value = real(loss, name)
    if value is not None and not 0 < value < math.inf:
        raise DomainError(f"{_made(loss, name)} must be above 0 and finite, got {value}")


def fraction(loss: Any, name: str) -> None:
    """Raise unless the option is None or a number in [0, 1]."""
    value = real(loss, name, optional=True)
    if value is not None and not 0 <= value <= 1:
        raise DomainError(f"{_made(loss, name)} must be in [0, 1], got {value}")


def flag(loss: Any, name: str) -> None:
    """Raise unless the option is a bool."""
    value = getattr(loss, name)
    if not isinstance(value, bool):
        raise OptionError(f"{_made(loss, name)} takes a bool, got {value!r}")


def whole(loss: Any, name: str, *, optional: bool = False) -> None:
    """Make the option an int; raise if it is none."""
    value = getattr(loss, name)
    if value is None and optional:
        return
    try:
        if isinstance(value, bool):
            raise TypeError
        object.__setattr__(loss, name, operator.index(value))
    except TypeError:
        raise OptionError(f"{_made(loss, name)} takes an int, got {value!r}") from None


def weights(loss: Any, name: str) -> None:
    """Make the option a tuple of floats, of finite numbers from 0; raise if it is none."""
    value = getattr(loss, name)
    if value is None:
        return
    try:
        numbers_given = tuple([float(w) for w in value])
    except (TypeError, ValueError):
        raise OptionError(
            f"{_made(loss, name)} takes one number for each class, got {value!r}"
        ) from None
    if not all(0 <= w < math.inf for w in numbers_given):
        raise DomainError(f"{_made(loss, name)} must be at least 0 and finite, got {value!r}")
    object.__setattr__(loss, name, numbers_given)


def _made(loss: Any, name: str) -> str:
    return f"{type(loss).__name__}({name}=...)"
