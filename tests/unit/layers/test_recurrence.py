"""Recurrence and its cells: carries, orderings, cells of one's own, and errors."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

import polylux
from polylux import layers, ops
from polylux.errors import (
    ArrayMixError,
    DomainError,
    EltypeMismatchError,
    OptionError,
    ShapeError,
    TreeError,
)
from polylux.layers import GRUCell, Layer, LSTMCell, Recurrence, RNNCell, setup
from polylux.ops import BatchFirst, TimeFirst

CELLS = [RNNCell(4, 3), LSTMCell(4, 3), GRUCell(4, 3)]
each_cell = pytest.mark.parametrize("cell", CELLS, ids=repr)
GATES = {"RNNCell": 1, "LSTMCell": 4, "GRUCell": 3}


@each_cell
def test_parameters_have_the_documented_shapes_and_bounds(cell: Any) -> None:
    ps, st = setup(np.random.default_rng(0), Recurrence(cell))
    width = 3 * GATES[type(cell).__name__]
    assert {name: value.shape for name, value in ps.items()} == {
        "weight_ih": (4, width),
        "weight_hh": (3, width),
        "bias_ih": (width,),
        "bias_hh": (width,),
    }
    assert st == {}
    assert Recurrence(cell).parameter_count() == cell.parameter_count() == 9 * width
    for value in ps.values():
        assert value.dtype == np.float32
        assert abs(value).max() <= 1 / np.sqrt(3)
    assert list(setup(np.random.default_rng(0), type(cell)(4, 3, use_bias=False))[0]) == [
        "weight_ih",
        "weight_hh",
    ]


def test_initializers_of_the_user_are_used() -> None:
    cell = GRUCell(4, 3, init_weight=layers.orthogonal, init_bias=layers.zeros)
    ps, _ = setup(np.random.default_rng(0), cell)
    np.testing.assert_allclose(ps["weight_hh"] @ ps["weight_hh"].T, np.eye(3), atol=1e-6)
    np.testing.assert_array_equal(ps["bias_ih"], np.zeros(9))


@each_cell
def test_cell_steps_as_torchs_with_a_carry(cell: Any, library: Any) -> None:
    rng = np.random.default_rng(0)
    module = getattr(torch.nn, type(cell).__name__)(4, 3).double()
    ps = {
        name: getattr(module, name).detach().numpy().T
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    ps_ = {name: library.array(value) for name, value in ps.items()}
    x = rng.normal(size=(2, 4))
    carry = [rng.normal(size=(2, 3)) for _ in range(2 if type(cell) is LSTMCell else 1)]
    with torch.no_grad():
        given = [torch.asarray(c) for c in carry]
        after = module(torch.asarray(x), tuple(given) if len(given) > 1 else given[0])
    after = after if isinstance(after, tuple) else (after,)
    carry_ = tuple(library.array(c) for c in carry)
    (y, new), _ = cell((library.array(x), carry_), ps_, {})
    assert len(new) == len(after)
    for found, expected in zip(new, after, strict=True):
        np.testing.assert_allclose(library.host(found), expected.numpy(), rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(library.host(y), library.host(new[0]))
    assert cell.output_shape((2, 4)) == ((2, 3), ((2, 3),) * len(after))


@each_cell
def test_sequence_is_one_step_after_the_other(cell: Any, library: Any) -> None:
    ps, _ = polylux.f64(setup(np.random.default_rng(0), cell))
    ps = {name: library.array(value) for name, value in ps.items()}
    x = np.random.default_rng(1).normal(size=(2, 3, 4))
    all_steps, _ = Recurrence(cell, return_sequence=True)(library.array(x), ps, {})
    last, _ = Recurrence(cell)(library.array(x), ps, {})
    carry: Any = None
    for t in range(3):
        entry = library.array(x[:, t])
        (y, carry), _ = cell((entry, carry) if t else entry, ps, {})
        np.testing.assert_allclose(
            library.host(all_steps)[:, t], library.host(y), rtol=1e-14, atol=1e-15
        )
    np.testing.assert_allclose(library.host(last), library.host(y), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("return_sequence", [True, False])
def test_orderings_are_each_others_mirror(return_sequence: bool) -> None:
    ps, _ = setup(np.random.default_rng(0), GRUCell(4, 3))
    x = np.random.default_rng(1).normal(size=(2, 5, 4)).astype(np.float32)
    by_batch = Recurrence(GRUCell(4, 3), return_sequence=return_sequence)
    by_time = Recurrence(GRUCell(4, 3), return_sequence=return_sequence, ordering=TimeFirst())
    one, _ = by_batch(x, ps, {})
    two, _ = by_time(x.swapaxes(0, 1), ps, {})
    np.testing.assert_allclose(one, two.swapaxes(0, 1) if return_sequence else two, rtol=1e-6)
    assert one.shape == by_batch.output_shape((2, 5, 4))
    assert two.shape == by_time.output_shape((5, 2, 4))


@dataclasses.dataclass(frozen=True, repr=False)
class Counting(Layer):
    """A cell that adds up its inputs and counts its calls in its states."""

    def __call__(self, x: Any, ps: Any, st: Any) -> Any:
        x, carry = x if isinstance(x, tuple) else (x, 0 * x)
        total = carry + x
        return (total, total), {"calls": st["calls"] + 1}

    def initial_states(self, rng: Any) -> Any:
        return {"calls": 0}


def test_cell_of_ones_own_gets_its_carry_and_hands_on_its_states(library: Any) -> None:
    model = Recurrence(Counting(), return_sequence=True)
    x = np.arange(12.0).reshape(2, 3, 2)
    y, st = model(library.array(x), {}, {"calls": 0})
    np.testing.assert_array_equal(library.host(y), np.cumsum(x, axis=1))
    assert st == {"calls": 3}
    assert model.initial_states(np.random.default_rng(0)) == {"calls": 0}


def test_float32_stays_float32_and_wider_input_widens(library: Any) -> None:
    ps, _ = setup(np.random.default_rng(0), LSTMCell(4, 3))
    ps = {name: library.array(value, np.float32) for name, value in ps.items()}
    for dtype in (np.float32, np.float64):
        y, _ = Recurrence(LSTMCell(4, 3))(library.array(np.ones((2, 3, 4)), dtype), ps, {})
        assert library.host(y).dtype == dtype


@pytest.mark.parametrize("shape", [(2, 0, 4), (4,), ()], ids=str)
def test_sequence_without_a_step_is_an_error(shape: Any) -> None:
    model = Recurrence(RNNCell(4, 3))
    ps, st = setup(np.random.default_rng(0), model)
    with pytest.raises(ShapeError, match="needs a sequence of at least one step, BatchFirst()"):
        model(np.ones(shape, np.float32), ps, st)


@each_cell
def test_inputs_and_parameters_that_do_not_fit_are_errors(cell: Any) -> None:
    ps, st = setup(np.random.default_rng(0), cell)
    with pytest.raises(ShapeError, match=r"needs an input of shape \(..., 4\), got \(2, 5\)"):
        cell(np.ones((2, 5), np.float32), ps, st)
    with pytest.raises(TreeError, match="got none named 'weight_ih'"):
        cell(np.ones((2, 4), np.float32), {}, st)
    with pytest.raises(ArrayMixError, match="got arrays of different libraries"):
        cell(torch.ones(2, 4), ps, st)


@each_cell
def test_carry_that_does_not_fit_is_an_error(cell: Any) -> None:
    ps, st = setup(np.random.default_rng(0), cell)
    x = np.ones((2, 4), np.float32)
    (_, carry), _ = cell(x, ps, st)
    n = len(carry)
    with pytest.raises(ShapeError, match=rf"carry that is a tuple of length {n}, got {n + 1};"):
        cell((x, (*carry, carry[0])), ps, st)
    with pytest.raises(ShapeError, match=rf"carry that is a tuple of length {n}, got ndarray;"):
        cell((x, carry[0]), ps, st)
    with pytest.raises(ShapeError, match=r"needs a carry of shape \(\.\.\., 3\), got \(2, 5\)"):
        cell((x, (np.ones((2, 5), np.float32),) * n), ps, st)
    with pytest.raises(ShapeError, match="a pair of an array and a carry, got 3 entries"):
        cell((x, carry, carry), ps, st)


@each_cell
def test_carry_of_another_dtype_is_matched_as_an_input_is(cell: Any, library: Any) -> None:
    ps, st = setup(np.random.default_rng(0), cell)
    ps = {name: library.array(p, np.float32) for name, p in ps.items()}
    x = library.array(np.ones((2, 4)), np.float32)
    whole, ones, wide = (
        tuple(library.array(np.ones((2, 3)), dtype) for _ in cell.output_shape((2, 4))[1])
        for dtype in (np.int32, np.float32, np.float64)
    )
    found = [library.host(cell((x, carry), ps, st)[0][0]) for carry in (whole, ones, wide)]
    assert [y.dtype for y in found] == [np.float32, np.float32, np.float64]
    np.testing.assert_array_equal(found[0], found[1])
    with (
        polylux.override_preferences(eltype_mismatch_handling="error"),
        pytest.raises(EltypeMismatchError, match="is of float32, and its input is of float64"),
    ):
        cell((x, wide), ps, st)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Recurrence(GRUCell), OptionError, "Recurrence takes a cell, such as GRUCell(3"),
        (lambda: Recurrence(np.tanh), OptionError, "Recurrence takes a cell"),
        (lambda: Recurrence(CELLS[0], ordering="time"), OptionError, "takes BatchFirst() or Time"),
        (lambda: Recurrence(CELLS[0], return_sequence=1), OptionError, "takes a bool, got 1"),
        (lambda: GRUCell(0, 3), DomainError, "GRUCell(in_features=...) must be at least 1"),
        (lambda: RNNCell(4, 3, "tan"), OptionError, "unknown activation 'tan'"),
        (lambda: LSTMCell(4, 3, init_bias=0), OptionError, "init_bias=...) takes a function"),
    ],
)
def test_wrong_option_is_an_error(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "layer",
    [
        *CELLS,
        RNNCell(4, 3, activation="relu", use_bias=False),
        Recurrence(CELLS[1], return_sequence=True, ordering=TimeFirst()),
        Recurrence(CELLS[0], ordering=BatchFirst()),
    ],
    ids=repr,
)
def test_layer_is_a_value_whose_repr_can_be_pasted_back(layer: Any) -> None:
    again = eval(repr(layer), {**vars(layers), "TimeFirst": TimeFirst, "BatchFirst": BatchFirst})
    assert again == layer
    assert hash(again) == hash(layer)


def test_equal_cells_have_one_step_so_that_a_compiled_one_is_found_again() -> None:
    assert RNNCell(4, 3, ops.relu).step is RNNCell(4, 3, "relu").step
    assert LSTMCell(4, 3).step is LSTMCell(4, 3).step
