"""Scenarios of single array-API functions: each one's value and derivative, on traced values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from polylux_conformance.scenarios._scenario import Leaves, Scenario
from polylux_conformance.scenarios._smooth import normal

_WIDE = np.asarray([-3.5, -1.25, -0.5, -0.0625, 0.03125, 0.75, 1.5, 4.25])
_POSITIVE = np.asarray([0.0625, 0.25, 0.5, 0.875, 1.25, 2.0, 3.5, 10.0])
_WITHIN_ONE = np.asarray([-0.875, -0.5, -0.25, -0.0625, 0.125, 0.375, 0.625, 0.9375])
_WEIGHT = np.asarray([1.0, -0.5, 2.0, 0.25, -1.5, 1.0, 0.75, -2.0])
_SQUARE = normal(3, 3)
_MATRIX = normal(2, 4)

Derivative = Callable[[Any], Any]


def _unary(
    name: str,
    at: np.ndarray[Any, Any],
    derivative: Derivative | None = None,
    *,
    by_entry: bool = True,
    follows_differences: bool = True,
) -> Scenario:
    """`sum(weight * f(u))`, whose gradient is `weight * f'(u)`."""

    def function(xp: Any, x: Leaves, d: Leaves) -> Any:
        return xp.sum(d["weight"] * getattr(xp, name)(x["u"]))

    gradient = None
    if derivative is not None:
        slope = derivative

        def gradient(x: Leaves, d: Leaves) -> Leaves:
            return {"u": d["weight"] * slope(x["u"])}

    return Scenario(
        name, "array function", function, {"random": {"u": at}}, {"weight": _WEIGHT}, gradient,
        by_entry=by_entry, condition=2, follows_differences=follows_differences,
    )  # fmt: skip


def _binary(
    name: str,
    slopes: Callable[[Any, Any], tuple[Any, Any]],
    *,
    follows_differences: bool = True,
) -> Scenario:
    def function(xp: Any, x: Leaves, d: Leaves) -> Any:
        return xp.sum(d["weight"] * getattr(xp, name)(x["u"], x["v"]))

    def gradient(x: Leaves, d: Leaves) -> Leaves:
        by_u, by_v = slopes(x["u"], x["v"])
        return {"u": d["weight"] * by_u, "v": d["weight"] * by_v}

    at = {"u": np.abs(_WIDE) + 0.125, "v": _POSITIVE[::-1].copy()}
    return Scenario(
        name, "array function", function, {"random": at}, {"weight": _WEIGHT}, gradient,
        by_entry=True, condition=4, follows_differences=follows_differences,
    )  # fmt: skip


def _whole(
    name: str,
    call: Callable[[Any, Any], Any],
    at: np.ndarray[Any, Any] = _MATRIX,
    gradient: Callable[[Leaves, Leaves], Leaves] | None = None,
    *,
    only_moves: bool = False,
) -> Scenario:
    """`sum(weights * f(u))` with weights 1, 2, 3, ... so that no two entries may be confused."""

    def function(xp: Any, x: Leaves, d: Leaves) -> Any:
        total = 0.0
        result = call(xp, x["u"])
        for part in result if isinstance(result, list | tuple) else (result,):
            flat = xp.reshape(part, (-1,))
            total = total + xp.sum(d["count"][: flat.shape[0]] * flat)
        return total

    return Scenario(
        name, "array function", function, {"random": {"u": at}}, {"count": np.arange(1.0, 41.0)},
        gradient, condition=4, only_moves=only_moves,
    )  # fmt: skip


_moving = functools.partial(_whole, only_moves=True)


def _zero(u: Any) -> Any:
    return u * 0


def _variance(u: Any) -> Any:
    return 2 * (u - u.mean(axis=1, keepdims=True)) / u.shape[1]


def _variance_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {"u": _variance(x["u"]) * d["count"][:2, None]}


def _deviation_gradient(x: Leaves, d: Leaves) -> Leaves:
    std = x["u"].std(axis=1, keepdims=True)
    return {"u": _variance(x["u"]) / (2 * std) * d["count"][:2, None]}


def _vecdot_gradient(x: Leaves, d: Leaves) -> Leaves:
    # rows 1 * u0.u0 + 2 * u1.u0
    first, second = x["u"]
    return {"u": np.stack([2 * first + 2 * second, 2 * first])}


_INDEX = np.asarray([[2, 0], [1, 3]])

FUNCTIONS = (
    *(_unary(name, _WIDE) for name in (
        "exp", "expm1", "sin", "cos", "sinh", "cosh", "atan", "asinh", "square", "negative",
        "positive",
    )),
    *(_unary(name, _WITHIN_ONE) for name in ("tan", "asin", "acos")),
    _unary("atanh", _WITHIN_ONE, follows_differences=False),
    _unary("log1p", _POSITIVE),
    # Near their singularities a difference quotient is far from the derivative.
    *(_unary(name, _POSITIVE, follows_differences=False)
      for name in ("log", "log2", "log10", "sqrt")),
    # Frameworks take 1 - tanh(u)**2, in which a small slope cancels.
    _unary("tanh", _WIDE, by_entry=False),
    _unary("acosh", _POSITIVE + 1, follows_differences=False),
    _unary("reciprocal", _WIDE, lambda u: -1 / u**2, follows_differences=False),
    _unary("abs", _WIDE, np.sign),
    *(_unary(name, _WIDE, _zero) for name in ("sign", "floor", "ceil", "trunc")),
    _unary("round", _WIDE, _zero, follows_differences=False),  # some points are halves
    _binary("add", lambda u, v: (u * 0 + 1, v * 0 + 1)),
    _binary("subtract", lambda u, v: (u * 0 + 1, v * 0 - 1)),
    _binary("multiply", lambda u, v: (v, u)),
    _binary("divide", lambda u, v: (1 / v, -u / v**2), follows_differences=False),
    _binary("pow", lambda u, v: (v * u ** (v - 1), u**v * np.log(u)),
            follows_differences=False),
    _binary("maximum", lambda u, v: (1.0 * (u > v), 1.0 * (v > u))),
    _binary("minimum", lambda u, v: (1.0 * (u < v), 1.0 * (v < u))),
    _binary("atan2", lambda u, v: (v / (u * u + v * v), -u / (u * u + v * v))),
    _binary("hypot", lambda u, v: (u / np.hypot(u, v), v / np.hypot(u, v))),
    _binary("logaddexp", lambda u, v: (1 / (1 + np.exp(v - u)), 1 / (1 + np.exp(u - v)))),
    _whole("sum", lambda xp, u: xp.sum(u, axis=0)),
    _whole("mean", lambda xp, u: xp.mean(u, axis=1, keepdims=True)),
    _whole("prod", lambda xp, u: xp.prod(u, axis=1)),
    _whole("prod with a zero", lambda xp, u: xp.prod(u, axis=1),
           np.asarray([[2.0, 0.0, 3.0], [0.0, 1.5, 0.0]])),
    _whole("max", lambda xp, u: xp.max(u, axis=1)),
    _whole("min", lambda xp, u: xp.min(u, axis=0)),
    _whole("var", lambda xp, u: xp.var(u, axis=1), gradient=_variance_gradient),
    _whole("std", lambda xp, u: xp.std(u, axis=1), gradient=_deviation_gradient),
    _whole("cumulative_sum", lambda xp, u: xp.cumulative_sum(u, axis=1)),
    _whole("cumulative_prod", lambda xp, u: xp.cumulative_prod(u, axis=0), normal(3)),
    _moving("concat", lambda xp, u: xp.concat([u, 2 * u], axis=0)),
    _moving("stack", lambda xp, u: xp.stack([u, u * u], axis=1)),
    _moving("unstack", lambda xp, u: list(xp.unstack(u, axis=1))),
    _moving("expand_dims", lambda xp, u: xp.expand_dims(u, axis=-1) * u[0, :1]),
    _moving("squeeze", lambda xp, u: xp.squeeze(u[:1, :], axis=0)),
    _moving("permute_dims", lambda xp, u: xp.permute_dims(u, (1, 0))),
    _moving("moveaxis", lambda xp, u: xp.moveaxis(u, 0, 1)),
    _moving("matrix_transpose", lambda xp, u: xp.matrix_transpose(u)),
    _moving("reshape", lambda xp, u: xp.reshape(u, (4, -1))),
    _moving("flip", lambda xp, u: xp.flip(u, axis=1)),
    _moving("roll", lambda xp, u: xp.roll(u, 1, axis=1)),
    _moving("tile", lambda xp, u: xp.tile(u, (2, 1))),
    _moving("repeat", lambda xp, u: xp.repeat(u, 2, axis=1)),
    _moving("broadcast_to", lambda xp, u: xp.broadcast_to(u, (3, 2, 4))),
    _moving("broadcast_arrays", lambda xp, u: list(xp.broadcast_arrays(u, u[:, :1]))),
    _moving("take", lambda xp, u: xp.take(u, xp.asarray(_INDEX[0]), axis=1)),
    _moving("take_along_axis", lambda xp, u: xp.take_along_axis(u, xp.asarray(_INDEX), axis=1)),
    _moving("tril", lambda xp, u: xp.tril(u), _SQUARE),
    _moving("triu", lambda xp, u: xp.triu(u, k=1), _SQUARE),
    _moving("sort", lambda xp, u: xp.sort(u, axis=1)),
    _whole("where", lambda xp, u: xp.where(u > 0, u * u, u)),
    _whole("matmul", lambda xp, u: xp.matmul(u, xp.matrix_transpose(u))),
    _whole("tensordot", lambda xp, u: xp.tensordot(u, u, axes=((1,), (1,)))),
    _whole("vecdot", lambda xp, u: xp.vecdot(u, u[:1, :]), gradient=_vecdot_gradient),
    _whole("diff", lambda xp, u: xp.diff(u, axis=1)),
    _moving("meshgrid", lambda xp, u: list(xp.meshgrid(u[0, :3], u[1, :2]))),
    _whole("astype", lambda xp, u: xp.astype(u, u.dtype) * 2),
    _whole("zeros_like", lambda xp, u: u + xp.zeros_like(u) * u),
    _whole("full_like", lambda xp, u: u * xp.full_like(u, 3.0)),
    _whole("operators", lambda xp, u: (-u + 2.0 - 1.0 / (u * u + 1)) * 3.0 / 4.0 + u**2 - 0.5 * u),
    _whole("matrix product operator", lambda xp, u: u @ xp.permute_dims(u, (1, 0))),
)  # fmt: skip
"""One scenario for each function; one that a namespace lacks is not claimed."""

NAMES = {scenario.name: scenario.name.split()[0] for scenario in FUNCTIONS} | {
    "operators": "multiply", "matrix product operator": "matmul",
}  # fmt: skip
"""The function that each of them is about."""
