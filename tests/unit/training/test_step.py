"""Whole steps and updates: pure, in reused buffers, and across backends."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    TrainState,
    apply_gradients,
    apply_gradients_,
    compute_gradients,
    compute_objective,
    single_train_step,
    single_train_step_,
    to_backend,
    to_host,
)
from polylux.errors import GivenAwayError
from polylux.optimizers import SGD, Adam, AdamW, ClipNorm, chain

RULES = {
    "sgd": SGD(0.05),
    "nesterov": SGD(0.05, momentum=0.9, nesterov=True),
    "adam": Adam(0.05),
    "adamw": AdamW(0.05, weight_decay=0.1),
    "chain": chain(ClipNorm(0.5), AdamW(0.05)),
}


def reference_run(problem, rule, steps):
    """Least squares with the closed-form gradient and the rule's formulas, in numpy float64."""
    import array_api_compat.numpy as xp

    parameters = (problem.ps["b"], problem.ps["w"])
    slots = rule.init(xp, parameters)
    for count in range(1, steps + 1):
        problem.ps = {"b": parameters[0], "w": parameters[1]}
        grads = (problem.gradients["b"], problem.gradients["w"])
        change, slots = rule.update(xp, rule.scalars(count), grads, parameters, slots)
        parameters = tuple(p - c for p, c in zip(parameters, change, strict=True))
    return {"b": parameters[0], "w": parameters[1]}


@pytest.mark.parametrize("step", [single_train_step, single_train_step_])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_run_follows_the_rule_s_formulas(selector, objective, problem, rule, step):
    ts = problem.state(rule)
    for _ in range(10):
        *_, ts = step(selector, objective, problem.batch, ts)
    assert ts.step == 10
    expected = reference_run(problem, rule, 10)
    for name in ("w", "b"):
        np.testing.assert_allclose(to_host(ts.parameters)[name], expected[name], rtol=1e-12)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_step_is_a_gradient_and_an_update(selector, objective, problem, rule):
    whole = parts = underscored = problem.state(rule)
    for _ in range(3):
        *_, whole = single_train_step(selector, objective, problem.batch, whole)
        grads, *_, parts = compute_gradients(selector, objective, problem.batch, parts)
        parts = apply_gradients(parts, grads)
        grads, *_, underscored = compute_gradients(selector, objective, problem.batch, underscored)
        underscored = apply_gradients_(underscored, grads)
    for other in (parts, underscored):
        assert other.step == whole.step == 3
        for name in ("w", "b"):
            np.testing.assert_allclose(
                to_host(other.parameters)[name], to_host(whole.parameters)[name], rtol=1e-13
            )


def test_loss_and_gradients_are_those_before_the_update(selector, objective, problem):
    grads, loss, _, _ = single_train_step_(selector, objective, problem.batch, problem.state())
    np.testing.assert_allclose(float(loss), problem.loss, rtol=1e-14)
    np.testing.assert_allclose(to_host(grads)["w"], problem.gradients["w"], atol=1e-13)


def test_gradients_stay_as_they_are_when_the_run_goes_on(selector, objective, problem):
    ts = problem.state(Adam(0.1))
    first, _, _, ts = single_train_step_(selector, objective, problem.batch, ts)
    kept = np.array(to_host(first)["w"])
    for _ in range(3):
        *_, ts = single_train_step_(selector, objective, problem.batch, ts)
    np.testing.assert_array_equal(to_host(first)["w"], kept)


@pytest.mark.parametrize("step", [single_train_step, single_train_step_])
def test_without_gradients_the_numbers_are_the_same(selector, objective, problem, step):
    grads, loss, _, with_grads = step(selector, objective, problem.batch, problem.state(Adam(0.1)))
    none, same, _, without = step(
        selector, objective, problem.batch, problem.state(Adam(0.1)), return_gradients=False
    )
    assert grads is not None
    assert none is None
    assert float(loss) == float(same)
    np.testing.assert_allclose(
        to_host(without.parameters)["w"], to_host(with_grads.parameters)["w"], rtol=1e-15
    )


