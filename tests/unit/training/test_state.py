"""TrainState: its fields, printing, copying, pickling, and what it refuses."""

from __future__ import annotations

import copy
import gc
import pickle
import warnings
import weakref

import numpy as np
import pytest

from polylux import (
    AutoJax,
    AutoTorch,
    NoAutoDiff,
    TrainState,
    apply_gradients,
    clear_caches,
    compute_gradients,
    single_train_step_,
    to_backend,
    to_host,
)
from polylux.errors import (
    ArrayMixError,
    DeviceError,
    DTypeError,
    NothingTrainableError,
    ObjectiveError,
    OptionError,
    RetraceWarning,
    ShapeError,
    TreeError,
    UnknownBackendError,
    UnsupportedError,
)
from polylux.optimizers import SGD, Adam
from polylux.selectors import Auto


def test_fields_are_those_of_the_page(problem):
    ts = problem.state(Adam(0.1), states={"n": 1})
    assert ts.step == 0
    assert ts.parameters["w"] is problem.ps["w"]
    assert ts.states == {"n": 1}
    assert ts.optimizer == Adam(0.1)
    assert ts.optimizer_state["count"] == 0
    assert [a.shape for a in ts.optimizer_state["first_moment"]] == [(3,), (4, 3)]
    assert ts.objective_function is None


def test_print_shows_model_count_optimizer_step_and_cache(selector, objective, problem):
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(Adam(0.1)))
    expected = ("linear", "15", selector.backend, "Adam(learning_rate=0.1)", "step: 1", "1 cached")
    for part in expected:
        assert part in repr(ts)


