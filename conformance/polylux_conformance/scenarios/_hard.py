"""Scenarios that are hard on numbers: wide ranges, bad conditions, and control flow."""

from __future__ import annotations

from typing import Any

import numpy as np

from polylux_conformance.scenarios._scenario import Leaves, Scenario
from polylux_conformance.scenarios._smooth import normal


def _exponentials(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(xp.exp(x["u"]))


def _exponentials_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {"u": np.exp(x["u"])}


def _cubes(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(x["u"] * x["u"] * x["u"])


def _logarithms(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(xp.log(x["u"]) + xp.sqrt(x["u"]))


def _logarithms_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {"u": 1 / x["u"] + 0.5 / np.sqrt(x["u"])}


def _logarithms_alone(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(xp.log(x["u"]))


def _saturated(xp: Any, x: Leaves, d: Leaves) -> Any:
    z = x["z"]
    shifted = z - xp.max(z, axis=1, keepdims=True)
    return xp.sum(d["a"] * (shifted - xp.log(xp.sum(xp.exp(shifted), axis=1, keepdims=True))))


def _saturated_gradient(x: Leaves, d: Leaves) -> Leaves:
    p = np.exp(x["z"] - x["z"].max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    return {"z": d["a"] - p * d["a"].sum(axis=1, keepdims=True)}


def _rosenbrock(xp: Any, x: Leaves, d: Leaves) -> Any:
    u = x["u"]
    return xp.sum(100 * (u[1:] - u[:-1] ** 2) ** 2 + (1 - u[:-1]) ** 2)


def _variance(xp: Any, x: Leaves, d: Leaves) -> Any:
    centred = x["u"] - xp.mean(x["u"])
    return xp.mean(centred * centred)


def _variance_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {"u": 2 * (x["u"] - np.mean(x["u"])) / x["u"].size}


def _hilbert(xp: Any, x: Leaves, d: Leaves) -> Any:
    residual = d["matrix"] @ x["u"] - d["b"]
    return xp.sum(residual * residual)


def _hilbert_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {"u": 2 * d["matrix"].T @ (d["matrix"] @ x["u"] - d["b"])}


def _loop(xp: Any, x: Leaves, d: Leaves) -> Any:
    y = x["u"]
    for k in range(5):
        y = xp.sin(y) + x["v"] * 0.5 if k % 2 else y * x["v"] + 1.0
    return xp.sum(y)


def _branch(xp: Any, x: Leaves, d: Leaves) -> Any:
    u = x["u"]
    if u.shape[0] > 2:
        u = u[:2] * u[-1]
    return xp.sum(xp.where(u > 0, u * u, -u * u * u))


def _recursion(xp: Any, x: Leaves, d: Leaves) -> Any:
    def folded(a: Any) -> Any:
        half = a.shape[0] // 2
        return a[0] if half == 0 else folded(a[:half] * a[half:] + 1)

    return xp.sum(folded(x["u"]))


_OFFSET = 1024.0
_HILBERT = 1.0 / (np.arange(4)[:, None] + np.arange(4) + 1)

HARD = (
    Scenario(
        "exponentials over the whole range", "hard", _exponentials,
        {"wide": {"u": np.asarray([-700.0, -300.0, -20.0, 0.0, 1e-9, 20.0, 300.0, 700.0])}},
        {}, _exponentials_gradient, by_entry=True, only=("float64",), follows_differences=False,
    ),
    Scenario(
        "exponentials over float32's range", "hard", _exponentials,
        {"wide": {"u": np.asarray([-80.0, -40.0, -8.0, 0.0, 0.5, 8.0, 40.0, 80.0])}},
        {}, _exponentials_gradient, by_entry=True, follows_differences=False,
    ),
    Scenario(
        "cubes of 1e-10 to 1e10", "hard", _cubes,
        {"wide": {"u": np.asarray([-1e10, -1e5, -1.0, -1e-5, 1e-10, 0.0, 1e-3, 1e8])}},
        {}, lambda x, d: {"u": 3 * x["u"] ** 2}, by_entry=True, follows_differences=False,
    ),
    Scenario(
        "logarithms near 0 and far from it", "hard", _logarithms,
        {"wide": {"u": np.asarray([1e-30, 1e-10, 0.5, 1.0, 1e10, 1e30])}},
        {}, _logarithms_gradient, by_entry=True, follows_differences=False,
    ),
    Scenario(
        "infinities and NaN", "hard", _logarithms_alone,
        {"mixed": {"u": np.asarray([0.0, 4.0, np.nan, np.inf, 0.5])},
         "infinite": {"u": np.asarray([0.0, 0.25, np.inf, 2.0])}},
        {}, lambda x, d: {"u": 1 / x["u"]}, by_entry=True, follows_differences=False,
    ),
    Scenario(
        "saturated softmax", "hard", _saturated,
        {"far": {"z": np.asarray([[0.0, 60.0, -60.0], [500.0, 499.0, -500.0]])}},
        {"a": np.asarray([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]])}, _saturated_gradient, condition=2,
        follows_differences=False,
    ),
    Scenario(
        "Rosenbrock's valley", "hard", _rosenbrock,
        {"far": {"u": np.asarray([-1.25, 1.0, 0.5, 2.0])},
         "minimum": {"u": np.ones(4)}},
        # 4 * 100 * u**3 against differences of size 1
        condition=16, follows_differences=False,
    ),
    Scenario(
        "variance with a large offset", "hard", _variance,
        {"offset": {"u": _OFFSET + np.asarray([0.5, -0.25, 1.5, 0.75, -2.0])}},
        {}, _variance_gradient, condition=_OFFSET, follows_differences=False,
    ),
    Scenario(
        "Hilbert's matrix", "hard", _hilbert, {"random": {"u": normal(4)}},
        {"matrix": _HILBERT.astype(np.float32).astype(np.float64), "b": normal(4)},
        _hilbert_gradient, condition=16,
    ),
    Scenario(
        "a loop", "hard", _loop, {"random": {"u": normal(3), "v": normal(3)}}, condition=8,
    ),
    Scenario(
        "a branch on the shape", "hard", _branch, {"random": {"u": normal(4)}}, condition=2,
    ),
    Scenario("a recursion", "hard", _recursion, {"random": {"u": normal(8)}}, condition=8),
)  # fmt: skip
"""Each with a gradient in closed form, or by complex steps where it has none."""