def test_pure_step_leaves_the_state_as_it_was(selector, objective, problem):
    before = {k: np.array(v) for k, v in problem.ps.items()}
    *_, ts = single_train_step(selector, objective, problem.batch, problem.state(Adam(0.1)))
    kept = {k: np.array(v) for k, v in to_host(ts.parameters).items()}
    moments = [np.array(a) for a in to_host(ts.optimizer_state)["first_moment"]]
    *_, later = single_train_step(selector, objective, problem.batch, ts)
    apply_gradients(ts, compute_gradients(selector, objective, problem.batch, ts).grads)
    for name in ("w", "b"):
        np.testing.assert_array_equal(problem.ps[name], before[name])
        np.testing.assert_array_equal(to_host(ts.parameters)[name], kept[name])
        assert not np.array_equal(to_host(later.parameters)[name], kept[name])
    for old, new in zip(moments, to_host(ts.optimizer_state)["first_moment"], strict=True):
        np.testing.assert_array_equal(old, new)


def test_three_runs_start_from_one_tree_of_the_framework_s_own_arrays(selector, objective, problem):
    ps = to_backend(problem.ps, selector)
    before = {k: np.array(v) for k, v in to_host(ps).items()}
    ends = []
    for _ in range(3):
        ts = TrainState(problem.state().model, ps, {}, Adam(0.1))
        for _ in range(3):
            *_, ts = single_train_step_(selector, objective, problem.batch, ts)
        ends.append(np.array(to_host(ts.parameters)["w"]))
    for name in ("w", "b"):
        np.testing.assert_array_equal(to_host(ps)[name], before[name])
    np.testing.assert_array_equal(ends[0], ends[1])  # repeatable bit for bit
    np.testing.assert_array_equal(ends[0], ends[2])


@pytest.mark.parametrize("function", ["single_train_step_", "apply_gradients_"])
def test_state_whose_buffers_were_given_away_says_so(selector, objective, problem, function):
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state())
    sibling = compute_gradients(selector, objective, problem.batch, ts).train_state
    if function == "single_train_step_":
        *_, new = single_train_step_(selector, objective, problem.batch, ts)
    else:
        new = apply_gradients_(ts, compute_gradients(selector, objective, problem.batch, ts).grads)
    for stale in (ts, sibling):
        with pytest.raises(GivenAwayError, match=f"given to {function}.*that {function} returned"):
            _ = stale.parameters
        with pytest.raises(GivenAwayError):
            _ = stale.optimizer_state
        with pytest.raises(GivenAwayError):
            single_train_step(selector, objective, problem.batch, stale)
    assert "given away" in repr(ts)
    assert to_host(new.parameters)["w"].shape == (4, 3)


def test_state_is_whole_after_an_objective_failed(selector, objective, problem):
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(Adam(0.1)))

    def broken(model, ps, st, data):
        raise KeyError("the user's own")

    with pytest.raises(KeyError, match="the user's own"):
        single_train_step_(selector, broken, problem.batch, ts)
    assert to_host(ts.parameters)["w"].shape == (4, 3)
    *_, after = single_train_step_(selector, objective, problem.batch, ts)
    assert after.step == 2


def test_tied_leaf_gets_one_update_and_stays_tied(selector):
    w = np.asarray([1.0, 2.0])

    def objective(model, ps, st, data):
        return (3 * ps["a"] + ps["b"] ** 2).sum(), st, {}

    ts = TrainState(max, {"a": w, "b": w}, {}, SGD(0.5, momentum=0.9))
    *_, ts = single_train_step_(selector, objective, None, ts)
    assert ts.parameters["a"] is ts.parameters["b"]
    np.testing.assert_array_equal(to_host(ts.parameters)["a"], w - 0.5 * (3 + 2 * w))


