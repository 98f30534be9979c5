"""StatefulLayer: what it keeps, what it refuses, and that no value of a trace escapes in it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import optree
import pytest

import polylux
from polylux import (
    AutoAutograd,
    NoAutoDiff,
    StatefulLayer,
    TrainState,
    array_namespace,
    compute_gradients,
    compute_objective,
    f64,
    gradient,
    selector_of,
    single_train_step,
    to_backend,
    to_host,
)
from polylux.errors import LeakedTracerError, OptionError, TreeError
from polylux.layers import Chain, Dense, parameter_count, setup, state_count
from polylux.optimizers import SGD

X = np.asarray([1.0, 2.0])


def adding(x: Any, ps: Any, st: Any) -> Any:
    """`w x + total`; the total grows by the output."""
    y = ps["w"] * x + st["total"]
    return y, {"total": st["total"] + y}


def trees(w: float = 3.0) -> tuple[Any, Any]:
    return {"w": np.asarray(w)}, {"total": np.zeros(2)}


def state(model: Any = adding) -> TrainState:
    return TrainState(model, *trees(), SGD(0.1))


# --- what it keeps -------------------------------------------------------------------------------


def test_each_call_returns_the_output_and_keeps_the_states() -> None:
    ps, st = trees()
    s = StatefulLayer(adding, ps, st)
    np.testing.assert_array_equal(s(X), [3, 6])
    np.testing.assert_array_equal(s(X), [6, 12])
    np.testing.assert_array_equal(s.st["total"], [9, 18])
    np.testing.assert_array_equal(st["total"], [0, 0])
    assert s.ps is ps


def test_parameters_of_the_call_stand_in_for_its_own() -> None:
    ps, st = trees()
    for s in (StatefulLayer(adding, ps, st), StatefulLayer(adding, None, st)):
        np.testing.assert_array_equal(s(X, {"w": np.asarray(5.0)}), [5, 10])
        assert s.ps is None or s.ps is ps


def test_call_without_any_parameters_is_an_error() -> None:
    with pytest.raises(OptionError, match=r"made without parameters; call it as s\(x, ps\)"):
        StatefulLayer(adding, None, {})(X)


@pytest.mark.parametrize("model", [3, Dense, None])
def test_what_is_no_model_is_an_error(model: Any) -> None:
    with pytest.raises(OptionError, match=r"needs a model.*the order is \(model, ps, st\)"):
        StatefulLayer(model, {}, {})


def returning(new: Any) -> Any:
    return lambda x, ps, st: (x, new)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({"a": np.zeros(3), "n": 1, "more": 2}, "unexpected ['more']"),
        ({"a": np.zeros(4), "n": 1}, "st['a'] was an array of shape (3,) and dtype float64 and is"),
        ({"a": np.zeros(3, np.float32), "n": 1}, "is an array of shape (3,) and dtype float32"),
        ({"a": np.zeros(3), "n": 1.0}, "st['n'] was a builtins.int and is a builtins.float"),
        ({"a": np.zeros(3), "n": np.asarray(1)}, "st['n'] was a builtins.int and is an array"),
        ([np.zeros(3), 1], "no leaf at ['a'], ['n']"),
    ],
    ids=["containers", "shape", "dtype", "Python type", "no longer Python's", "other container"],
)
def test_states_of_another_type_are_an_error_unless_allowed(new: Any, message: str) -> None:
    st = {"a": np.zeros(3), "n": 0}
    s = StatefulLayer(returning(new), {}, st)
    with pytest.raises(TreeError) as caught:
        s(X)
    assert message in str(caught.value)
    assert "fixed_state_type=False" in str(caught.value)
    assert s.st is st
    free = StatefulLayer(returning(new), {}, st, fixed_state_type=False)
    free(X)
    assert free.st is new


def test_states_with_other_numbers_are_of_one_type(library: Any) -> None:
    new = {"a": library.array([1.0, 2.0, 3.0]), "n": 5}
    s = StatefulLayer(returning(new), {}, {"a": np.zeros(3), "n": 0})
    s(X)
    assert s.st is new


def test_the_model_says_whether_it_keeps_the_type() -> None:
    class Growing(Dense):
        def preserves_state_type(self) -> bool:
            return False

    assert StatefulLayer(Dense(1, 1), {}, {}).fixed_state_type
    assert not StatefulLayer(Chain(Growing(1, 1)), {}, {}).fixed_state_type
    assert StatefulLayer(Growing(1, 1), {}, {}, fixed_state_type=True).fixed_state_type


def test_counts_are_those_of_its_trees() -> None:
    model = Dense(2, 3)
    s = StatefulLayer(model, {"other": np.zeros(4)}, {"a": np.zeros(3), "n": 1})
    assert s.parameter_count() == parameter_count(s) == 4
    assert s.state_count() == state_count(s) == 4
    assert StatefulLayer(model, None, {}).parameter_count() == 9


def test_it_prints_its_model_with_counts() -> None:
    model = Chain(Dense(2, 3))
    s = StatefulLayer(model, *setup(np.random.default_rng(0), model))
    assert repr(s) == "StatefulLayer(Chain(Dense(2, 3)))"
    assert str(s).splitlines() == [
        "StatefulLayer(",
        "    Chain(",
        "        Dense(2, 3),  # 9 parameters",
        "    ),",
        ")                     # Total: 9 parameters, plus 0 states",
    ]


# --- as a node of trees --------------------------------------------------------------------------


def test_precision_reaches_its_arrays() -> None:
    model = Dense(2, 3)
    s = StatefulLayer(model, *setup(np.random.default_rng(0), model), fixed_state_type=False)
    double = f64(s)
    assert isinstance(double, StatefulLayer)
    assert double.ps["weight"].dtype == np.float64
    assert (double.model, double.fixed_state_type) == (model, False)
    assert s.ps["weight"].dtype == np.float32


def test_its_arrays_move_between_backends(selector: Any) -> None:
    s = StatefulLayer(adding, *trees())
    moved = to_backend({"s": s}, selector)["s"]
    assert type(selector_of(moved.ps["w"])) is type(selector)
    y = moved(to_backend(X, selector))
    np.testing.assert_array_equal(to_host(y), [3, 6])
    np.testing.assert_array_equal(to_host(moved).st["total"], [3, 6])
    np.testing.assert_array_equal(s.st["total"], [0, 0])


def test_paths_into_it_are_spelled_as_attributes() -> None:
    paths = optree.tree_accessors(StatefulLayer(adding, *trees()), namespace="polylux")
    assert [path.codify("s") for path in paths] == ["s.ps['w']", "s.st['total']"]


def test_copies_are_independent() -> None:
    s = StatefulLayer(adding, *trees())
    other = copy.copy(s)
    other(X)
    np.testing.assert_array_equal(s.st["total"], [0, 0])


# --- in an objective -----------------------------------------------------------------------------


def twice(model: Any, ps: Any, st: Any, x: Any) -> Any:
    """Sum of the second output: `2 w x + w x` over both entries; the states carry the first."""
    s = StatefulLayer(model, ps, st)
    s(x)
    y = s(x)
    return array_namespace(y).sum(y), s.st, {}


def test_states_are_handed_back_and_carry_derivatives_within_a_call(selector: Any) -> None:
    # total0 = 0; y1 = w x, total1 = w x; y2 = w x + total1 = 2 w x, total2 = 3 w x.
    grads, loss, _, ts = compute_gradients(selector, twice, X, state())
    assert float(loss) == 2 * 3 * 3
    assert float(grads["w"]) == 2 * 3
    np.testing.assert_array_equal(to_host(ts.states["total"]), [9, 18])
    # The next call starts from 3 w x: y2 = 2 w x + 2 total0; no derivative by the states.
    grads, loss, _, ts = compute_gradients(selector, twice, X, ts)
    assert float(loss) == 18 + 2 * 27
    assert float(grads["w"]) == 6


def test_it_trains(selector: Any) -> None:
    ts = state()
    for _ in range(2):
        ts = single_train_step(selector, twice, X, ts).train_state
    # Each step takes 0.1 * 6 off w.
    np.testing.assert_allclose(float(ts.parameters["w"]), 3 - 1.2, rtol=1e-15)


def test_evaluation_on_the_host_hands_the_states_back() -> None:
    _, loss, _, ts = compute_objective(NoAutoDiff(), twice, X, state())
    assert float(loss) == 18
    np.testing.assert_array_equal(ts.states["total"], [9, 18])


def test_it_comes_in_with_the_data_and_goes_out_with_the_stats(selector: Any) -> None:
    def objective(model: Any, ps: Any, st: Any, s: Any) -> Any:
        y = s(ps["w"] * array_namespace(ps["w"]).ones_like(s.st["total"]))
        return array_namespace(y).sum(y), st, {"s": s}

    s = StatefulLayer(adding, {"w": np.asarray(2.0)}, {"total": X})
    grads, loss, stats, _ = compute_gradients(selector, objective, s, state())
    # y = 2 w + x
    assert float(loss) == 2 * 2 * 3 + 3
    assert float(grads["w"]) == 4
    np.testing.assert_array_equal(to_host(stats["s"].st["total"]), [6 + 2, 6 + 4])
    np.testing.assert_array_equal(s.st["total"], X)


def test_one_made_outside_cannot_keep_states_of_a_trace(selector: Any) -> None:
    ps, st = trees()
    s = StatefulLayer(adding, to_backend(ps, selector), to_backend(st, selector))

    def objective(model: Any, ps: Any, st: Any, x: Any) -> Any:
        y = s(x, ps)
        return array_namespace(y).sum(y), st, {}

    with pytest.raises(LeakedTracerError, match=r"was made outside .* make it inside"):
        compute_gradients(selector, objective, X, state())
    # Nothing was kept: it goes on as before.
    np.testing.assert_array_equal(to_host(s(to_backend(X, selector))), [3, 6])


def test_one_made_outside_may_be_called_where_its_states_stay(selector: Any) -> None:
    model = Chain(Dense(2, 1, use_bias=False))
    s = StatefulLayer(model, None, {"layer_1": {}})

    def objective(model: Any, ps: Any, st: Any, x: Any) -> Any:
        y = s(x, ps)
        return array_namespace(y).sum(y), st, {}

    ps = {"layer_1": {"weight": np.asarray([[3.0], [5.0]])}}
    grads, loss, _, _ = compute_gradients(selector, objective, X, TrainState(model, ps, {}, SGD()))
    assert float(loss) == 13
    np.testing.assert_array_equal(to_host(grads["layer_1"]["weight"]), [[1], [2]])


def test_new_containers_of_the_same_states_are_no_change(selector: Any) -> None:
    s = StatefulLayer(lambda x, ps, st: (ps["w"] * x, dict(st)), None, {"a": X, "n": 1})

    def objective(model: Any, ps: Any, st: Any, x: Any) -> Any:
        y = s(x, ps)
        return array_namespace(y).sum(y), st, {}

    assert float(compute_gradients(selector, objective, X, state()).loss) == 9


def test_one_made_inside_cannot_be_used_outside(selector: Any) -> None:
    kept = []

    def objective(model: Any, ps: Any, st: Any, x: Any) -> Any:
        s = StatefulLayer(model, ps, st)
        kept.append(s)
        y = s(x)
        return array_namespace(y).sum(y), s.st, {}

    compute_gradients(selector, objective, X, state())
    (s,) = kept
    for use in (lambda: s.st, lambda: s.ps, lambda: s(X), lambda: f64(s)):
        with pytest.raises(LeakedTracerError, match=r"was made inside .* return s\.st from there"):
            use()


def test_derivative_inside_an_objective_goes_through_it(selector: Any) -> None:
    # d/dx sum(w x**2) = 2 w x; its sum has the derivative 2 sum(x) by w.
    def square(x: Any, ps: Any, st: Any) -> Any:
        return ps["w"] * x * x, st

    def objective(model: Any, ps: Any, st: Any, x: Any) -> Any:
        s = StatefulLayer(model, ps, st)
        xp = array_namespace(x)
        slope = gradient(lambda x: xp.sum(s(x)), selector_of(x), x)
        return xp.sum(slope), s.st, {}

    grads, loss, _, _ = compute_gradients(selector, objective, X, state(square))
    assert float(loss) == 2 * 3 * 3
    assert float(grads["w"]) == 6


@pytest.mark.parametrize("selector", [polylux.AutoJax(), AutoAutograd()], ids=["jax", "autograd"])
def test_states_of_an_inner_derivative_are_an_error_when_used_outside_of_it(selector: Any) -> None:
    def objective(model: Any, ps: Any, st: Any, x: Any) -> Any:
        s = StatefulLayer(model, ps, st)
        xp = array_namespace(x)
        gradient(lambda x: xp.sum(s(x)), selector_of(x), x)
        return xp.sum(s(x)), s.st, {}

    with pytest.raises(LeakedTracerError):
        compute_gradients(selector, objective, X, state())
