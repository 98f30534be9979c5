"""compute_gradients and compute_objective on every backend."""

from __future__ import annotations

import collections

import numpy as np
import optree
import pytest

from polylux import (
    NoAutoDiff,
    TrainState,
    array_namespace,
    compute_gradients,
    compute_objective,
    selector_of,
    to_backend,
    to_host,
    value_and_gradient,
)
from polylux.optimizers import SGD

Pair = collections.namedtuple("Pair", ["first", "second"])


@optree.dataclasses.dataclass(namespace="polylux")
class Weights:
    inner: object
    outer: object


def test_loss_and_gradients_are_the_closed_form(selector, objective, typed_problem):
    grads, loss, stats, _ = compute_gradients(
        selector, objective, typed_problem.batch, typed_problem.state()
    )
    eps = np.finfo(typed_problem.x.dtype).eps
    # 64 * eps: sums of at most 24 products of order one, in any order of summation.
    np.testing.assert_allclose(float(loss), typed_problem.loss, rtol=64 * eps)
    for name, expected in typed_problem.gradients.items():
        np.testing.assert_allclose(to_host(grads)[name], expected, rtol=0, atol=64 * eps)
    assert stats == {"rows": 8}


def test_result_unpacks_and_has_names(selector, objective, problem):
    result = compute_gradients(selector, objective, problem.batch, problem.state())
    grads, loss, stats, train_state = result
    assert result.grads is grads
    assert result.loss is loss
    assert result.stats is stats
    assert result.train_state is train_state


def test_gradients_keep_dtype_and_shape(selector, objective, typed_problem):
    grads, loss, _, _ = compute_gradients(
        selector, objective, typed_problem.batch, typed_problem.state()
    )
    host = to_host({"grads": grads, "loss": loss})
    for name, p in typed_problem.ps.items():
        assert (host["grads"][name].dtype, host["grads"][name].shape) == (p.dtype, p.shape)
    assert host["loss"].dtype == typed_problem.x.dtype
    assert host["loss"].shape == ()


def test_states_advance_and_parameters_do_not(selector, problem):
    def objective(model, ps, st, data):
        loss = (ps["w"] ** 2).sum()
        return loss, {"calls": st["calls"] + 1, "seen": st["seen"]}, {}

    ts = problem.state(states={"calls": np.asarray(0, dtype=np.int32), "seen": "yes"})
    new = compute_gradients(selector, objective, None, ts).train_state
    assert int(to_host(new.states)["calls"]) == 1
    assert new.states["seen"] == "yes"
    assert int(ts.states["calls"]) == 0
    assert new.step == 0
    np.testing.assert_array_equal(to_host(new.parameters)["w"], problem.ps["w"])


def test_every_container_is_differentiated(selector):
    a = np.asarray([1.0, 2.0])
    tree = {
        "list": [a, (a + 1, None)],
        "pair": Pair(a + 2, a + 3),
        "data": Weights(a + 4, [a + 5]),
        "none": None,
    }

    def objective(model, ps, st, data):
        leaves = optree.tree_leaves(ps, namespace="polylux")
        xp = array_namespace(*leaves)
        return sum((xp.sum(leaf**2) for leaf in leaves[1:]), xp.sum(leaves[0] ** 2)), st, {}

    grads = compute_gradients(selector, objective, None, TrainState(max, tree, {}, SGD())).grads
    assert isinstance(grads["pair"], Pair)
    assert isinstance(grads["data"], Weights)
    assert grads["none"] is None
    doubled = optree.tree_map(lambda leaf: 2 * leaf, tree, namespace="polylux")
    optree.tree_map(np.testing.assert_array_equal, to_host(grads), doubled, namespace="polylux")


def test_unused_leaves_get_zeros(selector, objective, problem):
    problem.ps["unused"] = np.ones((2, 5), dtype=np.float32)
    grads = to_host(
        compute_gradients(selector, objective, problem.batch, problem.state()).grads
    )
    np.testing.assert_array_equal(grads["unused"], np.zeros((2, 5)))
    assert grads["unused"].dtype == np.float32


