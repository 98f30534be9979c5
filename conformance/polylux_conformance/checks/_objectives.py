"""Checks of objectives: states, auxiliary output, frozen leaves, closures, tied parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import polylux
from polylux import TrainState, compute_gradients
from polylux.backend import Capability
from polylux.optimizers import SGD
from polylux_conformance._asking import compare_answer, function_of, points_of
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.checks._modifiers import CARRIERS
from polylux_conformance.scenarios import Scenario


def identity_model(x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
    """A model for objectives that do not need one."""
    return x, st


@functools.cache
def _with_state_and_stats(scenario: Scenario) -> Callable[..., Any]:
    f = function_of(scenario)

    def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, Any]:
        xp = polylux.array_namespace(*ps.values())
        first = ps[min(ps)]
        total = xp.sum(first * first)
        new = {"count": st["count"] + 1, "seen": st["seen"] + total, "label": st["label"]}
        stats = {
            "text": "fine", "nothing": None, "number": 3, "pair": (1.5, True),
            "twice": 2 * first, "total": total,
        }  # fmt: skip
        return f(ps, data), new, stats

    return objective


def _states(dtype: str) -> dict[str, Any]:
    # `seen` is one of the state's own arrays, so that it goes in and out as such.
    return {"count": np.asarray(5, np.int32), "seen": np.asarray(0.25, dtype), "label": "run 1"}


def _state_and_stats(subject: Subject, findings: Findings) -> None:
    for scenario, point, dtype in points_of(subject, CARRIERS):
        leaves, data = scenario.at(point, dtype)
        state = TrainState(identity_model, dict(leaves), _states(dtype), SGD(0.1))
        first = leaves[min(leaves)].astype(np.longdouble)
        total = np.sum(first * first)
        objective = _with_state_and_stats(scenario)
        for step in (1, 2, 3):
            result = compute_gradients(subject.selector, objective, dict(data), state)
            state = result.train_state
            at = f"{point}, call {step}"
            compare_answer(
                findings, scenario, leaves, data, result.loss, result.grads, dtype=dtype, point=at,
                prefix="objective ",
            )  # fmt: skip
            states, stats = state.states, result.stats
            findings.exactly(
                "states: count", states["count"], np.asarray(5 + step, np.int32), point=at
            )
            findings.close(
                "states: running sum", states["seen"], 0.25 + step * total, dtype=dtype, point=at
            )
            findings.true(
                "states: label", states["label"] == "run 1", expected="'run 1'",
                found=repr(states["label"]), point=at,
            )  # fmt: skip
            plain = {k: stats[k] for k in ("text", "nothing", "number", "pair")}
            expected = {"text": "fine", "nothing": None, "number": 3, "pair": (1.5, True)}
            findings.true(
                "stats: no arrays", plain == expected, expected=repr(expected), found=repr(plain),
                point=at,
            )  # fmt: skip
            findings.close(
                "stats: array", stats["twice"], 2 * first, dtype=dtype, by_entry=True, point=at
            )
            findings.close("stats: number", stats["total"], total, dtype=dtype, point=at)


def _aux_is_constant(subject: Subject, findings: Findings) -> None:
    """Whether what an objective returns beside its loss can be used like any other array."""
    for dtype in subject.dtypes:
        weights = np.asarray([0.5, -1.5, 2.0], dtype)

        def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, Any]:
            xp = polylux.array_namespace(ps["w"])
            return xp.sum(ps["w"] * ps["w"]), {"kept": ps["w"] * 3}, {"also": ps["w"] + 1}

        state = TrainState(identity_model, {"w": weights}, {"kept": weights}, SGD(0.1))
        result = compute_gradients(subject.selector, objective, None, state)
        kept, also = result.train_state.states["kept"], result.stats["also"]
        with subject.precision(kept):
            xp = subject.backend.namespace
            used = xp.sum(kept * also)
        x = weights.astype(np.longdouble)
        findings.close("sum of a state and a statistic", used, np.sum(3 * x * (x + 1)), dtype=dtype)

        def later(p: Any, kept: Any) -> Any:
            return polylux.array_namespace(p).sum(p * kept)

        _, slope = polylux.value_and_gradient(later, subject.selector, weights, kept)
        findings.close("gradient with a former state as data", slope, 3 * x, dtype=dtype,
                       by_entry=True, is_derivative=True)  # fmt: skip


def _frozen_leaves(subject: Subject, findings: Findings) -> None:
    """Integer, boolean and other leaves pass through, and the rest has its gradient."""
    for scenario, point, dtype in points_of(subject, CARRIERS):
        leaves, data = scenario.at(point, dtype)
        frozen: dict[str, Any] = {
            "table": np.asarray([[1, 2], [3, 4]], np.int32), "mask": np.asarray([True, False]),
            "name": "encoder", "nothing": None, "depth": 3,
        }  # fmt: skip
        state = TrainState(identity_model, {"free": dict(leaves), "frozen": frozen}, {}, SGD(0.1))
        result = compute_gradients(subject.selector, _of_free(scenario), dict(data), state)
        compare_answer(
            findings, scenario, leaves, data, result.loss, result.grads["free"], dtype=dtype,
            point=point, prefix="frozen ",
        )  # fmt: skip
        for name in ("table", "mask"):
            findings.exactly(
                f"gradient of the frozen {name}", result.grads["frozen"][name],
                np.zeros_like(frozen[name]), point=point,
            )  # fmt: skip
        findings.exactly(
            "the frozen table itself", result.train_state.parameters["frozen"]["table"],
            frozen["table"], point=point,
        )  # fmt: skip


@functools.cache
def _of_free(scenario: Scenario) -> Callable[..., Any]:
    f = function_of(scenario)

    def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, Any]:
        assert ps["frozen"]["name"] == "encoder"
        xp = polylux.array_namespace(*ps["free"].values())
        loss = f(ps["free"], data)
        # 1, of the loss's dtype: the integers are there and have their values
        one = xp.astype(ps["frozen"]["table"][0, 0], loss.dtype)
        return loss * one, st, {}

    return objective


def _new_closures(subject: Subject, findings: Findings) -> None:
    """Functions that one factory made, with different captured values."""
    for scenario, point, dtype in points_of(subject, CARRIERS[:1]):
        leaves, data = scenario.at(point, dtype)
        f = function_of(scenario)

        def make(factor: float) -> Callable[..., Any]:
            return lambda x, d: factor * f(x, d)  # noqa: B023  # called within this round

        for factor in (1.0, 3.0, -2.0):
            value, gradients = polylux.value_and_gradient(
                make(factor), subject.selector, dict(leaves), dict(data)
            )
            compare_answer(
                findings, scenario, leaves, data, value, gradients, dtype=dtype,
                point=f"{point}, factor {factor}", prefix="closure ", factor=factor,
            )  # fmt: skip


def _changing_capture(subject: Subject, findings: Findings) -> None:
    """One function whose captured variable changes between calls, as an array in its data would."""
    for scenario, point, dtype in points_of(subject, CARRIERS[:1]):
        leaves, data = scenario.at(point, dtype)
        f = function_of(scenario)
        factor = 1.0

        def scaled(x: Any, d: Any) -> Any:
            return factor * f(x, d)  # noqa: B023  # called within this round

        def objective(model: Any, ps: Any, st: Any, d: Any) -> Any:
            return factor * f(ps, d), st, {}  # noqa: B023  # called within this round

        state = TrainState(identity_model, dict(leaves), {}, SGD(0.1))
        for factor in (1.0, 4.0, -0.5):  # captured above
            value, gradients = polylux.value_and_gradient(
                scaled, subject.selector, dict(leaves), dict(data)
            )
            result = compute_gradients(subject.selector, objective, dict(data), state)
            for how, answer in (
                ("operator", (value, gradients)), ("objective", (result.loss, result.grads))
            ):  # fmt: skip
                compare_answer(
                    findings, scenario, leaves, data, *answer, dtype=dtype, factor=factor,
                    point=f"{point}, factor {factor}", prefix=f"captured by an {how} ",
                )  # fmt: skip


def _changing_data(subject: Subject, findings: Findings) -> None:
    """One objective, data of changing values and shapes."""
    def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, Any]:
        xp = polylux.array_namespace(ps["w"])
        return xp.mean((data["x"] @ ps["w"]) ** 2), st, {"rows": xp.sum(data["x"], axis=0)}

    for dtype in subject.dtypes:
        weights = np.asarray([0.5, -1.25, 2.0], dtype)
        state = TrainState(identity_model, {"w": weights}, {}, SGD(0.1))
        for rows in (4, 6, 4, 1, 6):
            x = np.random.default_rng(rows).normal(size=(rows, 3)).astype(dtype)
            result = compute_gradients(subject.selector, objective, {"x": x}, state)
            wide = x.astype(np.longdouble)
            y = wide @ weights
            point = f"{rows} rows"
            findings.close("loss", result.loss, np.mean(y**2), dtype=dtype, point=point,
                           condition=4)  # fmt: skip
            findings.close("gradient", result.grads["w"], 2 * wide.T @ y / rows, dtype=dtype,
                           point=point, condition=4, is_derivative=True,
                           scale=[np.mean(y**2)])  # fmt: skip
            findings.close("statistic", result.stats["rows"], wide.sum(axis=0), dtype=dtype,
                           point=point, condition=4, scale=[np.abs(wide).sum(axis=0)])  # fmt: skip


def _gradient_by_states(subject: Subject, findings: Findings) -> None:
    """States and data are constants, however they enter the loss."""
    def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, Any]:
        xp = polylux.array_namespace(ps["w"])
        loss = xp.sum(ps["w"] * st["a"] * data["b"])
        return loss, {"a": st["a"] * 2}, {}

    for dtype in subject.dtypes:
        w, a, b = (np.asarray(v, dtype) for v in ([1.0, 2.0], [0.5, -3.0], [4.0, 0.25]))
        state = TrainState(identity_model, {"w": w}, {"a": a}, SGD(0.1))
        for factor in (1, 2, 4):
            result = compute_gradients(subject.selector, objective, {"b": b}, state)
            findings.close("gradient", result.grads["w"], factor * a * b, dtype=dtype,
                           by_entry=True, is_derivative=True, point=f"states times {factor}",
                           scale=[result_scale(w, factor * a * b)])  # fmt: skip
            state = result.train_state


def result_scale(weights: Any, slopes: Any) -> Any:
    """How large the terms of `sum(weights * slopes)` are."""
    return np.sum(np.abs(weights * slopes))


_ALL: tuple[tuple[str, str, Callable[[Subject, Findings], None]], ...] = (
    ("states and odd stats",
     "States advance at each call, and stats of strings, None and numbers come back as they were.",
     _state_and_stats),
    ("aux is constant", "States and stats are ordinary arrays, which later calls take.",
     _aux_is_constant),
    ("frozen leaves", "Integer, boolean and other leaves pass through with zero gradients.",
     _frozen_leaves),
    ("new closures", "Two functions of one factory are two functions.", _new_closures),
    ("changing closure", "A captured value that changes between calls is seen.",
     _changing_capture),
    ("changing data", "New values and new shapes of the data are seen.", _changing_data),
    ("states are constants", "Nothing is differentiated by states and data.",
     _gradient_by_states),
)  # fmt: skip

OBJECTIVES = tuple(
    Check(f"objective/{name}", "core", about, body, frozenset({Capability.GRADIENT}))
    for name, about, body in _ALL
)