def test_pickled_state_goes_on_to_the_same_numbers(selector, objective, problem):
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(Adam(0.1)))
    # A model of a conftest cannot be pickled by name; any importable callable will do.
    again = pickle.loads(pickle.dumps(ts.replace(model=max))).replace(model=ts.model)
    assert again.step == 1
    assert len(again.cache) == 0
    *_, one = single_train_step_(selector, objective, problem.batch, ts)
    *_, two = single_train_step_(selector, objective, problem.batch, again)
    np.testing.assert_array_equal(to_host(one.parameters)["w"], to_host(two.parameters)["w"])


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_copy_survives_a_step_in_the_original_s_buffers(selector, objective, problem, copier):
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(Adam(0.1)))
    other = copier(ts)
    kept = np.array(to_host(other.parameters)["w"])
    single_train_step_(selector, objective, problem.batch, ts)
    np.testing.assert_array_equal(to_host(other.parameters)["w"], kept)
    assert len(other.cache) == 0


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_slots_of_a_copy_are_its_own_and_plain(selector, objective, problem, copier):
    # A backend may keep slots in a form that no tree function looks into.
    ts = problem.state(Adam(0.1))
    for _ in range(2):
        *_, ts = single_train_step_(selector, objective, problem.batch, ts)
    assert {type(slot) for slot in ts.optimizer_state.values()} == {int, tuple}
    other = copier(ts)
    kept = [np.array(a) for a in to_host(other.optimizer_state["second_moment"])]
    single_train_step_(selector, objective, problem.batch, ts)
    for a, b in zip(to_host(other.optimizer_state["second_moment"]), kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_replace_keeps_what_still_fits(selector, objective, problem):
    *_, ts = single_train_step_(selector, objective, problem.batch, problem.state(Adam(0.1)))
    assert ts.replace(optimizer=Adam(0.2)).optimizer_state["count"] == 1
    assert ts.replace(optimizer=SGD(0.2)).optimizer_state == {"count": 0}
    assert ts.replace(parameters=problem.ps).optimizer_state["count"] == 1
    assert ts.replace(parameters={"w": np.ones(2)}).optimizer_state["count"] == 0
    assert ts.replace(step=7).step == 7


class Counting:
    """An objective that counts how often Python runs it."""

    def __init__(self, objective):
        self.objective = objective
        self.calls = 0

    def __call__(self, *arguments):
        self.calls += 1
        return self.objective(*arguments)


def test_learning_rate_may_change_without_a_new_trace(objective, problem):
    counted = Counting(objective)
    ts = problem.state(SGD(0.1))
    expected = problem.ps["b"]
    for eta in (0.1, 0.2, 0.3):
        ts = ts.replace(optimizer=SGD(eta))
        expected = to_host(ts.parameters)["b"]
        grads, _, _, ts = single_train_step_(AutoJax(), counted, problem.batch, ts)
        np.testing.assert_allclose(
            to_host(ts.parameters)["b"], expected - eta * to_host(grads)["b"], rtol=1e-14
        )
    assert counted.calls == 1


def test_second_and_later_steps_of_one_shape_do_not_trace(objective, problem):
    counted = Counting(objective)
    ts = problem.state(Adam(0.1))
    for rows in (8, 8, 8, 5, 8, 5):
        batch = (problem.x[:rows], problem.y[:rows])
        *_, ts = single_train_step_(AutoJax(), counted, batch, ts)
    assert counted.calls == 2


def test_loss_built_anew_at_each_step_hits_the_cache(problem):
    from polylux.losses import MSELoss

    ts = problem.state(SGD(0.1))
    for _ in range(3):
        *_, ts = single_train_step_(AutoJax(), MSELoss(), problem.batch, ts)
    assert ts.cache.traces == 1


def test_python_value_that_changes_in_the_states_is_said_once(problem):
    def objective(model, ps, st, data):
        return (ps["w"] ** 2).sum(), {"calls": st["calls"] + 1}, {}

    ts = problem.state(states={"calls": 0})
    with pytest.warns(RetraceWarning, match=r"states\['calls'\].*make it a 0-d array") as caught:
        for _ in range(8):
            *_, ts = compute_gradients(AutoJax(), objective, None, ts)
    assert len(caught) == 1
    assert ts.states == {"calls": 8}


def test_whole_step_names_the_part_that_changes(problem):
    def objective(model, ps, st, data):
        return (ps["w"] ** 2).sum() * data["factor"], st, {}

    ts = problem.state()
    with pytest.warns(RetraceWarning, match=r": data\['factor'\] is a Python float"):
        for i in range(6):
            *_, ts = single_train_step_(AutoJax(), objective, {"factor": float(i)}, ts)
    assert ts.step == 6


def test_clearing_the_caches_at_each_step_is_no_re_trace_to_complain_of(objective, problem):
    ts = problem.state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(6):
            *_, ts = single_train_step_(AutoJax(), objective, problem.batch, ts)
            clear_caches()
    assert ts.step == 6


def test_objective_made_anew_at_each_step_is_said_once(problem):
    ts = problem.state()
    with pytest.warns(RetraceWarning, match="objective is a new object at each call") as caught:
        for _ in range(14):
            *_, ts = compute_gradients(
                AutoJax(), lambda m, p, s, d: ((p["w"] ** 2).sum(), s, {}), None, ts
            )
    assert len(caught) == 1


def test_python_value_that_changes_costs_nothing_without_jit(problem):
    def objective(model, ps, st, data):
        return (ps["w"] ** 2).sum(), {"calls": st["calls"] + 1}, {}

    ts = problem.state(states={"calls": 0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(8):
            *_, ts = compute_gradients(AutoTorch(), objective, None, ts)
    assert ts.cache.traces == 1


def test_thousands_of_closures_are_not_kept(selector):
    x = to_backend(np.ones(2), selector)
    from polylux import value_and_gradient

    class Big:
        pass

    alive = []

    def make():
        big = Big()
        alive.append(weakref.ref(big))
        return lambda p: (p * 2).sum() if big else None

    rounds = 150 if selector == AutoJax() else 2_000
    for _ in range(rounds):
        value_and_gradient(make(), selector, x)
    clear_caches()
    gc.collect()
    assert sum(r() is not None for r in alive) <= 1


def test_operators_keep_a_bounded_number_of_functions():
    from polylux import value_and_gradient
    from polylux.cache import LRU, OPERATORS

    clear_caches()
    x = to_backend(np.ones(2), AutoJax())
    for _ in range(140):
        value_and_gradient(lambda p: (p * 2).sum(), AutoJax(), x)
    assert len(OPERATORS) == LRU()._size


def test_clear_caches_empties_the_cache_of_a_run(objective, problem):
    *_, ts = single_train_step_(AutoJax(), objective, problem.batch, problem.state())
    assert len(ts.cache) == 1
    clear_caches()
    assert len(ts.cache) == 0
    *_, ts = single_train_step_(AutoJax(), objective, problem.batch, ts)
    assert ts.step == 2


def _least(model, ps, st, data):
    return (ps["w"] ** 2).sum(), st, {}


@pytest.mark.parametrize(
    ("objective", "error", "match"),
    [
        (lambda m, p, s, d: (p["w"].sum(), s), ObjectiveError, r"three values.*a tuple of 2"),
        (lambda m, p, s, d: p["w"].sum(), ObjectiveError, "three values"),
        (lambda m, p, s, d: (p["w"], s, {}), ObjectiveError, r"real scalar, got shape \(4, 3\)"),
        (lambda m, p, s, d: (p["w"].sum() > 0, s, {}), ObjectiveError, "dtype"),
        (lambda m, p, s, d: (1.0, s, {}), ObjectiveError, "0-d real array.*float"),
        (lambda m, p, s, d: (None, s, {}), ObjectiveError, "0-d real array.*None"),
        ("objective", OptionError, "callable objective"),
    ],
    ids=["two values", "one value", "not 0-d", "boolean", "float", "None", "string"],
)
def test_bad_objective_is_an_error_that_says_what_came(selector, problem, objective, error, match):
    with pytest.raises(error, match=match):
        compute_gradients(selector, objective, None, problem.state())


def test_loss_of_another_library_is_an_error(selector, problem):
    def objective(model, ps, st, data):
        return np.asarray(1.0), st, {}

    with pytest.raises(ArrayMixError, match="must be an array of"):
        compute_gradients(selector, objective, None, problem.state())


def test_numpy_constant_in_an_objective_says_how_to_convert_it(selector, problem):
    constant = np.ones((3, 3))

    def objective(model, ps, st, data):
        return (ps["w"] @ constant).sum(), st, {}

    if selector.backend == "torch":
        with pytest.raises(ArrayMixError, match="asarray"):
            compute_gradients(selector, objective, None, problem.state())
    else:  # both take numpy constants in, and give the right numbers
        grads = compute_gradients(selector, objective, None, problem.state()).grads
        np.testing.assert_array_equal(to_host(grads)["w"], np.full((4, 3), 3.0))


def test_numpy_function_of_a_traced_value_says_what_to_use(problem):
    def objective(model, ps, st, data):
        return np.tanh(np.asarray(ps["w"])).sum(), st, {}

    for selector in (AutoTorch(), AutoJax()):
        with pytest.raises(ArrayMixError, match="array_namespace"):
            compute_gradients(selector, objective, None, problem.state())


@pytest.mark.parametrize(
    ("ps", "error", "match"),
    [
        ({"k": np.arange(3)}, NothingTrainableError, "no trainable leaf"),
        ({}, NothingTrainableError, "no trainable leaf"),
        ({"w": np.ones(2) * 1j}, DTypeError, r"\['w'\] is complex"),
    ],
)
def test_parameters_that_cannot_be_trained_are_an_error(selector, ps, error, match):
    with pytest.raises(error, match=match):
        compute_gradients(selector, _least, None, TrainState(max, ps, {}, SGD()))


def change(grads, **items):
    return {**grads, **items}


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda g: {"w": g["w"]}, TreeError, r"no leaf at \['b'\]"),
        (lambda g: change(g, extra=g["w"]), TreeError, r"unexpected \['extra'\]"),
        (lambda g: change(g, w=g["w"][:1]), ShapeError, r"\['w'\] has shape \(1, 3\)"),
        (lambda g: change(g, w=g["w"].astype("float32")), DTypeError, r"\['w'\].*float32"),
        (lambda g: change(g, w=None), TreeError, r"no leaf at \['w'\]"),
        (lambda g: change(g, w=1.0), TreeError, r"\['w'\] is 1.0, expected an array"),
    ],
    ids=["missing", "extra", "shape", "dtype", "None", "number"],
)
def test_gradients_that_do_not_match_name_the_leaf(problem, make, error, match):
    ts = problem.state()
    with pytest.raises(error, match=match):
        apply_gradients(ts, make(problem.gradients))
    assert ts.step == 0


