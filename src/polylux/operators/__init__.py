"""Operators: derivatives of functions of trees, for any backend."""

from polylux.operators._gradient import gradient
from polylux.operators._value_and_gradient import value_and_gradient

__all__ = ["gradient", "value_and_gradient"]