def test_parameter_read_from_the_state_may_be_data_of_a_step_in_its_buffers(selector, problem):
    def objective(model, ps, st, data):
        return ((ps["w"] - data) ** 2 + ps["w"]).sum(), st, {}

    *_, ts = single_train_step_(selector, objective, problem.ps["w"], problem.state(SGD(0.5)))
    anchor = ts.parameters["w"]
    kept = np.array(to_host(anchor))
    *_, ts = single_train_step_(selector, objective, anchor, ts)
    np.testing.assert_array_equal(to_host(anchor), kept)


SELECTORS = [AutoTorch(), AutoJax(), AutoAutograd(), AutoJax(jit=False)]


@pytest.mark.parametrize("a", SELECTORS, ids=repr)
@pytest.mark.parametrize("b", SELECTORS, ids=repr)
def test_run_that_changes_backend_is_the_run_that_does_not(a, b, objective, problem):
    alone = switched = problem.state(AdamW(0.05))
    for i in range(9):
        *_, alone = single_train_step_(a, objective, problem.batch, alone)
        *_, switched = single_train_step_(
            b if 3 <= i < 6 else a, objective, problem.batch, switched
        )
    for name in ("w", "b"):
        np.testing.assert_allclose(
            to_host(switched.parameters)[name], to_host(alone.parameters)[name], rtol=1e-12
        )
    assert switched.optimizer_state["count"] == 9


def test_two_threads_train_two_runs(selector, objective, problem):
    def run():
        ts = problem.state(Adam(0.05))
        for _ in range(20):
            *_, ts = single_train_step_(selector, objective, problem.batch, ts)
        return np.array(to_host(ts.parameters)["w"])

    expected, found = run(), []
    threads = [threading.Thread(target=lambda: found.append(run())) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 2
    for w in found:
        np.testing.assert_array_equal(w, expected)


def test_gradients_of_the_host_update_a_state_on_the_host(problem):
    ts = apply_gradients(problem.state(SGD(0.5)), problem.gradients)
    np.testing.assert_array_equal(
        ts.parameters["w"], problem.ps["w"] - 0.5 * problem.gradients["w"]
    )


def test_gradients_of_the_host_update_a_state_of_any_backend(selector, problem):
    ps = to_backend(problem.ps, selector)
    ts = apply_gradients(TrainState(max, ps, {}, SGD(0.5)), problem.gradients)
    assert type(ts.parameters["w"]) is type(ps["w"])
    np.testing.assert_allclose(
        to_host(ts.parameters)["w"], problem.ps["w"] - 0.5 * problem.gradients["w"], rtol=1e-15
    )


def test_float16_parameters_stay_float16(selector, objective):
    ps = {"w": np.ones(3, dtype=np.float16)}
    *_, ts = single_train_step_(
        selector, lambda m, p, s, d: ((p["w"] * 2).sum(), s, {}), None,
        TrainState(max, ps, {}, SGD(0.5)),
    )  # fmt: skip
    host = to_host(ts.parameters)["w"]
    assert host.dtype == np.float16
    np.testing.assert_array_equal(host, np.zeros(3))


def test_host_copies_and_returned_values_stay_when_a_step_reuses_the_buffers(selector, problem):
    def objective(model, ps, st, data):
        return (ps["w"] ** 2).sum(), {"w": ps["w"]}, {"w": ps["w"]}

    *_, ts = single_train_step_(selector, objective, None, problem.state(SGD(0.1)))
    host = to_host(ts.parameters)["w"]
    evaluated = compute_objective(selector, objective, None, ts)
    kept = np.array(host)
    *_, ts = single_train_step_(selector, objective, None, ts)
    returned = to_host((evaluated.stats["w"], evaluated.train_state.states["w"]))
    for array in (host, *returned):
        np.testing.assert_array_equal(array, kept)
    assert not np.array_equal(to_host(ts.parameters)["w"], kept)
