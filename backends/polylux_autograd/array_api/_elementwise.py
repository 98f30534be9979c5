"""Elementwise functions of one array, with their derivatives."""

from __future__ import annotations

import math
from typing import Any

import array_api_compat.numpy as npx
import numpy as np

from ._array import Array, Box, lift
from ._rules import name_it, nondifferentiable, unary

# `real`, `imag` and `conj` of a real array return views or the array itself: it is immutable

__all__ = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "bitwise_invert", "ceil", "conj",
    "cos", "cosh", "exp", "expm1", "floor", "imag", "isfinite", "isinf", "isnan", "log", "log10",
    "log1p", "log2", "logical_not", "negative", "positive", "real", "reciprocal", "round", "sign",
    "signbit", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
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


def _expm1_data(x: np.ndarray) -> np.ndarray:
    out = np.expm1(x)
    if x.dtype.kind == "c":
        # numpy's complex expm1 misses the standard's special cases, its exp has them
        odd = ~np.isfinite(x) | (x == 0)
        if np.any(odd):
            out = np.where(odd, np.exp(x) - 1, out)
    return out


def _tanh_data(x: np.ndarray) -> np.ndarray:
    out = np.tanh(x)
    if x.dtype.kind == "c":
        # far out numpy takes the sign of the zero imaginary part from sin(2 imag(x))
        far = np.isinf(x.real) & np.isfinite(x.imag)
        if np.any(far):
            exact = np.copysign(1, x.real) + 1j * np.copysign(0, x.imag)
            out = np.where(far, exact.astype(x.dtype), out)
    return out


abs = unary(
    "abs", np.abs, _abs_rule, "Absolute value; its derivative at 0 is 0.", tangent=_abs_tangent
)
acos = unary(
    "acos", np.arccos, lambda g, ans, x: -g / sqrt(1 - x * x), "Inverse cosine."
)
acosh = unary(
    "acosh", np.arccosh, lambda g, ans, x: g / (sqrt(x - 1) * sqrt(x + 1)),
    "Inverse hyperbolic cosine.",
)
asin = unary("asin", np.arcsin, lambda g, ans, x: g / sqrt(1 - x * x), "Inverse sine.")
asinh = unary(
    "asinh", np.arcsinh, lambda g, ans, x: g / sqrt(x * x + 1), "Inverse hyperbolic sine."
)
atan = unary("atan", np.arctan, lambda g, ans, x: g / (x * x + 1), "Inverse tangent.")
atanh = unary(
    "atanh", np.arctanh, lambda g, ans, x: g / ((1 - x) * (1 + x)), "Inverse hyperbolic tangent."
)
conj = unary("conj", np.conj, lambda g, ans, x: conj(g), "Complex conjugate.")
cos = unary("cos", np.cos, lambda g, ans, x: -g * sin(x), "Cosine.")
cosh = unary("cosh", np.cosh, lambda g, ans, x: g * sinh(x), "Hyperbolic cosine.")
exp = unary("exp", np.exp, lambda g, ans, x: g * ans, "Exponential.")
expm1 = unary("expm1", _expm1_data, lambda g, ans, x: g * exp(x), "exp(x) - 1, exact near 0.")
imag = unary(
    "imag", np.imag, _imag_rule, "Imaginary part.", tangent=lambda t, ans, x: imag(t)
)
log = unary("log", np.log, lambda g, ans, x: g / x, "Natural logarithm.")
log1p = unary("log1p", np.log1p, lambda g, ans, x: g / (x + 1), "log(1 + x), exact near 0.")
log2 = unary("log2", np.log2, lambda g, ans, x: g / (x * math.log(2)), "Logarithm, base 2.")
log10 = unary("log10", np.log10, lambda g, ans, x: g / (x * math.log(10)), "Logarithm, base 10.")
negative = unary("negative", np.negative, lambda g, ans, x: -g, "The array with its sign changed.")
positive = unary("positive", np.positive, lambda g, ans, x: g, "The array unchanged.")
real = unary("real", np.real, _real_rule, "Real part.", tangent=lambda t, ans, x: real(t))
reciprocal = unary(
    "reciprocal", np.reciprocal, lambda g, ans, x: -g * (ans * ans), "One divided by x."
)
sin = unary("sin", np.sin, lambda g, ans, x: g * cos(x), "Sine.")
sinh = unary("sinh", np.sinh, lambda g, ans, x: g * cosh(x), "Hyperbolic sine.")
sqrt = unary("sqrt", np.sqrt, lambda g, ans, x: g * 0.5 / ans, "Square root.")
square = unary("square", np.square, lambda g, ans, x: g * (x * 2), "x times x.")
tan = unary("tan", np.tan, lambda g, ans, x: g * (ans * ans + 1), "Tangent.")
tanh = unary("tanh", _tanh_data, lambda g, ans, x: g * (1 - ans * ans), "Hyperbolic tangent.")

ceil = nondifferentiable("ceil", npx.ceil, "Smallest integer not below x.")
floor = nondifferentiable("floor", npx.floor, "Largest integer not above x.")
round = nondifferentiable("round", npx.round, "Nearest integer, halves to even.")
trunc = nondifferentiable("trunc", npx.trunc, "Nearest integer towards 0.")
signbit = nondifferentiable("signbit", np.signbit, "Whether the sign bit is set.")
isfinite = nondifferentiable("isfinite", np.isfinite, "Whether x is neither infinite nor NaN.")
isinf = nondifferentiable("isinf", np.isinf, "Whether x is infinite.")
isnan = nondifferentiable("isnan", np.isnan, "Whether x is NaN.")
logical_not = nondifferentiable("logical_not", np.logical_not, "Whether x is false.")
bitwise_invert = nondifferentiable("bitwise_invert", npx.bitwise_invert, "Every bit inverted.")

_sign_of_data = nondifferentiable("sign", npx.sign, "")


def sign(x: Any, /) -> Any:
    """-1, 0 or 1 by the sign of x; x / abs(x) for complex x."""
    if type(x) is Array:
        return Array(npx.sign(x._data))
    x = lift(x)
    if type(x) is Box and x.dtype.kind == "c":
        return _divide_safely(x, abs(x))
    return _sign_of_data(x)


name_it(sign, "sign", sign.__doc__)
