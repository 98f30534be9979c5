"""The plan of a step: when the next step is known by its parts, and when it is looked at anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polylux
from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    TrainState,
    adjust,
    clear_caches,
    single_train_step,
    single_train_step_,
    to_backend,
    to_host,
)
from polylux.errors import ObjectiveError
from polylux.losses import MSELoss
from polylux.optimizers import SGD, Adam, WarmUp
from polylux.training import _step

START = np.asarray([0.5, -1.0, 2.0])
BATCH = (np.asarray([1.0, 2.0, 3.0]), np.asarray([0.0, 1.0, -1.0]))


def model(x: Any, ps: Any, st: Any) -> Any:
    return x * ps["w"], st


def state(rule: Any = None) -> TrainState:
    return TrainState(model, {"w": START}, {}, rule or Adam(0.1))


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows by one with each step that is prepared from scratch."""
    taken: list[Any] = []

    class Counted(_step.Prepared):
        def __init__(self, *arguments: Any) -> None:
            taken.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(_step, "Prepared", Counted)
    return taken


def run(
    selector: polylux.ADType,
    count: int,
    ts: TrainState,
    batch: Any = BATCH,
    objective: Any = None,
    step: Callable[..., Any] = single_train_step_,
) -> TrainState:
    for _ in range(count):
        *_, ts = step(selector, objective or MSELoss(), batch, ts)
    return ts


@pytest.mark.parametrize("step", [single_train_step, single_train_step_])
def test_equal_steps_are_prepared_once_and_a_second_time_for_states_of_their_own(
    selector: polylux.ADType, step: Any, long_ways: list[Any]
) -> None:
    run(selector, 6, state(), step=step)
    assert len(long_ways) <= 2


@pytest.mark.parametrize(
    "batch", [BATCH[0], {"x": BATCH[0], "y": BATCH[1]}, (BATCH[0], [BATCH[1]])],
    ids=["array", "dict", "nested"],
)  # fmt: skip
def test_data_may_be_any_tree_of_arrays(
    batch: Any, selector: polylux.ADType, long_ways: list[Any]
) -> None:
    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        xp = polylux.array_namespace(*polylux.tree.leaves(data)[0])
        return sum(xp.sum((a - ps["w"]) ** 2) for a in polylux.tree.leaves(data)[0]), st, {}

    found = run(selector, 5, state(SGD(0.1)), batch, objective)
    assert len(long_ways) <= 2
    # By hand: w - 0.2 * sum(w - a).
    w = START
    for _ in range(5):
        w = w - 0.2 * sum(w - a for a in polylux.tree.leaves(batch)[0])
    np.testing.assert_allclose(to_host(found.parameters)["w"], w, rtol=1e-14)
    run(selector, 1, found, {"other": batch}, objective)
    assert len(long_ways) <= 3


def test_batches_of_more_arrays_than_before_are_seen(selector: polylux.ADType) -> None:
    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        xp = polylux.array_namespace(*data)
        return sum(xp.sum((a - ps["w"]) ** 2) for a in data), st, {}

    batches = [BATCH, BATCH, BATCH, (*BATCH, BATCH[0] + 1), BATCH[:1], BATCH]
    ts, w = state(SGD(0.1)), START
    for batch in batches:
        ts = run(selector, 1, ts, batch, objective)
        w = w - 0.2 * sum(w - a for a in batch)  # by hand
    np.testing.assert_allclose(to_host(ts.parameters)["w"], w, rtol=1e-14)


def test_a_loss_that_is_no_scalar_any_more_is_seen(selector: polylux.ADType) -> None:
    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        xp = polylux.array_namespace(data)
        return (xp.sum(data * ps["w"]) if data.ndim == 1 else data * ps["w"]), st, {}

    ts = run(selector, 3, state(), BATCH[0], objective)
    with pytest.raises(ObjectiveError, match="must be a real scalar, got shape"):
        run(selector, 1, ts, BATCH[0][None], objective)


def test_numbers_are_those_of_steps_that_are_all_prepared(selector: polylux.ADType) -> None:
    planned = run(selector, 5, state())
    ts = state()
    for _ in range(5):
        ts = run(selector, 1, ts)
        clear_caches()
    np.testing.assert_allclose(
        to_host(planned.parameters)["w"], to_host(ts.parameters)["w"], rtol=1e-15
    )


def test_data_of_another_dtype_library_or_form_is_looked_at(long_ways: list[Any]) -> None:
    selector = AutoAutograd()
    ts = run(selector, 3, state())
    before = len(long_ways)
    moved = to_backend(BATCH, selector)
    narrow = tuple(a.astype(np.float32) for a in BATCH)
    for batch in (moved, narrow, [*BATCH], (BATCH[0], BATCH[0])):
        ts = run(selector, 1, ts, batch)
    assert len(long_ways) == before + 4


