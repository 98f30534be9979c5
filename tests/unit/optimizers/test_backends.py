"""Every rule on every backend, through whole steps and updates: the numbers of the rule's code.

Where a step costs much more than its arithmetic all rules train in one tree, each its own leaves.
"""

from __future__ import annotations

import shutil
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
    AccumulateGradients,
    AdaBelief,
    AdaDelta,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    Cosine,
    Lion,
    Momentum,
    NAdam,
    RAdam,
    RMSProp,
    Rule,
    WarmUp,
    by_path,
)

NAMES = ("a", "b", "c")
STEPS = 7

# Without a compiler: a step takes a millisecond, so each rule can have a run of its own.
IN_PYTHON = [AutoTorch(), AutoAutograd()]


def weighted_squares(model: Any, ps: Any, st: Any, data: Any) -> Any:
    """`sum(weight * (p - target)**2) / 2` over all leaves of all groups."""
    targets, weights = data
    total = None
    for group in ps.values():
        for name, p in group.items():
            away = p - targets[name]
            part = array_namespace(away).sum(weights[name] * away * away) / 2
            total = part if total is None else total + part
    return total, st, {}


class Problem:
    """Parameters, data, and what a rule's own code makes of them in numpy."""

    def __init__(self, runs: Any, dtype: Any = np.float64) -> None:
        self.runs = runs
        self.start = runs.numbers(0, dtype)
        self.targets = runs.numbers(1, dtype)
        # Some entries hurry and some crawl, so that no two see the same gradients.
        self.weights = [np.exp(w).astype(dtype) for w in runs.numbers(2)]
        self.data = (named(self.targets), named(self.weights))

    def state(self, rule: Rule) -> TrainState:
        return TrainState(max, {"only": named(self.start)}, {}, rule)

    def state_of_all(self, rules: dict[str, Rule]) -> TrainState:
        parameters = {group: named([p.copy() for p in self.start]) for group in rules}
        patterns = {f"['{group}']*": rule for group, rule in rules.items()}
        return TrainState(max, parameters, {}, by_path(patterns))

    def gradients(self, parameters: Any) -> list[np.ndarray]:
        triples = zip(parameters, self.targets, self.weights, strict=True)
        return [np.asarray(w * (p - t)) for p, t, w in triples]

    def expected(self, rule: Rule, steps: int = STEPS) -> list[np.ndarray]:
        ends = [self.start]
        gradients = (self.gradients(ends[-1]) for _ in range(steps))
        for end in self.runs.steps_of(rule, self.start, gradients):
            ends.append(end)
        return ends[-1]


def named(arrays: Any) -> dict[str, Any]:
    return dict(zip(NAMES, arrays, strict=True))


def leaves(state: TrainState, group: str = "only") -> list[np.ndarray]:
    found = to_host(state.parameters)[group]
    return [np.asarray(found[name]) for name in NAMES]


def slots(state: TrainState) -> list[np.ndarray]:
    host = to_host(state.optimizer_state)
    return [np.array(a) for name, slot in host.items() if name != "count" for a in slot]


def assert_close(got: Any, expected: Any, eps: float, who: str = "") -> None:
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype, who
        # Seven steps of a few roundings each, the root of a small second moment the worst.
        np.testing.assert_allclose(a, b, rtol=2000 * eps, atol=200 * eps, err_msg=who)


# --- each rule by itself --------------------------------------------------------------------------


@pytest.mark.parametrize("selector", IN_PYTHON, ids=repr)
@pytest.mark.parametrize(("dtype", "eps"), [("float64", 2.0**-52), ("float32", 2.0**-23)])
def test_rule_gives_its_numbers_in_whole_steps(
    selector: polylux.ADType, rule: Rule, runs: Any, dtype: str, eps: float
) -> None:
    problem = Problem(runs, dtype)
    ts = problem.state(rule)
    for _ in range(STEPS):
        *_, ts = single_train_step_(selector, weighted_squares, problem.data, ts)
    assert_close(leaves(ts), problem.expected(rule), eps)
    assert {a.dtype for a in slots(ts)} <= {np.dtype(dtype)}


@pytest.mark.parametrize("selector", IN_PYTHON, ids=repr)
def test_pure_updates_give_the_same_and_leave_the_former_states(
    selector: polylux.ADType, rule: Rule, runs: Any
) -> None:
    problem = Problem(runs)
    states, kept = [problem.state(rule)], []
    for _ in range(5):
        grads = {"only": named(problem.gradients(leaves(states[-1])))}
        states.append(apply_gradients(states[-1], to_backend(grads, selector)))
        kept.append([*leaves(states[-1]), *slots(states[-1])])
    ts = states[-1]
    for _ in range(2):  # in buffers that a pure update has given back
        ts = apply_gradients_(ts, {"only": named(problem.gradients(leaves(ts)))})
    assert_close(leaves(ts), problem.expected(rule), 2.0**-52)
    for state, then in zip(states[1:-1], kept[:-1], strict=True):
        for now, before in zip([*leaves(state), *slots(state)], then, strict=True):
            np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("selector", IN_PYTHON, ids=repr)