def test_tied_places_with_different_gradients_are_an_error():
    w = np.ones(2)
    ts = TrainState(max, {"a": w, "b": w}, {}, SGD(0.5))
    same = apply_gradients(ts, {"a": np.ones(2), "b": np.ones(2)})
    np.testing.assert_array_equal(same.parameters["a"], [0.5, 0.5])
    with pytest.raises(TreeError, match="tied leaf.*different values"):
        apply_gradients(ts, {"a": np.ones(2), "b": np.zeros(2)})


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda ps: TrainState("model", ps, {}, SGD()), OptionError, "callable model"),
        (lambda ps: TrainState(max, ps, {}, "adam"), OptionError, "optimizer rule"),
        (lambda ps: TrainState(max, ps, {}, SGD()).replace(stp=1), OptionError, "mean 'step'"),
        (
            lambda ps: TrainState(max, ps, {}, Adam(), optimizer_state={"count": 1, "m": ()}),
            TreeError,
            "first_moment",
        ),
        (
            lambda ps: TrainState(
                max, ps, {}, SGD(momentum=0.5),
                optimizer_state={"count": 1, "momentum": (np.ones(1),)},
            ),
            ShapeError,
            r"\(1,\)",
        ),
    ],
)
def test_bad_field_is_an_error(problem, make, error, match):
    with pytest.raises(error, match=match):
        make(problem.ps)


