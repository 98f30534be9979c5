"""recursive_add_ and recursive_copyto_: values, whose memory they lie in, and what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polylux
from polylux import AutoTorch, recursive_add_, recursive_copyto_
from polylux.errors import ArrayMixError, DTypeError, ShapeError, TreeError

BOTH = [recursive_add_, recursive_copyto_]
each = pytest.mark.parametrize("operate", BOTH, ids=["add", "copyto"])
WRITABLE = ("numpy", "torch")


def test_sum_lies_in_the_first_trees_arrays_where_these_can_be_written(library: Any) -> None:
    x = {"a": library.array([1.0, 2.0]), "b": [library.array(3.0), None]}
    y = {"a": library.array([10.0, 20.0]), "b": [library.array(2.0**-40), None]}
    got = recursive_add_(x, y)
    np.testing.assert_array_equal(library.host(got["a"]), [11, 22])
    assert library.host(got["b"][0]) == 3 + 2.0**-40
    assert (got["a"] is x["a"]) == (library.name in WRITABLE)
    np.testing.assert_array_equal(library.host(y["a"]), [10, 20])


def test_copy_lies_in_the_first_trees_arrays_where_these_can_be_written(library: Any) -> None:
    x = {"a": library.array([1.0, 2.0]), "b": [library.array(3.0), None]}
    y = {"a": library.array([10.0, 20.0]), "b": [library.array(2.0**-40), None]}
    got = recursive_copyto_(x, y)
    np.testing.assert_array_equal(library.host(got["a"]), [10, 20])
    assert library.host(got["b"][0]) == 2.0**-40
    assert (got["a"] is x["a"]) == (library.name in WRITABLE)
    assert got["a"] is not y["a"]


@each
def test_dtype_is_that_of_the_first_tree(operate: Callable[..., Any], library: Any) -> None:
    x = [library.array([0.0], np.float32), library.array([0.0]), library.array([0], np.int32)]
    y = [library.array([1.5]), library.array([2], np.int32), library.array([3], np.int32)]
    got = operate(x, y)
    assert [library.host(a).dtype.name for a in got] == ["float32", "float64", "int32"]
    np.testing.assert_array_equal([float(library.host(a)[0]) for a in got], [1.5, 2, 3])


@each
def test_read_only_memory_is_left_alone(operate: Callable[..., Any]) -> None:
    for x in (np.broadcast_to(1.0, (2,)), np.frombuffer(np.ones(2).tobytes()), np.float64(1)):
        y = np.full(np.shape(x), 2.0)
        before = np.array(x)
        got = operate(x, y)
        np.testing.assert_array_equal(x, before)
        np.testing.assert_array_equal(got, 3 * before if operate is recursive_add_ else y)
        assert not np.shares_memory(got, y)


@each
def test_tied_array_is_handled_once_and_stays_tied(
    operate: Callable[..., Any], library: Any
) -> None:
    tied = library.array([1.0])
    x = {"a": tied, "b": (tied, library.array([7.0]))}
    y = {"a": library.array([5.0]), "b": (library.array([5.0]), library.array([0.0]))}
    got = operate(x, y)
    assert got["a"] is got["b"][0]
    assert library.host(got["a"]) == (6 if operate is recursive_add_ else 5)
    y["a"] = library.array([4.0])
    with pytest.raises(TreeError, match=r"tied leaf \['a'\]"):
        operate(x, y)


def test_gradients_of_tied_leaves_add_up_as_they_come(selector: polylux.ADType) -> None:
    tied = np.asarray([2.0])

    def f(p: Any) -> Any:
        return polylux.array_namespace(p["a"]).sum(p["a"] * p["b"])

    grads = polylux.gradient(f, selector, {"a": tied, "b": tied})
    total = recursive_add_(polylux.recursive_make_zero(grads), grads)
    assert polylux.to_host(total)["b"] == 4


def test_numbers_are_added_and_what_is_no_number_stays() -> None:
    x = {"n": 1, "rate": 0.5, "flag": True, "name": "relu", "f": len, "mask": np.asarray([True])}
    y = {"n": 2, "rate": 0.25, "flag": False, "name": "", "f": max, "mask": np.asarray([False])}
    got = recursive_add_(x, y)
    np.testing.assert_array_equal(got.pop("mask"), [True])
    assert got == {"n": 3, "rate": 0.75, "flag": True, "name": "relu", "f": len}


def test_leaves_that_are_no_arrays_are_copied_too() -> None:
    x = {"n": 1, "flag": True, "mask": np.asarray([True])}
    got = recursive_copyto_(x, {"n": 2.5, "flag": False, "mask": np.asarray([False])})
    assert got["n"] == 2.5
    assert got["flag"] is False
    assert not x["mask"][0]


MISFITS = {
    "shape": (np.ones((3, 1)), ShapeError, r"\['b'\]\[0\] has shape \(3,\) in x and \(3, 1\) in y"),
    "kind": (np.ones(3, np.complex128), DTypeError, r"\['b'\]\[0\] is float64 .* complex128"),
    "number": (0.5, TreeError, r"\['b'\]\[0\] is an array in x and 0.5 in y"),
    "containers": (None, TreeError, r"no leaf at \['b'\]\[0\]"),
}


@each
@pytest.mark.parametrize(("value", "error", "message"), MISFITS.values(), ids=MISFITS)
def test_misfit_names_the_leaf_and_nothing_has_changed(
    operate: Callable[..., Any], value: Any, error: type[Exception], message: str
) -> None:
    x = {"a": np.zeros(2), "b": [np.zeros(3)]}
    with pytest.raises(error, match=f"recursive_.*{message}"):
        operate(x, {"a": np.ones(2), "b": [value]})
    np.testing.assert_array_equal(x["a"], [0, 0])


@each
def test_float_does_not_become_an_integer(operate: Callable[..., Any], library: Any) -> None:
    with pytest.raises(DTypeError, match="int32 in x, which cannot hold the float64"):
        operate(library.array([1], np.int32), library.array([0.5]))


@each
def test_arrays_of_the_first_tree_may_change_places(
    operate: Callable[..., Any], library: Any
) -> None:
    a, b = library.array([1.0]), library.array([10.0])
    got = operate([a, b], [b, a])
    expected = [11, 11] if operate is recursive_add_ else [10, 1]
    assert [float(library.host(x)[0]) for x in got] == expected


def test_tree_may_be_added_to_itself(library: Any) -> None:
    x = [library.array([3.0])]
    assert library.host(recursive_add_(x, x)[0]) == 6


def test_number_and_text_do_not_add() -> None:
    with pytest.raises(TreeError, match="the number 1 where y has 'a'"):
        recursive_add_([1], ["a"])


@each
def test_arrays_of_two_libraries_are_an_error(
    operate: Callable[..., Any], differentiating: Any
) -> None:
    with pytest.raises(ArrayMixError, match=r"\['w'\] .*to_backend"):
        operate({"w": differentiating.array([1.0])}, {"w": np.ones(1)})


@each
def test_inside_an_objective_nothing_is_written_and_derivatives_pass(
    operate: Callable[..., Any], selector: polylux.ADType
) -> None:
    w = polylux.to_backend(np.asarray([1.0, 2.0]), selector)
    constant = np.asarray([1.0, 1.0])

    def f(p: Any, c: Any) -> Any:
        total = operate({"w": p["w"]}, {"w": 3 * p["w"] * p["w"]})["w"]
        assert operate([c], [p["w"]])[0] is not c
        return polylux.array_namespace(total).sum(total)

    value, got = polylux.to_host(polylux.value_and_gradient(f, selector, {"w": w}, constant))
    linear = 1 if operate is recursive_add_ else 0
    assert value == linear * 3 + 15
    np.testing.assert_array_equal(got["w"], linear + 6 * np.asarray([1.0, 2.0]))
    np.testing.assert_array_equal(polylux.to_host(w), [1, 2])
    np.testing.assert_array_equal(constant, [1, 1])


def test_evaluating_an_objective_leaves_the_states_as_they_were(selector: polylux.ADType) -> None:
    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        st = recursive_add_(st, {"n": polylux.array_namespace(st["n"]).ones_like(st["n"])})
        return (ps["w"] ** 2).sum(), st, {}

    ps, st = {"w": np.ones(2)}, polylux.to_backend({"n": np.zeros(1)}, selector)
    ts = polylux.TrainState(len, ps, st, polylux.optimizers.SGD(0.1))
    for call in (polylux.compute_objective, polylux.single_train_step):
        new = call(selector, objective, None, ts).train_state
        assert polylux.to_host(new.states)["n"] == 1
        assert polylux.to_host(ts.states)["n"] == 0


@pytest.fixture
def torch() -> Any:
    """torch, whose arrays alone can be on a graph, or leaves that ask for derivatives."""
    return pytest.importorskip("torch")


@each
def test_leaf_that_asks_for_derivatives_is_written_off_the_graph(
    operate: Callable[..., Any], torch: Any
) -> None:
    w = torch.ones(2, requires_grad=True)
    got = operate([w], [torch.full((2,), 2.0)])[0]
    assert got is w
    assert w.is_leaf
    assert w.requires_grad
    expected = 3.0 if operate is recursive_add_ else 2.0
    assert w.tolist() == [expected, expected]


@each
def test_value_on_a_graph_stays_on_it(operate: Callable[..., Any], torch: Any) -> None:
    w = torch.ones(2, requires_grad=True)
    x = torch.ones(2)
    got = operate([x], [3 * w])[0]
    got.sum().backward()
    assert w.grad.tolist() == [3, 3]
    assert x.tolist() == [1, 1]


@each
def test_target_on_a_graph_is_left_alone(operate: Callable[..., Any], torch: Any) -> None:
    w = torch.ones(2, requires_grad=True)
    x = w * w
    got = operate([x], [torch.ones(2)])[0]
    assert got is not x
    x.sum().backward()
    assert w.grad.tolist() == [2, 2]


@each
def test_shared_entries_and_inference_tensors_are_left_alone(
    operate: Callable[..., Any], torch: Any
) -> None:
    with torch.inference_mode():
        frozen = torch.ones(2)
    for x in (torch.ones(1).expand(2), frozen):
        got = operate([x], [torch.tensor([1.0, 2.0])])[0]
        assert got.tolist() == ([2, 3] if operate is recursive_add_ else [1, 2])
        assert x.tolist() == [1, 1]


def test_a_jax_array_never_changes() -> None:
    pytest.importorskip("jax")
    x = polylux.to_backend(np.ones(2), polylux.AutoJax())
    recursive_add_([x], [x])
    assert polylux.to_host(x).tolist() == [1, 1]


def test_accumulated_gradients_are_those_of_the_whole_batch() -> None:
    def loss(p: Any, x: Any) -> Any:
        return ((x @ p["w"]) ** 2).sum()

    x = np.arange(12.0).reshape(4, 3)
    ps = {"w": np.asarray([1.0, -2.0, 0.5])}
    total = polylux.gradient(loss, AutoTorch(), ps, x[:2])
    total = recursive_add_(total, polylux.gradient(loss, AutoTorch(), ps, x[2:]))
    np.testing.assert_allclose(polylux.to_host(total)["w"], 2 * x.T @ (x @ ps["w"]), rtol=1e-14)