def test_integer_boolean_and_other_leaves_pass_through(selector, objective, problem):
    problem.ps["k"] = np.arange(3, dtype=np.int32)
    problem.ps["mask"] = np.asarray([True, False])
    problem.ps["name"] = "dense"
    problem.ps["scale"] = 2.5
    grads, _, _, ts = compute_gradients(selector, objective, problem.batch, problem.state())
    host = to_host(grads)
    np.testing.assert_array_equal(host["k"], [0, 0, 0])
    assert host["k"].dtype == np.int32
    assert host["mask"].dtype == bool
    assert not host["mask"].any()
    assert (host["name"], host["scale"]) == ("dense", 0.0)
    np.testing.assert_array_equal(to_host(ts.parameters)["k"], [0, 1, 2])


def test_tied_leaf_is_one_parameter_with_the_sum_of_its_gradients(selector):
    w = np.asarray([1.0, 2.0])

    def objective(model, ps, st, data):
        return (3 * ps["a"] + ps["b"] ** 2).sum(), st, {}

    grads, _, _, ts = compute_gradients(
        selector, objective, None, TrainState(max, {"a": w, "b": w}, {}, SGD())
    )
    assert grads["a"] is grads["b"]
    np.testing.assert_array_equal(to_host(grads)["a"], 3 + 2 * w)
    assert ts.parameters["a"] is ts.parameters["b"]


def test_gradients_share_no_memory_with_anything(selector, objective, problem):
    # The gradient of a plain sum is a broadcast one, and both leaves have the same shape.
    ps = {"a": np.ones(3), "b": np.ones(3)}
    grads, _, _, ts = compute_gradients(
        selector, lambda m, p, s, d: (p["a"].sum() + p["b"].sum(), s, {}), None,
        TrainState(max, ps, {}, SGD()),
    )  # fmt: skip
    host = to_host({"g": grads, "p": ts.parameters})
    arrays = [host["g"]["a"], host["g"]["b"], host["p"]["a"], host["p"]["b"]]
    for i, one in enumerate(arrays):
        for other in arrays[i + 1 :]:
            assert not np.shares_memory(one, other)


def test_values_that_leave_an_objective_are_plain_arrays(selector, problem):
    def objective(model, ps, st, data):
        loss = (ps["w"] ** 2).sum()
        return loss, {"w": ps["w"] * 2, "again": loss}, {"deep": [ps["b"], (loss, "text", None)]}

    result = compute_gradients(selector, objective, None, problem.state())
    plain = to_backend(np.ones(1), selector)
    leaves = [result.loss, *optree.tree_leaves(result.train_state.states)]
    leaves += [x for x in optree.tree_leaves(result.stats) if x != "text"]
    for leaf in leaves:
        assert type(leaf) is type(plain)
        assert not getattr(leaf, "requires_grad", False)
        np.asarray(to_host(leaf))
    assert result.stats["deep"][1][1] == "text"


def test_data_of_any_library_is_moved(selector, objective, problem):
    expected = to_host(compute_gradients(selector, objective, problem.batch, problem.state()).grads)
    from polylux import AutoAutograd, AutoJax, AutoTorch

    for other in (AutoTorch(), AutoJax(), AutoAutograd()):
        moved = to_backend(problem.batch, other)
        grads = to_host(compute_gradients(selector, objective, moved, problem.state()).grads)
        np.testing.assert_array_equal(grads["w"], expected["w"])


def test_python_scalars_in_data_are_handed_on(selector, problem):
    def objective(model, ps, st, data):
        x, factor, name = data
        assert isinstance(factor, float)
        assert name == "train"
        return (ps["w"] * factor).sum() + x.sum(), st, {}

    data = (problem.x, 2.5, "train")
    grads = compute_gradients(selector, objective, data, problem.state()).grads
    np.testing.assert_array_equal(to_host(grads)["w"], np.full((4, 3), 2.5))


def test_integer_and_boolean_data_keep_float32(selector):
    ps = {"w": np.ones(3, dtype=np.float32)}

    def objective(model, ps, st, data):
        xp = array_namespace(ps["w"])
        counts, mask = (xp.astype(d, ps["w"].dtype) for d in data)
        return (ps["w"] * counts * mask).sum() * 2, st, {}

    data = (np.asarray([1, 2, 3]), np.asarray([True, False, True]))
    result = compute_gradients(selector, objective, data, TrainState(max, ps, {}, SGD()))
    host = to_host({"g": result.grads["w"], "loss": result.loss})
    assert {host["g"].dtype, host["loss"].dtype} == {np.dtype("float32")}
    np.testing.assert_array_equal(host["g"], [2, 0, 6])


