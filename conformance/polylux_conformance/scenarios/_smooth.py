"""Scenarios of smooth functions: one of each kind of expression that objectives are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from polylux_conformance.scenarios._scenario import Leaves, Scenario

_RNG = np.random.default_rng(20)


def normal(*shape: int) -> np.ndarray[Any, Any]:
    """Numbers of the size of 1 that float32 holds exactly."""
    return _RNG.normal(size=shape).astype(np.float32).astype(np.float64)


def _zeros(**shapes: tuple[int, ...]) -> dict[str, dict[str, Any]]:
    return {"zeros": {n: np.zeros(shape) for n, shape in shapes.items()}}


def _two(**shapes: tuple[int, ...]) -> dict[str, dict[str, Any]]:
    return {at: {n: normal(*shape) for n, shape in shapes.items()} for at in ("first", "second")}


def _quadratic(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(d["a"] * x["w"] * x["w"])


def _quadratic_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {"w": 2 * d["a"] * x["w"]}


def _non_homogeneous(xp: Any, x: Leaves, d: Leaves) -> Any:
    u, v = x["u"], x["v"]
    return xp.sum(u * u * u) - 2 * xp.sum(u * v) + xp.sum(u) * xp.sum(v) + 3


def _non_homogeneous_gradient(x: Leaves, d: Leaves) -> Leaves:
    u, v = x["u"], x["v"]
    return {"u": 3 * u**2 - 2 * v + np.sum(v), "v": -2 * u + np.sum(u)}


def _quotient(xp: Any, x: Leaves, d: Leaves) -> Any:
    u, v = x["u"], x["v"]
    return xp.sum(u * v) / (1 + xp.sum(u * u))


def _network(xp: Any, x: Leaves, d: Leaves) -> Any:
    hidden = xp.tanh(d["x"] @ x["w1"] + x["b1"])
    residual = hidden @ x["w2"] + x["b2"] - d["y"]
    return xp.mean(residual * residual)


def _transcendental(xp: Any, x: Leaves, d: Leaves) -> Any:
    u = x["u"]
    return xp.sum(xp.exp(u) * xp.sin(u) + xp.log(u * u + 1) - xp.sqrt(u * u + 2) / (2 + xp.cos(u)))


def _logsumexp(xp: Any, x: Leaves, d: Leaves) -> Any:
    z = x["z"]
    shifted = z - d["shift"]
    return xp.mean(xp.log(xp.sum(xp.exp(shifted), axis=1)))


def _logsumexp_gradient(x: Leaves, d: Leaves) -> Leaves:
    z = np.exp(x["z"] - d["shift"])
    return {"z": z / z.sum(axis=1, keepdims=True) / z.shape[0]}


def _powers(xp: Any, x: Leaves, d: Leaves) -> Any:
    u = x["u"]
    return xp.sum(u**3 - u**2 + (u * u + 1) ** 0.5 + 2.0 / (1 + u * u) - (-u))


def _powers_gradient(x: Leaves, d: Leaves) -> Leaves:
    u = x["u"]
    return {"u": 3 * u**2 - 2 * u + u / np.sqrt(u**2 + 1) - 4 * u / (1 + u**2) ** 2 + 1}


def _linear(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(d["a"] * x["w"])


def _standard_deviation(xp: Any, x: Leaves, d: Leaves) -> Any:
    u = x["u"]
    centred = u - xp.mean(u, axis=0)
    return xp.sum(xp.sqrt(xp.mean(centred * centred, axis=0) + 0.5) * d["a"])


SMOOTH = (
    Scenario(
        "quadratic", "smooth", _quadratic, _two(w=(3, 4)), {"a": normal(3, 4)},
        _quadratic_gradient, by_entry=True, is_carrier=True,
    ),
    Scenario(
        "non-homogeneous", "smooth", _non_homogeneous, _two(u=(4,), v=(4,)), {},
        _non_homogeneous_gradient, condition=2,
    ),
    Scenario("quotient", "smooth", _quotient, _two(u=(4,), v=(4,)), condition=2),
    Scenario(
        "network", "smooth", _network, _two(w1=(3, 4), b1=(4,), w2=(4, 2), b2=(2,)),
        {"x": normal(6, 3), "y": normal(6, 2)}, condition=4, is_carrier=True,
    ),
    Scenario("transcendental", "smooth", _transcendental, _two(u=(4,)), condition=4),
    Scenario(
        "logsumexp", "smooth", _logsumexp, _two(z=(3, 4)), {"shift": normal(3, 1)},
        _logsumexp_gradient, by_entry=True, condition=2,
    ),
    Scenario(
        "powers", "smooth", _powers, _two(u=(4,)) | _zeros(u=(4,)), {}, _powers_gradient,
        condition=2,
    ),
    Scenario(
        "linear", "smooth", _linear, _two(w=(3, 4)) | _zeros(w=(3, 4)), {"a": normal(3, 4)},
        lambda x, d: {"w": d["a"]}, by_entry=True,
    ),
    Scenario(
        "standard deviation", "smooth", _standard_deviation, _two(u=(3, 4)), {"a": normal(4)},
        condition=4,
    ),
)  # fmt: skip
"""Each with a gradient in closed form, or by complex steps where it has none.

In few shapes: what runs operation by operation may compile each anew for every shape."""
