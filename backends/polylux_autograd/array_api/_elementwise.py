"""Elementwise functions of one array, with their derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._array import Array, Box, lift
from ._numpy import npx
from ._rules import name_it, nondifferentiable, unary

# `real`, `imag` and `conj` of a real array return views or the array itself: it is immutable

__all__ = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "bitwise_invert",
    "ceil",
    "conj",
    "cos",
    "cosh",
    "exp",
    "expm1",
    "floor",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "log1p",
    "log2",
    "log10",
    "logical_not",
    "negative",
    "positive",
    "real",
    "reciprocal",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
]


def _divide_safely(x: Any, size: Any) -> Any:
    """`x / size`, and 0 where `size` is 0."""
    from ._searching import where

    zero = size == 0
    return where(zero, 0, x / where(zero, 1, size)) if np.any(zero._data) else x / size


def _abs_rule(g: Any, ans: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        return g * _divide_safely(conj(x), ans)
    return g * sign(x)


def _abs_tangent(t: Any, ans: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        return real(t * _divide_safely(conj(x), ans))
    return t * sign(x)


def _as_complex(g: Any, x: Any, factor: complex) -> Any:
    from ._casting import cast_gradient

    return cast_gradient(g, dtype=x.dtype) * factor


def _real_rule(g: Any, ans: Any, x: Any) -> Any:
    return _as_complex(g, x, 1) if x.dtype.kind == "c" else g


def _imag_rule(g: Any, ans: Any, x: Any) -> Any:
    return _as_complex(g, x, -1j) if x.dtype.kind == "c" else g * 0


def _expm1_data(x: np.ndarray) -> Any:
    if x.dtype.kind != "c":
        return np.expm1(x)
    # numpy's complex expm1 misses the standard's special cases, its exp has them
    with np.errstate(invalid="ignore"):
        odd = ~np.isfinite(x) | (x == 0)
        return np.where(odd, np.exp(x) - 1, np.expm1(x))


def _tanh_data(x: np.ndarray) -> Any:
    out = np.tanh(x)
    if x.dtype.kind != "c":
        return out
    # far out numpy takes the sign of the zero imaginary part from sin(2 imag(x))
    far = np.isinf(x.real) & np.isfinite(x.imag)
    exact = np.copysign(1, x.real) + 1j * np.copysign(0, x.imag)
    return np.where(far, exact.astype(x.dtype), out)


abs: Any = unary(
    "abs", np.abs, _abs_rule, "Absolute value; its derivative at 0 is 0.", tangent=_abs_tangent
)
acos: Any = unary(
    "acos", np.arccos, lambda g, ans, x: -g / sqrt(1 - x * x), "Inverse cosine."
)
acosh: Any = unary(
    "acosh", np.arccosh, lambda g, ans, x: g / (sqrt(x - 1) * sqrt(x + 1)),
    "Inverse hyperbolic cosine.",
)
asin: Any = unary("asin", np.arcsin, lambda g, ans, x: g / sqrt(1 - x * x), "Inverse sine.")
asinh: Any = unary(
    "asinh", np.arcsinh, lambda g, ans, x: g / sqrt(x * x + 1), "Inverse hyperbolic sine."
)
atan: Any = unary("atan", np.arctan, lambda g, ans, x: g / (x * x + 1), "Inverse tangent.")
atanh: Any = unary(
    "atanh", np.arctanh, lambda g, ans, x: g / ((1 - x) * (1 + x)), "Inverse hyperbolic tangent."
)
conj: Any = unary("conj", np.conj, lambda g, ans, x: conj(g), "Complex conjugate.")
cos: Any = unary("cos", np.cos, lambda g, ans, x: -g * sin(x), "Cosine.")
cosh: Any = unary("cosh", np.cosh, lambda g, ans, x: g * sinh(x), "Hyperbolic cosine.")
exp: Any = unary("exp", np.exp, lambda g, ans, x: g * ans, "Exponential.")
expm1: Any = unary("expm1", _expm1_data, lambda g, ans, x: g * exp(x), "exp(x) - 1, exact near 0.")
imag: Any = unary(
    "imag", np.imag, _imag_rule, "Imaginary part.", tangent=lambda t, ans, x: imag(t)
)
log: Any = unary("log", np.log, lambda g, ans, x: g / x, "Natural logarithm.")
log1p: Any = unary("log1p", np.log1p, lambda g, ans, x: g / (x + 1), "log(1 + x), exact near 0.")
log2: Any = unary("log2", np.log2, lambda g, ans, x: g / (x * math.log(2)), "Logarithm, base 2.")
log10: Any = unary(
    "log10", np.log10, lambda g, ans, x: g / (x * math.log(10)), "Logarithm, base 10."
)
negative: Any = unary(
    "negative", np.negative, lambda g, ans, x: -g, "The array with its sign changed."
)
positive: Any = unary("positive", np.positive, lambda g, ans, x: g, "The array unchanged.")
real: Any = unary("real", np.real, _real_rule, "Real part.", tangent=lambda t, ans, x: real(t))
reciprocal: Any = unary(
    "reciprocal", np.reciprocal, lambda g, ans, x: -g * (ans * ans), "One divided by x."
)
sin: Any = unary("sin", np.sin, lambda g, ans, x: g * cos(x), "Sine.")
sinh: Any = unary("sinh", np.sinh, lambda g, ans, x: g * cosh(x), "Hyperbolic sine.")
sqrt: Any = unary("sqrt", np.sqrt, lambda g, ans, x: g * 0.5 / ans, "Square root.")
square: Any = unary("square", np.square, lambda g, ans, x: g * (x * 2), "x times x.")
tan: Any = unary("tan", np.tan, lambda g, ans, x: g * (ans * ans + 1), "Tangent.")
tanh: Any = unary("tanh", _tanh_data, lambda g, ans, x: g * (1 - ans * ans), "Hyperbolic tangent.")

ceil: Any = nondifferentiable("ceil", npx.ceil, "Smallest integer not below x.")
floor: Any = nondifferentiable("floor", npx.floor, "Largest integer not above x.")
round: Any = nondifferentiable("round", npx.round, "Nearest integer, halves to even.")
trunc: Any = nondifferentiable("trunc", npx.trunc, "Nearest integer towards 0.")
signbit: Any = nondifferentiable("signbit", np.signbit, "Whether the sign bit is set.")
isfinite: Any = nondifferentiable("isfinite", np.isfinite, "Whether x is neither infinite nor NaN.")
isinf: Any = nondifferentiable("isinf", np.isinf, "Whether x is infinite.")
isnan: Any = nondifferentiable("isnan", np.isnan, "Whether x is NaN.")
logical_not: Any = nondifferentiable("logical_not", np.logical_not, "Whether x is false.")
bitwise_invert: Any = nondifferentiable("bitwise_invert", npx.bitwise_invert, "Every bit inverted.")

_sign_of_data: Any = nondifferentiable("sign", npx.sign, "")


def sign(x: Any, /) -> Any:
    """-1, 0 or 1 by the sign of x; x / abs(x) for complex x."""
    if type(x) is Array:
        return Array(npx.sign(x._data))
    x = lift(x)
    if type(x) is Box and x.dtype.kind == "c":
        return _divide_safely(x, abs(x))
    return _sign_of_data(x)


name_it(sign, "sign", sign.__doc__)
