"""Computing the trajectories anew: models, losses and optimizers in multiprecision arithmetic."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np

from polylux_conformance.oracle._formulas import FORMULAS, Exact, Items, exactly, exp
from polylux_conformance.oracle._generate import _aggregated
from polylux_conformance.scenarios._problems import (
    BIAS,
    LOOKED_AT,
    PROBLEMS,
    STEPS,
    WEIGHT,
    Problem,
    X,
)

DIGITS = 60
"""Eight steps lose a few of them; float64 has 16."""

Parameters = dict[str, Exact]


def generate_trajectories(path: Path) -> int:
    """Write all trajectories; returns their number."""
    found = {problem.name: compute(problem) for problem in PROBLEMS}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return len(found)


def compute(problem: Problem) -> dict[str, Any]:
    """Losses before each step, parameters after some, and the running mean at the end."""
    with mp.workdps(DIGITS):
        return _run(problem)


def _run(problem: Problem) -> dict[str, Any]:
    parameters = {"weight": exactly(WEIGHT), "bias": exactly(BIAS)}
    update = _RULES[problem.rule]()
    mean = exactly(np.zeros(3))
    losses: list[float] = []
    at: dict[str, Any] = {}
    for step in range(1, STEPS + 1):
        loss, slopes, z = _loss_and_slopes(problem, parameters)
        mean = (mean + np.sum(z, axis=0) / len(X)) / 2
        parameters = update(step, parameters, slopes)
        losses.append(float(loss))
        if step in LOOKED_AT:
            at[str(step)] = {name: _nearest(p) for name, p in parameters.items()}
    return {"losses": losses, "parameters": at, "mean": _nearest(mean)}


def _loss_and_slopes(problem: Problem, parameters: Parameters) -> tuple[Any, Parameters, Exact]:
    x, t = exactly(X), exactly(problem.target)
    z = x @ parameters["weight"] + parameters["bias"]
    p, pull = _HEADS[problem.head](z)
    options = {k: mp.mpf(v) if k == "epsilon" else v for k, v in problem.options.items()}
    formula = _quartic if problem.loss == "GenericLossFunction" else FORMULAS[problem.loss]
    loss, by_prediction, *_ = _aggregated(formula(p, t, options), "mean", None)
    by_z = pull(by_prediction)
    return loss.item(), {"weight": x.T @ by_z, "bias": np.sum(by_z, axis=0)}, z


def _quartic(p: Exact, t: Exact, options: Any) -> Items:
    d = p - t
    return Items(d**4 / 4, d**3, d**4 / 4, abs(d**3))


# --- heads: the prediction, and what a cotangent of it becomes ------------------------------------


def _identity(z: Exact) -> tuple[Exact, Callable[[Exact], Exact]]:
    return z, lambda g: g


def _exponential(z: Exact) -> tuple[Exact, Callable[[Exact], Exact]]:
    p = exp(z)
    return p, lambda g: g * p


def _sigmoid(z: Exact) -> tuple[Exact, Callable[[Exact], Exact]]:
    p = 1 / (1 + exp(-z))
    return p, lambda g: g * p * (1 - p)


def _softmax(z: Exact) -> tuple[Exact, Callable[[Exact], Exact]]:
    p = exp(z)
    p = p / np.sum(p, axis=1, keepdims=True)
    return p, lambda g: p * (g - np.sum(g * p, axis=1, keepdims=True))


_HEADS: Mapping[str, Callable[[Exact], tuple[Exact, Callable[[Exact], Exact]]]] = {
    "identity": _identity, "exp": _exponential, "sigmoid": _sigmoid, "softmax": _softmax,
}  # fmt: skip


# --- optimizers: one step of each -----------------------------------------------------------------


def _momentum() -> Callable[[int, Parameters, Parameters], Parameters]:
    """v = v / 2 + g, p = p - v / 8."""
    speed: Parameters = {}

    def update(step: int, parameters: Parameters, slopes: Parameters) -> Parameters:
        for name, g in slopes.items():
            speed[name] = speed.get(name, 0) / 2 + g
        return {name: p - speed[name] / 8 for name, p in parameters.items()}

    return update


def _clipped_and_decayed() -> Callable[[int, Parameters, Parameters], Parameters]:
    """Gradients of a norm of at most 1/4, and AdamW with the rate 1/16 and the decay 1/8."""
    one, two, epsilon = mp.mpf(0.9), mp.mpf(0.999), mp.mpf(1e-8)
    rate, decay = mp.mpf(1) / 16, mp.mpf(1) / 8
    m: Parameters = {}
    v: Parameters = {}

    def update(step: int, parameters: Parameters, slopes: Parameters) -> Parameters:
        norm = mp.sqrt(sum(np.sum(g**2) for g in slopes.values()))
        new = {}
        for name, p in parameters.items():
            g = slopes[name] * min(mp.mpf(1), mp.mpf(0.25) / norm)
            m[name] = one * m.get(name, 0) + (1 - one) * g
            v[name] = two * v.get(name, 0) + (1 - two) * g**2
            root = np.vectorize(mp.sqrt, otypes=[object])(v[name] / (1 - two**step))
            new[name] = p - rate * decay * p - rate * m[name] / (1 - one**step) / (root + epsilon)
        return new

    return update


_RULES = {"momentum": _momentum, "clipped and decayed": _clipped_and_decayed}


def _nearest(array: Exact) -> Any:
    return np.vectorize(float, otypes=[np.float64])(array).tolist()
