"""Elementwise functions of two operands, with their derivatives."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ._array import Array, lift, raw
from ._elementwise import exp, floor, isinf, log, sign
from ._numpy import npx
from ._rules import binary, comparison, is_traced
from ._searching import where

__all__ = [
    "add", "atan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "clip", "copysign", "divide", "equal", "floor_divide", "greater",
    "greater_equal", "hypot", "less", "less_equal", "logaddexp", "logical_and", "logical_or",
    "logical_xor", "maximum", "minimum", "multiply", "nextafter", "not_equal", "pow", "remainder",
    "subtract",
]


def _atan2_terms(g: Any, x1: Any, x2: Any) -> tuple[Any, Any]:
    # x / (x1**2 + x2**2) without overflow of the squares, and 0 at the origin
    size = hypot(x1, x2)
    size = where(size == 0, 1, size)
    return g / size, size


def _atan2_rule1(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    scaled, size = _atan2_terms(g, x1, x2)
    return scaled * (x2 / size)


def _atan2_rule2(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    scaled, size = _atan2_terms(g, x1, x2)
    return -scaled * (x1 / size)


def _hypot_rule(g: Any, ans: Any, x: Any) -> Any:
    return g * (x / where(ans == 0, 1, ans))


def _share_of_logaddexp(g: Any, ans: Any, x: Any, other: Any) -> Any:
    """`g exp(x - ans)`: the share of x, at infinities its limit."""
    odd = isinf(ans) & (x == ans)
    if np.any(odd._data):
        exponent = where(odd, where(lift(x) == other, -np.log(2.0), 0.0), x - where(odd, 0, ans))
    else:
        exponent = x - ans
    return g * exp(exponent)


def _pick(g: Any, wins: Any, ties: Any) -> Any:
    """`g` where this operand wins, half of it at a tie."""
    mask = wins._data.astype(g.dtype)
    if np.any(ties._data):
        mask = mask + ties._data * mask.dtype.type(0.5)
    return g * Array(mask)


def _maximum_rule1(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    return _pick(g, greater(x1, x2), equal(x1, x2))


def _maximum_rule2(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    return _pick(g, greater(x2, x1), equal(x1, x2))


def _minimum_rule1(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    return _pick(g, less(x1, x2), equal(x1, x2))


def _minimum_rule2(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    return _pick(g, less(x2, x1), equal(x1, x2))


def _pow_rule1(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    if not is_traced(x2) and type(x2) is not Array:
        exponent = raw(x2)
        if not isinstance(exponent, np.ndarray):
            if exponent == 0:
                return g * 0
            return g if exponent == 1 else g * (x1 ** (exponent - 1) * exponent)
    # the exponent 0 gives a slope of 0, also at x1 = 0 where x1**-1 is infinite
    constant = lift(x2) == 0
    if np.any(constant._data):
        return where(constant, 0, g * (x2 * x1 ** (where(constant, 1, x2) - 1)))
    return g * (x2 * x1 ** (x2 - 1))


def _pow_rule2(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    # d/dy 0**y = 0 for y > 0, the limit of x**y log(x)
    base = lift(x1)
    zero = base == 0
    if np.any(zero._data):
        base = where(zero, 1, base)
    return g * (ans * log(base))


def _remainder_rule2(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    return -g * floor(x1 / x2)


def _copysign_rule(g: Any, ans: Any, x1: Any, x2: Any) -> Any:
    return g * (sign(x1) * copysign(_constant_one(x2), x2))


def _constant_one(x: Any) -> Any:
    return Array(np.ones_like(lift(x)._data))


def _floor_divide_data(a: Any, b: Any) -> Any:
    if np.result_type(a, b).kind != "f":
        return np.floor_divide(a, b)
    with np.errstate(invalid="ignore"):
        out = np.floor_divide(a, b)
        # the standard wants inf // 2 = inf and 1 // -inf = -0.0; numpy gives NaN and -1
        odd = np.isinf(a) | np.isinf(b)
        if np.any(odd):
            out = np.where(odd, np.true_divide(a, b), out)
    return out


add: Any = binary("add", np.add, lambda g, ans, x1, x2: g, lambda g, ans, x1, x2: g, "x1 + x2.")
subtract: Any = binary(
    "subtract", np.subtract, lambda g, ans, x1, x2: g, lambda g, ans, x1, x2: -g, "x1 - x2."
)
multiply: Any = binary(
    "multiply", np.multiply,
    lambda g, ans, x1, x2: g * x2, lambda g, ans, x1, x2: g * x1, "x1 * x2.",
)
divide: Any = binary(
    "divide", np.true_divide,
    lambda g, ans, x1, x2: g / x2, lambda g, ans, x1, x2: -g * ans / x2, "x1 / x2.",
)
# `**` and not np.power: numpy has short cuts there for the exponents 2 and 0.5
pow: Any = binary(
    "pow", operator.pow, _pow_rule1, _pow_rule2, "x1 to the power x2; 0**0 has slope 0."
)
remainder: Any = binary(
    "remainder", np.remainder, lambda g, ans, x1, x2: g, _remainder_rule2,
    "Remainder of the division, with the sign of x2.",
)
atan2: Any = binary(
    "atan2", np.arctan2, _atan2_rule1, _atan2_rule2,
    "Angle of the point (x2, x1); its slope at the origin is 0.",
)
copysign: Any = binary(
    "copysign", np.copysign, _copysign_rule, None, "The magnitude of x1 with the sign of x2."
)
hypot: Any = binary(
    "hypot", np.hypot,
    lambda g, ans, x1, x2: _hypot_rule(g, ans, x1),
    lambda g, ans, x1, x2: _hypot_rule(g, ans, x2),
    "sqrt(x1**2 + x2**2); its slope at (0, 0) is 0.",
)
logaddexp: Any = binary(
    "logaddexp", np.logaddexp,
    lambda g, ans, x1, x2: _share_of_logaddexp(g, ans, x1, x2),
    lambda g, ans, x1, x2: _share_of_logaddexp(g, ans, x2, x1),
    "log(exp(x1) + exp(x2)).",
)
maximum: Any = binary(
    "maximum", np.maximum, _maximum_rule1, _maximum_rule2,
    "The larger operand; at a tie each has half of the slope.",
)
minimum: Any = binary(
    "minimum", np.minimum, _minimum_rule1, _minimum_rule2,
    "The smaller operand; at a tie each has half of the slope.",
)

equal: Any = comparison("equal", np.equal, "Whether x1 == x2.")
not_equal: Any = comparison("not_equal", np.not_equal, "Whether x1 != x2.")
less: Any = comparison("less", np.less, "Whether x1 < x2.")
less_equal: Any = comparison("less_equal", np.less_equal, "Whether x1 <= x2.")
greater: Any = comparison("greater", np.greater, "Whether x1 > x2.")
greater_equal: Any = comparison("greater_equal", np.greater_equal, "Whether x1 >= x2.")
logical_and: Any = comparison("logical_and", np.logical_and, "x1 and x2.")
logical_or: Any = comparison("logical_or", np.logical_or, "x1 or x2.")
logical_xor: Any = comparison("logical_xor", np.logical_xor, "Whether exactly one operand is true.")
bitwise_and: Any = comparison("bitwise_and", np.bitwise_and, "x1 & x2, bit by bit.")
bitwise_or: Any = comparison("bitwise_or", np.bitwise_or, "x1 | x2, bit by bit.")
bitwise_xor: Any = comparison("bitwise_xor", np.bitwise_xor, "x1 ^ x2, bit by bit.")
bitwise_left_shift: Any = comparison(
    "bitwise_left_shift", npx.bitwise_left_shift, "x1 shifted left by x2 bits."
)
bitwise_right_shift: Any = comparison(
    "bitwise_right_shift", npx.bitwise_right_shift, "x1 shifted right by x2 bits."
)
nextafter: Any = comparison(
    "nextafter", np.nextafter, "The next floating-point number after x1 towards x2."
)
floor_divide: Any = comparison(
    "floor_divide", _floor_divide_data, "x1 / x2 rounded down."
)


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """`x` held between bounds; exactly at a bound each of them has half of the slope."""
    x = lift(x)
    if not is_traced(x, min, max):
        low = None if min is None else raw(min)
        high = None if max is None else raw(max)
        return Array(npx.clip(x._data, low, high))
    from ._casting import astype

    dtype = x.dtype
    if min is not None:
        x = maximum(x, min)
    if max is not None:
        x = minimum(x, max)
    return astype(x, dtype, copy=False)
