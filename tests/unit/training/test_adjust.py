"""adjust, freeze and thaw: what the next step does, what goes on, and what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    TrainState,
    adjust,
    apply_gradients,
    apply_gradients_,
    freeze,
    single_train_step,
    single_train_step_,
    thaw,
    to_host,
)
from polylux.errors import DomainError, GivenAwayError, OptionError, TreeError
from polylux.optimizers import (
    SGD,
    AccumulateGradients,
    AdaGrad,
    Adam,
    AdamW,
    ClipNorm,
    Frozen,
    Linear,
    Momentum,
    Piecewise,
    RMSProp,
    WeightDecay,
    by_path,
    chain,
)


def params(state: TrainState) -> dict[str, np.ndarray]:
    return {name: np.array(a) for name, a in to_host(state.parameters).items()}


def slot(state: TrainState, name: str) -> list[np.ndarray]:
    return [np.array(a) for a in to_host(state.optimizer_state[name])]


# --- adjust ---------------------------------------------------------------------------------------


def test_next_step_has_the_new_learning_rate(selector: Any, objective: Any, problem: Any) -> None:
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(SGD(0.1)))
    ts = adjust(ts, 0.5)
    assert ts.optimizer == SGD(0.5)
    assert ts.step == 1
    before = params(ts)
    grads, _, _, ts = single_train_step_(selector, objective, problem.batch, ts)
    for name, gradient in to_host(grads).items():
        np.testing.assert_allclose(params(ts)[name], before[name] - 0.5 * gradient, rtol=1e-14)


def test_slots_and_count_go_on(selector: Any, objective: Any, problem: Any) -> None:
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(Adam(0.1)))
    m, v = slot(ts, "first_moment"), slot(ts, "second_moment")
    before = params(ts)
    grads, _, _, ts = single_train_step_(
        selector, objective, problem.batch, adjust(ts, betas=(0.5, 0.6), epsilon=0.1)
    )
    assert ts.optimizer_state["count"] == 2
    for i, name in enumerate(("b", "w")):  # as the tree is walked
        g = to_host(grads)[name]
        m_hat = (0.5 * m[i] + 0.5 * g) / (1 - 0.5**2)
        v_hat = (0.6 * v[i] + 0.4 * g * g) / (1 - 0.6**2)
        expected = before[name] - 0.1 * m_hat / (np.sqrt(v_hat) + 0.1)
        np.testing.assert_allclose(params(ts)[name], expected, rtol=1e-13)


def test_schedule_that_fails_leaves_the_state_whole(
    selector: Any, objective: Any, problem: Any
) -> None:
    bad = Piecewise({0: 0.1, 1: -0.1})
    for rule in (by_path({"['b']": Momentum(0.1), "*": Momentum(bad)}), Adam(bad)):
        *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(rule))
        before, slots = params(ts), slot(ts, rule.slots[0])
        with pytest.raises(DomainError, match="at step 1"):
            single_train_step_(selector, objective, problem.batch, ts)
        for name, array in params(ts).items():
            np.testing.assert_array_equal(array, before[name])
        for a, b in zip(slot(ts, rule.slots[0]), slots, strict=True):
            np.testing.assert_array_equal(a, b)
        *_, ts = single_train_step_(selector, objective, problem.batch, adjust(ts, 0.1))
        assert ts.step == 2


def test_new_learning_rate_costs_no_trace(objective: Any, problem: Any) -> None:
    ts = problem.state(chain(ClipNorm(5.0), AdamW(0.1)))
    for i in range(6):
        *_, ts = single_train_step_(AutoJax(), objective, problem.batch, ts)
        eta = Linear(0.1, 0.0, 9) if i == 3 else 0.1 / (i + 2)
        ts = adjust(ts, eta, weight_decay=0.01 * i, max_norm=2.0 + i)
    assert ts.cache.traces == 1
    assert ts.optimizer == chain(ClipNorm(7.0), AdamW(0.1 / 7, weight_decay=0.05))


def test_every_rule_that_has_the_name_gets_the_value(problem: Any) -> None:
    rule = by_path(
        {
            "*['b']": AccumulateGradients(2, chain(WeightDecay(0.1), SGD(0.1))),
            "*": AdamW(0.2, weight_decay=0.3),
        }
    )
    ts = adjust(freeze(problem.state(rule), "['b']"), weight_decay=0.7)
    assert ts.optimizer == Frozen(
        by_path(
            {
                "*['b']": AccumulateGradients(2, chain(WeightDecay(0.7), SGD(0.1))),
                "*": AdamW(0.2, weight_decay=0.7),
            }
        ),
        ("['b']",),
    )


def test_state_passed_in_stays_as_it_was(objective: Any, problem: Any) -> None:
    *_, ts = single_train_step_(AutoTorch(), objective, problem.batch, problem.state(Momentum(0.1)))
    before, kept = params(ts), slot(ts, "momentum")
    new = adjust(ts, 0.3)
    *_, new = single_train_step(AutoTorch(), objective, problem.batch, new)
    assert ts.optimizer == Momentum(0.1)
    for name, array in params(ts).items():
        np.testing.assert_array_equal(array, before[name])
    for a, b in zip(slot(ts, "momentum"), kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_state_and_its_adjusted_one_share_their_buffers(objective: Any, problem: Any) -> None:
    *_, ts = single_train_step_(AutoTorch(), objective, problem.batch, problem.state(SGD(0.1)))
    single_train_step_(AutoTorch(), objective, problem.batch, adjust(ts, 0.3))
    with pytest.raises(GivenAwayError):
        _ = ts.parameters


def test_slot_that_the_new_values_call_for_starts_anew(
    selector: Any, objective: Any, problem: Any
) -> None:
    *_, plain = single_train_step_(selector, objective, problem.batch, problem.state(SGD(0.1)))
    ts = adjust(plain, momentum=0.5)
    assert ts.optimizer_state["count"] == 1
    assert all((a == 0).all() for a in slot(ts, "momentum"))
    before = params(plain)
    for _ in range(2):
        *_, ts = single_train_step_(selector, objective, problem.batch, ts)
    # The adjusted state has its own record, so the former one is whole.
    for name, array in params(plain).items():
        np.testing.assert_array_equal(array, before[name])
    assert set(adjust(ts, momentum=0.0).optimizer_state) == {"count"}


@pytest.mark.parametrize("selector", [AutoTorch(), AutoAutograd()], ids=repr)
def test_other_slots_go_on_beside_a_new_one(selector: Any, objective: Any, problem: Any) -> None:
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(RMSProp(0.1)))
    kept = slot(ts, "mean_square")
    new = adjust(ts, momentum=0.5)
    before = params(new)
    # Both states hold these arrays now: a step in the buffers of one must not reach the other.
    single_train_step_(selector, objective, problem.batch, ts)
    for a, b in zip(slot(new, "mean_square"), kept, strict=True):
        np.testing.assert_array_equal(a, b)
    for name, array in params(new).items():
        np.testing.assert_array_equal(array, before[name])
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(RMSProp(0.1)))
    single_train_step_(selector, objective, problem.batch, ts)
    with pytest.raises(GivenAwayError):
        adjust(ts, momentum=0.5)


@pytest.mark.parametrize(
    ("rule", "given", "error", "match"),
    [
        (Adam(0.1), {"learningrate": 1.0}, OptionError, "did you mean 'learning_rate'"),
        (Adam(0.1), {"momentum": 0.9}, OptionError, "has no hyper-parameter 'momentum'; known are"),
        (WeightDecay(), {"learning_rate": 1.0}, OptionError, "no hyper-parameter 'learning_rate'"),
        (Adam(0.1), {"learning_rate": -1.0}, DomainError, "must not be below 0"),
        (Adam(0.1), {"betas": 0.9}, OptionError, "takes two numbers"),
        (AccumulateGradients(2, SGD()), {"n": 4}, OptionError, "'n' of .* cannot be changed"),
        (AdaGrad(), {"initial_accumulator": 1.0}, OptionError, "cannot be changed in a run"),
        (chain(SGD()), {"rules": ()}, OptionError, "cannot be changed in a run"),
        (Momentum(), {"nesterov": True}, OptionError, "no hyper-parameter 'nesterov'"),
        (SGD(), {}, OptionError, "adjust needs a learning rate"),
    ],
)
def test_value_that_no_rule_takes_is_an_error(
    problem: Any, rule: Any, given: Any, error: Any, match: str
) -> None:
    with pytest.raises(error, match=match):
        adjust(problem.state(rule), **given)


@pytest.mark.parametrize("function", [adjust, freeze, thaw, apply_gradients, apply_gradients_])
def test_what_is_no_train_state_is_an_error(function: Any) -> None:
    with pytest.raises(OptionError, match=rf"{function.__name__} takes a TrainState first, got di"):
        function({"weight": np.ones(2)}, "*")


def test_learning_rate_given_twice_is_an_error(problem: Any) -> None:
    with pytest.raises(OptionError, match="twice"):
        adjust(problem.state(), 0.1, learning_rate=0.2)


# --- freeze and thaw ------------------------------------------------------------------------------


def test_frozen_leaf_and_its_slots_keep_their_bits(
    selector: Any, objective: Any, problem: Any
) -> None:
    rule = chain(WeightDecay(0.1), Adam(0.1))
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(rule))
    before, m = params(ts), slot(ts, "1.first_moment")
    ts = freeze(ts, "*['b']")
    for _ in range(3):
        grads, *_, ts = single_train_step_(selector, objective, problem.batch, ts)
    np.testing.assert_array_equal(params(ts)["b"], before["b"])
    np.testing.assert_array_equal(slot(ts, "1.first_moment")[0], m[0])
    assert (params(ts)["w"] != before["w"]).all()
    assert (slot(ts, "1.first_moment")[1] != m[1]).all()
    assert (np.asarray(to_host(grads)["b"]) != 0).all()
    assert ts.step == 4

    ts = thaw(ts, "*")
    assert ts.optimizer == rule
    g = to_host(single_train_step(selector, objective, problem.batch, ts).grads)["b"]
    *_, ts = single_train_step_(selector, objective, problem.batch, ts)
    expected = 0.9 * m[0] + 0.1 * (np.asarray(g) + 0.1 * before["b"])
    np.testing.assert_allclose(slot(ts, "1.first_moment")[0], expected, rtol=1e-13)


def test_frozen_run_is_that_of_the_other_leaves_alone(
    selector: Any, objective: Any, problem: Any
) -> None:
    ts = freeze(problem.state(chain(ClipNorm(0.5), Adam(0.1))), "['b']")
    alone = TrainState(max, {"w": problem.ps["w"]}, {}, chain(ClipNorm(0.5), Adam(0.1)))
    for _ in range(3):
        grads, *_, ts = single_train_step_(selector, objective, problem.batch, ts)
        alone = apply_gradients(alone, {"w": to_host(grads)["w"]})
    np.testing.assert_allclose(params(ts)["w"], params(alone)["w"], rtol=1e-13)


@pytest.mark.parametrize("selector", [AutoTorch(), AutoAutograd()], ids=repr)
def test_thawed_leaf_is_not_trained_in_the_buffers_of_former_states(
    selector: Any, objective: Any, problem: Any
) -> None:
    # A pure step with the leaf frozen, then one in its buffers with the leaf thawed.
    ts = freeze(problem.state(Adam(0.1)), "['b']")
    *_, first = single_train_step(selector, objective, problem.batch, ts)
    kept, m = params(first), slot(first, "first_moment")
    *_, second = single_train_step(selector, objective, problem.batch, first)
    second = thaw(second, "*")
    for _ in range(2):
        *_, second = single_train_step_(selector, objective, problem.batch, second)
    for name, array in params(first).items():
        np.testing.assert_array_equal(array, kept[name])
    for a, b in zip(slot(first, "first_moment"), m, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(problem.ps["b"], kept["b"])


def test_freezing_and_thawing_add_up(problem: Any) -> None:
    ts = freeze(problem.state(SGD(0.1)), "['w']")
    assert ts.optimizer == Frozen(SGD(0.1), ("['w']",))
    ts = freeze(ts, "['b']", "['w']")
    assert ts.optimizer == Frozen(SGD(0.1), ("['b']", "['w']"))
    assert thaw(ts, "['w']").optimizer == Frozen(SGD(0.1), ("['b']",))
    assert thaw(thaw(ts, "['?']"), "*").optimizer == SGD(0.1)
    assert "Frozen" in repr(ts)


@pytest.mark.parametrize("rule", [chain(ClipNorm(1.0), Adam(0.1)), AccumulateGradients(1, SGD())])
def test_everything_may_be_frozen(selector: Any, objective: Any, problem: Any, rule: Any) -> None:
    ts = freeze(problem.state(rule), "*")
    for _ in range(2):
        *_, ts = single_train_step_(selector, objective, problem.batch, ts)
    for name, array in params(ts).items():
        np.testing.assert_array_equal(array, problem.ps[name])


def test_tied_leaf_is_frozen_at_any_of_its_places() -> None:
    w = np.ones(2)
    state = TrainState(max, {"a": w, "b": w, "c": np.ones(2)}, {}, SGD(1.0))
    ts = freeze(state, "['b']")
    gradients = {"a": np.ones(2), "b": np.ones(2), "c": np.ones(2)}
    ts = apply_gradients(ts, gradients)
    assert {name: a.tolist() for name, a in params(ts).items()} == {
        "a": [1, 1], "b": [1, 1], "c": [0, 0],
    }  # fmt: skip


def test_frozen_state_can_be_pickled_and_moved(objective: Any, problem: Any) -> None:
    rule = by_path({"['b']": Momentum(0.1), "*": Adam(0.1)})
    ts = freeze(problem.state(rule), "['w']")
    *_, ts = single_train_step_(AutoTorch(), objective, problem.batch, ts)
    again = pickle.loads(pickle.dumps(ts.replace(model=max))).replace(model=ts.model)
    assert again.optimizer == ts.optimizer
    ends = []
    for state in (ts, again):
        for selector in (AutoAutograd(), AutoJax(jit=False), AutoTorch()):
            *_, state = single_train_step_(selector, objective, problem.batch, state)
        ends.append(params(state))
    for name in ("w", "b"):
        np.testing.assert_allclose(ends[0][name], ends[1][name], rtol=1e-14)
    np.testing.assert_array_equal(ends[0]["w"], problem.ps["w"])


def test_replaced_optimizer_is_bound_to_the_same_leaves(problem: Any) -> None:
    rule = by_path({"['b']": Momentum(0.1), "*": Momentum(0.2)})
    ts = apply_gradients(problem.state(rule), problem.gradients)
    kept = [a.tolist() for name in rule.slots for a in slot(ts, name)]
    same = ts.replace(optimizer=by_path({"['b']": Momentum(0.3), "*": Momentum(0.4)}))
    assert [a.tolist() for name in rule.slots for a in slot(same, name)] == kept
    # Slots of the same names for other leaves start anew.
    other = ts.replace(optimizer=by_path({"['w']": Momentum(0.3), "*": Momentum(0.4)}))
    assert [a.shape for a in slot(other, "0.momentum")] == [(4, 3)]
    assert other.optimizer_state["count"] == 0
    apply_gradients_(other, problem.gradients)


def test_replaced_parameters_and_the_former_state_do_not_share_slots(
    objective: Any, problem: Any
) -> None:
    *_, ts = single_train_step_(AutoTorch(), objective, problem.batch, problem.state(Momentum(0.1)))
    new = ts.replace(parameters=problem.ps)
    kept = slot(new, "momentum")
    single_train_step_(AutoTorch(), objective, problem.batch, ts)
    for a, b in zip(slot(new, "momentum"), kept, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("function", [freeze, thaw])
@pytest.mark.parametrize(
    ("patterns", "error", "match"),
    [
        (("*['weight']",), TreeError, r"\"\*\['weight'\]\" matches no leaf"),
        (("['w']", "w"), TreeError, "'w' matches no leaf"),
        (("['v']",), TreeError, r"did you mean .*\['w'\]"),
        ((), OptionError, "needs a path pattern"),
        ((1,), OptionError, "takes path patterns such as .*, got 1"),
    ],
)
def test_pattern_that_matches_nothing_is_an_error(
    problem: Any, function: Any, patterns: Any, error: Any, match: str
) -> None:
    with pytest.raises(error, match=f"^{function.__name__}.*{match}"):
        function(problem.state(), *patterns)


def test_fixed_leaves_cannot_be_frozen() -> None:
    state = TrainState(max, {"n": np.arange(3), "w": np.ones(2)}, {}, SGD(1.0))
    with pytest.raises(TreeError, match=r"\['n'\].* matches no leaf"):
        freeze(state, "['n']")
