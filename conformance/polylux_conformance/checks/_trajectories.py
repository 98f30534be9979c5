"""Checks of training with every loss: losses, states and parameters against multiprecision."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import polylux
from polylux import TrainState, losses, single_train_step_
from polylux.backend import Capability
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.oracle import trajectories
from polylux_conformance.scenarios._problems import (
    BIAS,
    PROBLEMS,
    RULES,
    WEIGHT,
    Problem,
    X,
    quartic,
)

# Each step may multiply an error by some small number, and adds its own.
GROWTH = 8.0


def _softmax(xp: Any, z: Any) -> Any:
    p = xp.exp(z - xp.max(z, axis=1, keepdims=True))
    return p / xp.sum(p, axis=1, keepdims=True)


_HEADS: dict[str, Callable[[Any, Any], Any]] = {
    "identity": lambda xp, z: z,
    "exp": lambda xp, z: xp.exp(z),
    "sigmoid": lambda xp, z: 1 / (1 + xp.exp(-z)),
    "softmax": _softmax,
}


def _model(head: str) -> Callable[..., Any]:
    """An affine map with a running mean of its outputs, and a head."""

    def model(x: Any, ps: Any, st: Any) -> Any:
        xp = polylux.array_namespace(x)
        z = x @ ps["weight"] + ps["bias"]
        return _HEADS[head](xp, z), {"mean": (st["mean"] + xp.mean(z, axis=0)) / 2}

    return model


def _loss_of(problem: Problem) -> Any:
    kind = getattr(losses, problem.loss)
    arguments = (quartic,) if kind is losses.GenericLossFunction else ()
    return kind(*arguments, **problem.options)


def _body(subject: Subject, findings: Findings, problem: Problem) -> None:
    true = trajectories()[problem.name]
    loss, model = _loss_of(problem), _model(problem.head)
    for dtype in subject.dtypes:
        x, target, weight, bias = (a.astype(dtype) for a in (X, problem.target, WEIGHT, BIAS))
        states = {"mean": np.zeros(3, dtype)}
        state = TrainState(model, {"weight": weight, "bias": bias}, states, RULES[problem.rule])
        close = functools.partial(findings.close, dtype=dtype, is_derivative=True, scale=[1.0])
        for step, expected in enumerate(true["losses"], start=1):
            result = single_train_step_(subject.selector, loss, (x, target), state)
            state = result.train_state
            close(f"loss at step {step}", result.loss, expected, condition=GROWTH * step)
            for name, parameter in true["parameters"].get(str(step), {}).items():
                close(f"{name} after step {step}", state.parameters[name], parameter,
                      condition=GROWTH * step, sample=True)  # fmt: skip
        close("running mean of the outputs", state.states["mean"], true["mean"],
              condition=GROWTH * len(true["losses"]))  # fmt: skip


TRAJECTORIES = tuple(
    Check(
        f"training/with {problem.name}",
        "training",
        "Losses, states and parameters follow a run in multiprecision arithmetic.",
        functools.partial(_body, problem=problem),
        frozenset({Capability.GRADIENT}),
    )
    for problem in PROBLEMS
)
