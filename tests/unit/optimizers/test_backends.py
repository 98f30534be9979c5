"""Every rule on every backend, through whole steps and updates: the numbers of the rule's code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    TrainState,
    apply_gradients,
    apply_gradients_,
    array_namespace,
    single_train_step,
    single_train_step_,
    to_backend,
    to_host,
)
from polylux.optimizers import (
    SGD,
    AccumulateGradients,
    Adam,
    AdaMax,
    ClipNorm,
    Cosine,
    Linear,
    NAdam,
    RAdam,
    Rule,
    WarmUp,
    by_path,
    chain,
)

EAGER = [AutoTorch(), AutoJax(jit=False), AutoAutograd()]
NAMES = ("a", "b", "c")
STEPS = 7


def weighted_squares(model: Any, ps: Any, st: Any, data: Any) -> Any:
    """`sum(weight * (p - target)**2) / 2` over all leaves."""
    targets, weights = data
    parts = []
    for name in NAMES:
        away = ps[name] - targets[name]
        xp = array_namespace(away)
        parts.append(xp.sum(weights[name] * away * away) / 2)
    return parts[0] + parts[1] + parts[2], st, {}


class Problem:
    """Parameters, data, and what a rule's own code makes of them in numpy."""

    def __init__(self, runs: Any, dtype: Any) -> None:
        self.start = runs.numbers(0, dtype)
        self.targets = runs.numbers(1, dtype)
        # Some entries hurry and some crawl, so that no two see the same gradients.
        self.weights = [np.exp(w).astype(dtype) for w in runs.numbers(2)]
        self.data = tuple(
            {name: array for name, array in zip(NAMES, group, strict=True)}
            for group in (self.targets, self.weights)
        )

    def state(self, rule: Rule) -> TrainState:
        return TrainState(max, dict(zip(NAMES, self.start, strict=True)), {}, rule)

    def gradients(self, parameters: Any) -> list[np.ndarray]:
        triples = zip(parameters, self.targets, self.weights, strict=True)
        return [np.asarray(w * (p - t)) for p, t, w in triples]

    def expected(self, rule: Rule, runs: Any, steps: int = STEPS) -> list[np.ndarray]:
        parameters = self.start
        given: list[Any] = []

        def gradients() -> Any:
            for _ in range(steps):
                given.append(self.gradients(parameters))
                yield given[-1]

        for parameters in runs.steps_of(rule, self.start, gradients()):
            pass
        return parameters


def leaves(state: TrainState) -> list[np.ndarray]:
    parameters = to_host(state.parameters)
    return [np.asarray(parameters[name]) for name in NAMES]


def assert_close(got: Any, expected: Any, eps: float) -> None:
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype
        # Seven steps of a few roundings each, the root of a small second moment the worst.
        np.testing.assert_allclose(a, b, rtol=2000 * eps, atol=200 * eps)


def test_rule_gives_its_numbers_in_whole_steps(
    selector: polylux.ADType, rule: Rule, runs: Any
) -> None:
    problem = Problem(runs, np.float64)
    ts = problem.state(rule)
    for _ in range(STEPS):
        *_, ts = single_train_step_(selector, weighted_squares, problem.data, ts)
    assert_close(leaves(ts), problem.expected(rule, runs), 2.0**-52)
    assert ts.cache.traces == 1


@pytest.mark.parametrize("selector", [AutoTorch(), AutoJax(), AutoAutograd()], ids=repr)
def test_rule_keeps_float32_on_the_backend(
    selector: polylux.ADType, rule: Rule, runs: Any
) -> None:
    problem = Problem(runs, np.float32)
    ts = problem.state(rule)
    for _ in range(STEPS):
        *_, ts = single_train_step_(selector, weighted_squares, problem.data, ts)
    assert_close(leaves(ts), problem.expected(rule, runs), 2.0**-23)
    slots = {name: group for name, group in ts.optimizer_state.items() if name != "count"}
    found = [a for group in to_host(slots).values() for a in group]
    assert {a.dtype for a in found} <= {np.dtype("float32")}


@pytest.mark.parametrize("selector", EAGER, ids=repr)
def test_pure_updates_give_the_same_and_leave_the_former_states(
    selector: polylux.ADType, rule: Rule, runs: Any
) -> None:
    problem = Problem(runs, np.float64)
    states, kept = [problem.state(rule)], []
    for _ in range(5):
        grads = dict(zip(NAMES, problem.gradients(leaves(states[-1])), strict=True))
        states.append(apply_gradients(states[-1], to_backend(grads, selector)))
        kept.append(copied(states[-1]))
    ts = states[-1]
    for _ in range(2):  # in buffers that a pure update has given back
        ts = apply_gradients_(ts, dict(zip(NAMES, problem.gradients(leaves(ts)), strict=True)))
    assert_close(leaves(ts), problem.expected(rule, runs, 7), 2.0**-52)
    for state, then in zip(states[1:-1], kept[:-1], strict=True):
        for now, before in zip(copied(state), then, strict=True):
            np.testing.assert_array_equal(now, before)


def copied(state: TrainState) -> list[np.ndarray]:
    slots = {k: v for k, v in state.optimizer_state.items() if k != "count"}
    return [*leaves(state), *(np.array(a) for group in to_host(slots).values() for a in group)]


def test_run_moves_between_backends_with_all_slots(rule: Rule, runs: Any) -> None:
    problem = Problem(runs, np.float64)
    ts = problem.state(rule)
    route = [AutoTorch(), AutoTorch(), AutoJax(jit=False), AutoAutograd(), AutoAutograd(),
             AutoTorch(), AutoJax(jit=False)]  # fmt: skip
    for selector in route:
        *_, ts = single_train_step_(selector, weighted_squares, problem.data, ts)
    assert_close(leaves(ts), problem.expected(rule, runs, len(route)), 2.0**-52)
    assert ts.optimizer_state["count"] == len(route)


def test_schedule_and_accumulation_cost_one_trace(runs: Any) -> None:
    problem = Problem(runs, np.float64)
    rule = AccumulateGradients(2, RAdam(WarmUp(2, Cosine(0.1, 0.0, 5)), betas=(0.8, 0.7)))
    traced = []

    def counted(*arguments: Any) -> Any:
        traced.append(1)
        return weighted_squares(*arguments)

    ts = problem.state(rule)
    for _ in range(12):
        *_, ts = single_train_step_(AutoJax(), counted, problem.data, ts)
    assert len(traced) == 1
    assert_close(leaves(ts), problem.expected(rule, runs, 12), 2.0**-52)
