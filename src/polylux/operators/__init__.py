"""Operators: derivatives of functions of trees, for any backend.

============================  ==========================================  ====================
operator                      with the value                              `f`
============================  ==========================================  ====================
`pushforward` (`jvp`)         `value_and_pushforward`                     any
`pullback` (`vjp`)            `value_and_pullback`                        any
`derivative`                  `value_and_derivative`                      of one number
`gradient`                    `value_and_gradient`                        returns one number
`jacobian`                    `value_and_jacobian`                        any
`second_derivative`           `value_derivative_and_second_derivative`    of one number
`hvp`                         `value_gradient_and_hvp`                    returns one number
`hessian`                     `value_gradient_and_hessian`                returns one number
============================  ==========================================  ====================

All are called as `(f, selector, x, *constants)`, with a direction after `x` for `pushforward`,
`pullback` and `hvp`, and return trees. Each is derived from whichever of `value_and_gradient`,
`pullback` and `pushforward` the backend has; `explain` says how and at what cost, and `prepare`
traces or compiles once.
"""

from polylux.operators._derivative import derivative, value_and_derivative
from polylux.operators._explain import Explanation, explain
from polylux.operators._gradient import gradient, value_and_gradient
from polylux.operators._hessian import hessian, value_gradient_and_hessian
from polylux.operators._hvp import hvp, value_gradient_and_hvp
from polylux.operators._jacobian import jacobian, value_and_jacobian
from polylux.operators._prepare import prepare
from polylux.operators._pullback import pullback, value_and_pullback
from polylux.operators._pushforward import pushforward, value_and_pushforward
from polylux.operators._second_derivative import (
    second_derivative,
    value_derivative_and_second_derivative,
)

jvp = pushforward
vjp = pullback

__all__ = [
    "Explanation",
    "derivative",
    "explain",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "prepare",
    "pullback",
    "pushforward",
    "second_derivative",
    "value_and_derivative",
    "value_and_gradient",
    "value_and_jacobian",
    "value_and_pullback",
    "value_and_pushforward",
    "value_derivative_and_second_derivative",
    "value_gradient_and_hessian",
    "value_gradient_and_hvp",
    "vjp",
]