def test_fields_cannot_be_assigned(problem):
    with pytest.raises(AttributeError, match=r"replace\(step=...\)"):
        problem.state().step = 3


@pytest.mark.parametrize(
    ("bad", "error", "match"),
    [
        ("jax", OptionError, r"Auto\('jax'\)"),
        (AutoJax, OptionError, r"AutoJax\(\)"),
        (None, OptionError, "as a selector"),
        (Auto("jaxx"), UnknownBackendError, "did you mean 'jax'"),
        (NoAutoDiff(), UnsupportedError, "does not differentiate"),
    ],
    ids=repr,
)
def test_bad_selector_is_an_error(problem, bad, error, match):
    with pytest.raises(error, match=match):
        compute_gradients(bad, _least, None, problem.state())


def test_arguments_in_the_wrong_order_are_an_error(problem):
    with pytest.raises(OptionError, match=r"\(selector, objective, data, train_state\)"):
        compute_gradients(AutoTorch(), _least, problem.state(), None)


def test_unknown_keyword_is_an_error(problem, objective):
    with pytest.raises(TypeError, match="return_grads"):
        single_train_step_(AutoTorch(), objective, problem.batch, problem.state(), return_grads=0)


def test_parameters_on_two_devices_are_an_error():
    torch = pytest.importorskip("torch")
    ps = {"a": torch.ones(2), "w": torch.ones(2, device="meta")}
    with pytest.raises(DeviceError, match="cpu, meta"):
        compute_gradients(AutoTorch(), _least, None, TrainState(max, ps, {}, SGD()))


def test_data_on_another_device_is_an_error(problem):
    torch = pytest.importorskip("torch")
    data = torch.ones(2, device="meta")
    with pytest.raises(DeviceError, match="cpu, meta"):
        compute_gradients(AutoTorch(), _least, data, problem.state())


def test_user_s_exception_passes_through(selector, problem):
    class Own(Exception):
        pass

    def objective(model, ps, st, data):
        raise Own("here")

    with pytest.raises(Own, match="here") as caught:
        compute_gradients(selector, objective, None, problem.state())
    assert any(entry.name == "objective" for entry in caught.traceback)