def test_a_tied_batch_after_an_untied_one_is_right() -> None:
    both = (BATCH[0], BATCH[0])
    ts = run(AutoAutograd(), 2, state())
    expected = run(AutoAutograd(), 1, ts, (BATCH[0], BATCH[0].copy()), step=single_train_step)
    found = run(AutoAutograd(), 1, ts, both, step=single_train_step)
    np.testing.assert_array_equal(
        to_host(found.parameters)["w"], to_host(expected.parameters)["w"]
    )


@pytest.mark.parametrize("selector", [AutoJax(), AutoTorch(), AutoAutograd()], ids=repr)
def test_an_adjusted_rate_is_used(selector: polylux.ADType) -> None:
    ts = adjust(run(selector, 3, state()), 0.0)
    before = to_host(ts.parameters)["w"]
    np.testing.assert_array_equal(to_host(run(selector, 2, ts).parameters)["w"], before)


def test_a_captured_number_that_changes_is_seen() -> None:
    scale = 1.0

    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        y, st = model(data[0], ps, st)
        return polylux.array_namespace(y).sum(scale * y), st, {}

    ts = run(AutoJax(), 3, state(), objective=objective)
    scale = 0.0
    grads, *_ = single_train_step(AutoJax(), objective, BATCH, ts)
    assert to_host(grads)["w"].tolist() == [0, 0, 0]


def test_another_objective_is_seen() -> None:
    ts = run(AutoJax(), 3, state())
    grads, *_ = single_train_step(AutoJax(), MSELoss(agg="sum"), BATCH, ts)
    mean, *_ = single_train_step(AutoJax(), MSELoss(), BATCH, ts)
    np.testing.assert_allclose(to_host(grads)["w"], 3 * to_host(mean)["w"], rtol=1e-15)


def test_a_state_given_away_is_still_refused() -> None:
    ts = run(AutoTorch(), 3, state())
    run(AutoTorch(), 1, ts)
    with pytest.raises(polylux.errors.GivenAwayError):
        run(AutoTorch(), 1, ts)


def test_a_parameter_that_came_back_as_data_is_not_overwritten_while_it_is_read() -> None:
    ts = run(AutoTorch(), 3, state(), to_backend(BATCH, AutoTorch()))
    target = ts.parameters["w"]
    kept = target.clone()
    run(AutoTorch(), 1, ts, (to_backend(BATCH[0], AutoTorch()), target))
    assert target.tolist() == kept.tolist()


def test_a_user_error_comes_on_a_planned_step_too() -> None:
    ts = run(AutoAutograd(), 3, state())
    with pytest.raises(polylux.errors.ShapeError):
        run(AutoAutograd(), 1, ts, (np.ones(3), np.ones(2)))


def test_a_schedule_is_followed_over_many_planned_steps() -> None:
    # Under jit its numbers go to the device for many updates at once.
    rule = Adam(WarmUp(300, 1e-3))
    found = to_host(run(AutoJax(), 600, state(rule)).parameters)["w"]
    expected = to_host(run(AutoAutograd(), 600, state(rule)).parameters)["w"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_two_runs_of_one_state_do_not_share_their_numbers() -> None:
    start = run(AutoJax(), 2, state())
    one, other = start, start
    for _ in range(5):
        one = run(AutoJax(), 1, one, step=single_train_step)
        other = run(AutoJax(), 1, other, step=single_train_step)
    alone = run(AutoJax(), 5, start, step=single_train_step)
    for ts in (one, other):
        np.testing.assert_array_equal(
            to_host(ts.parameters)["w"], to_host(alone.parameters)["w"]
        )


@pytest.mark.parametrize("kind", ["chain", "compact"])
def test_what_a_function_inside_a_layer_captures_is_seen_to_change(kind: str) -> None:
    scale = 1.0

    def scaled(x: Any) -> Any:
        return scale * x

    if kind == "chain":
        layer: Any = polylux.layers.Chain(polylux.layers.Dense(3, 3), scaled)
    else:
        layer = polylux.compact(lambda s, x: scaled(s.dense(x)), dense=polylux.layers.Dense(3, 3))
    ts = TrainState(layer, *polylux.setup(np.random.default_rng(0), layer), Adam(0.1))
    batch = (np.ones((2, 3), np.float32), np.ones((2, 3), np.float32))
    ts = run(AutoJax(), 3, ts, batch, step=single_train_step)
    scale = 0.0
    _, loss, _, _ = single_train_step(AutoJax(), MSELoss(), batch, ts)
    assert float(loss) == 1.0
