"""Which operator each public function calls, and which of its results it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.errors import OptionError, nearest
from polylux.operators._derivative import DERIVATIVE, derivative, value_and_derivative
from polylux.operators._gradient import GRADIENT, gradient, value_and_gradient
from polylux.operators._hessian import HESSIAN, hessian, value_gradient_and_hessian
from polylux.operators._hvp import HVP, hvp, value_gradient_and_hvp
from polylux.operators._jacobian import JACOBIAN, jacobian, value_and_jacobian
from polylux.operators._operator import Operator
from polylux.operators._pullback import PULLBACK, pullback, value_and_pullback
from polylux.operators._pushforward import PUSHFORWARD, pushforward, value_and_pushforward
from polylux.operators._second_derivative import (
    SECOND_DERIVATIVE,
    second_derivative,
    value_derivative_and_second_derivative,
)

# The number says how many of the results it returns, counted from the last.
_TABLE: dict[Callable[..., Any], tuple[Operator, int]] = {
    derivative: (DERIVATIVE, 1),
    value_and_derivative: (DERIVATIVE, 2),
    gradient: (GRADIENT, 1),
    value_and_gradient: (GRADIENT, 2),
    jacobian: (JACOBIAN, 1),
    value_and_jacobian: (JACOBIAN, 2),
    pushforward: (PUSHFORWARD, 1),
    value_and_pushforward: (PUSHFORWARD, 2),
    pullback: (PULLBACK, 1),
    value_and_pullback: (PULLBACK, 2),
    second_derivative: (SECOND_DERIVATIVE, 1),
    value_derivative_and_second_derivative: (SECOND_DERIVATIVE, 3),
    hvp: (HVP, 1),
    value_gradient_and_hvp: (HVP, 3),
    hessian: (HESSIAN, 1),
    value_gradient_and_hessian: (HESSIAN, 3),
}


def look_up(function: Callable[..., Any]) -> tuple[Operator, int]:
    """The operator behind a public function, and how many of its results that returns.

    Raises
    ------
    OptionError
        If it is no operator of polylux.
    """
    try:
        return _TABLE[function]
    except (KeyError, TypeError):
        names = [known.__name__ for known in _TABLE]
        name = getattr(function, "__name__", repr(function))
        raise OptionError(
            f"expected an operator such as polylux.hessian, got {function!r}; "
            f"{nearest(name, names)}"
        ) from None