def test_batch_size_may_change(selector, objective, problem):
    ts = problem.state()
    for rows in (8, 5, 8, 1):
        result = compute_gradients(selector, objective, (problem.x[:rows], problem.y[:rows]), ts)
        r = problem.residual[:rows]
        np.testing.assert_allclose(float(result.loss), (r**2).sum() / rows, rtol=1e-14)
        assert result.stats == {"rows": rows}
        ts = result.train_state


def test_two_closures_of_one_factory_are_two_objectives(selector, problem):
    def scaled(factor):
        return lambda model, ps, st, data: ((ps["w"] * factor).sum(), st, {})

    ts = problem.state()
    for factor in (1.0, 2.0, 3.0, 1.0):
        grads, _, _, ts = compute_gradients(selector, scaled(factor), None, ts)
        np.testing.assert_array_equal(to_host(grads)["w"], np.full((4, 3), factor))


def test_closure_sees_the_current_value_of_what_it_captured(selector, problem):
    factor = 1.0

    def objective(model, ps, st, data):
        return (ps["w"] * factor).sum(), st, {}

    ts = problem.state()
    for factor in (1.0, 4.0, 1.0):  # the objective captures it
        grads, _, _, ts = compute_gradients(selector, objective, None, ts)
        np.testing.assert_array_equal(to_host(grads)["w"], np.full((4, 3), factor))


FACTOR = 1.0


def test_objective_sees_the_current_value_of_a_global_number(selector, problem, monkeypatch):
    def objective(model, ps, st, data):
        return (ps["w"] * FACTOR).sum(), st, {}

    ts = problem.state()
    for value in (1.0, 4.0):
        monkeypatch.setitem(globals(), "FACTOR", value)
        grads, _, _, ts = compute_gradients(selector, objective, None, ts)
        np.testing.assert_array_equal(to_host(grads)["w"], np.full((4, 3), value))


def test_objective_equals_the_loss_of_the_gradient_call(selector, objective, problem):
    ts = problem.state()
    result = compute_objective(selector, objective, problem.batch, ts)
    assert result.grads is None
    with_gradient = compute_gradients(selector, objective, problem.batch, ts)
    assert float(result.loss) == float(with_gradient.loss)
    np.testing.assert_allclose(float(result.loss), problem.loss, rtol=1e-14)


def test_objective_runs_on_the_host_without_differentiation(objective, problem):
    result = compute_objective(NoAutoDiff(), objective, problem.batch, problem.state())
    assert float(result.loss) == pytest.approx(problem.loss, rel=1e-15)


def test_objective_may_differentiate_inside_itself(selector):
    # d/dw (d/dx (w x^3))^2 at x: (3 w x^2)^2 -> 18 w x^4.
    def objective(model, ps, st, data):
        _, slope = value_and_gradient(
            lambda x: (ps["w"] * x**3).sum(), selector_of(ps["w"]), data
        )
        return (slope**2).sum(), st, {}

    x = np.asarray([1.0, 2.0])
    w = np.asarray([0.5, 3.0])
    result = compute_gradients(selector, objective, x, TrainState(max, {"w": w}, {}, SGD()))
    np.testing.assert_allclose(to_host(result.grads)["w"], 18 * w * x**4, rtol=1e-14)
    np.testing.assert_allclose(float(result.loss), ((3 * w * x**2) ** 2).sum(), rtol=1e-14)


def test_inner_derivative_with_a_fixed_selector_is_right_too(selector):
    def objective(model, ps, st, data):
        _, slope = value_and_gradient(lambda x: (ps["w"] * x**3).sum(), selector, data)
        return (slope**2).sum(), st, {}

    x, w = np.asarray([1.0, 2.0]), np.asarray([0.5, 3.0])
    ts = TrainState(max, {"w": w}, {}, SGD())
    for _ in range(2):
        grads, _, _, ts = compute_gradients(selector, objective, x, ts)
        np.testing.assert_allclose(to_host(grads)["w"], 18 * w * x**4, rtol=1e-14)