def test_pure_steps_leave_what_later_steps_overwrite(
    selector: polylux.ADType, rule: Rule, runs: Any
) -> None:
    problem = Problem(runs)
    *_, before = single_train_step(selector, weighted_squares, problem.data, problem.state(rule))
    kept = [*leaves(before), *slots(before)]
    *_, ts = single_train_step(selector, weighted_squares, problem.data, before)
    for _ in range(2):
        *_, ts = single_train_step_(selector, weighted_squares, problem.data, ts)
    for now, then in zip([*leaves(before), *slots(before)], kept, strict=True):
        np.testing.assert_array_equal(now, then)


def test_jitted_run_moves_between_backends_with_all_slots(rule: Rule, runs: Any) -> None:
    problem, jax = Problem(runs), AutoJax()
    ts = problem.state(rule)
    route = (AutoTorch(), jax, jax, AutoAutograd(), jax, AutoTorch(), AutoAutograd(), jax)
    for selector in route:
        *_, ts = single_train_step_(selector, weighted_squares, problem.data, ts)
    assert_close(leaves(ts), problem.expected(rule, len(route)), 2.0**-52)
    assert ts.optimizer_state["count"] == len(route)
    assert ts.cache.traces == 3


@pytest.mark.parametrize("name", ["adam", "radam", "nadam", "accumulate", "by-path"])
def test_jitted_run_keeps_float32(name: str, every_rule: dict[str, Rule], runs: Any) -> None:
    problem, rule = Problem(runs, "float32"), every_rule[name]
    ts = problem.state(rule)
    for _ in range(STEPS):
        *_, ts = single_train_step_(AutoJax(), weighted_squares, problem.data, ts)
    assert_close(leaves(ts), problem.expected(rule), 2.0**-23)
    assert {a.dtype for a in slots(ts)} == {np.dtype("float32")}


# --- float16 --------------------------------------------------------------------------------------

DEFAULTS: list[Rule] = [
    Adam(), AdamW(weight_decay=0.0), AMSGrad(), RAdam(betas=(0.8, 0.9)), NAdam(), AdaMax(),
    RMSProp(), RMSProp(centered=True), AdaGrad(), AdaDelta(), AdaBelief(), Momentum(), Lion(1e-2),
]  # fmt: skip


@pytest.mark.parametrize("selector", [*IN_PYTHON, AutoJax(jit=False), None], ids=repr)
def test_entry_without_gradient_stays_where_it_is_in_float16(
    selector: polylux.ADType | None,
) -> None:
    # The usual epsilons are 0 in float16, and so is the second moment: 0 / 0 unless in float32.
    start, gradient = np.ones(2, np.float16), np.asarray([1.0, 0.0], np.float16)
    names = [f"{number:02}" for number in range(len(DEFAULTS))]
    rule = by_path({f"['{name}']": rule for name, rule in zip(names, DEFAULTS, strict=True)})
    ts = TrainState(max, {name: start.copy() for name in names}, {}, rule)
    grads = dict.fromkeys(names, gradient)
    for _ in range(6):  # RAdam's sixth step is the first with a root
        ts = apply_gradients_(ts, grads if selector is None else to_backend(grads, selector))
    for name, rule in zip(names, DEFAULTS, strict=True):
        moved, stayed = to_host(ts.parameters)[name].tolist()
        assert stayed == 1, rule
        assert 0 < moved < 1, rule


# --- all rules in one tree ------------------------------------------------------------------------


@pytest.mark.parametrize("selector", [*IN_PYTHON, AutoJax(jit=False)], ids=repr)
def test_all_rules_give_their_numbers_in_one_tree(
    selector: polylux.ADType, every_rule: dict[str, Rule], runs: Any
) -> None:
    problem = Problem(runs)
    ts = problem.state_of_all(every_rule)
    for _ in range(STEPS):
        *_, ts = single_train_step_(selector, weighted_squares, problem.data, ts)
    for name, rule in every_rule.items():
        assert_close(leaves(ts, name), problem.expected(rule), 2.0**-52, name)


def test_schedule_and_accumulation_cost_one_trace(runs: Any) -> None:
    problem = Problem(runs)
    rule = AccumulateGradients(2, RAdam(WarmUp(2, Cosine(0.1, 0.0, 5)), betas=(0.8, 0.7)))
    traced = []

    def counted(*arguments: Any) -> Any:
        traced.append(1)
        return weighted_squares(*arguments)

    ts = problem.state(rule)
    for _ in range(12):
        *_, ts = single_train_step_(AutoJax(), counted, problem.data, ts)
    assert len(traced) == 1
    assert_close(leaves(ts), problem.expected(rule, 12), 2.0**-52)


@pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None,
    reason="torch.compile needs a C++ compiler on CPU, and there is none",
)
def test_rules_give_their_numbers_when_torch_compiles_them(
    every_rule: dict[str, Rule], runs: Any
) -> None:
    # "aot_eager" runs the whole graph without the minutes that inductor takes for so many rules.
    # In float32: a 0-d parameter and a traced scalar, 0-d and float64, must not make a float64.
    names = ("sgd", "radam", "lion", "clip-norm", "accumulate", "schedule", "by-path")
    rules = {name: every_rule[name] for name in names}
    problem = Problem(runs, "float32")
    ts = problem.state_of_all(rules)
    for _ in range(STEPS):
        *_, ts = single_train_step_(
            AutoTorch(compile={"backend": "aot_eager"}), weighted_squares, problem.data, ts
        )
    for name, rule in rules.items():
        assert_close(leaves(ts, name), problem.expected(rule), 2.0**-23, name)
    assert {a.dtype for a in slots(ts)} == {np.dtype("float32")}
    assert ts.cache.traces == 1
