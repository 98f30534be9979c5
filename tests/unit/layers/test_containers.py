"""Parallel, SkipConnection, WrappedFunction, named parts: routing, layouts, shapes, printing."""

from __future__ import annotations

import copy
import dataclasses
import operator
import pickle
from typing import Any

import numpy as np
import pytest

from polylux import layers, ops
from polylux.errors import OptionError, ShapeError, TreeError
from polylux.layers import (
    Chain,
    Dense,
    Layer,
    Parallel,
    SkipConnection,
    WrappedFunction,
    parameter_count,
    setup,
    state_count,
)


@dataclasses.dataclass(frozen=True, repr=False)
class Shift(Layer):
    """Adds a parameter, counts its calls."""

    by: float = 1.0

    def initial_parameters(self, rng: np.random.Generator) -> Any:
        return {"by": np.full(1, self.by)}

    def initial_states(self, rng: np.random.Generator) -> Any:
        return {"calls": 0, "seen": np.zeros((2, 2))}

    def __call__(self, x: Any, ps: Any, st: Any) -> Any:
        return x + ps["by"], {**st, "calls": st["calls"] + 1}


@dataclasses.dataclass(frozen=True, repr=False)
class Difference(Layer):
    """Of a pair, scaled by a parameter."""

    def initial_parameters(self, rng: np.random.Generator) -> Any:
        return {"scale": np.full(1, 10.0)}

    def __call__(self, x: Any, ps: Any, st: Any) -> Any:
        return (x[0] - x[1]) * ps["scale"], st

    def output_shape(self, input_shape: Any, /) -> Any:
        return input_shape[0]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def call(model: Any, x: Any) -> tuple[Any, Any]:
    return model(x, *setup(rng(), model))  # type: ignore[no-any-return]


# --- Parallel ------------------------------------------------------------------------------------


def test_parallel_gives_one_input_to_all_and_joins_the_outputs(library: Any) -> None:
    model = Parallel(lambda a, b, c: a * b - c, lambda x: x + 1, lambda x: 3 * x, operator.neg)
    y, _ = call(model, library.array([1.0, 2.0]))
    np.testing.assert_array_equal(library.host(y), [7, 20])
    assert library.host(y).dtype == np.float64


def test_parallel_gives_a_tuple_entry_by_entry(library: Any) -> None:
    model = Parallel(None, lambda x: x + 1, lambda x: 3 * x)
    y, _ = call(model, (library.array([1.0]), library.array([2.0])))
    assert isinstance(y, tuple)
    assert [float(library.host(one)[0]) for one in y] == [2, 6]


def test_parallel_has_parameters_and_states_by_name() -> None:
    model = Parallel(operator.add, Shift(1.0), np.tanh, Shift(5.0))
    ps, st = setup(rng(), model)
    assert list(ps) == list(st) == ["layer_1", "layer_2", "layer_3"]
    assert ps["layer_2"] == st["layer_2"] == {}
    named = Parallel(operator.add, left=Shift(1.0), right=Shift(5.0))
    ps, st = setup(rng(), named)
    given = copy.deepcopy(st)
    y, new = named(np.zeros(1), ps, st)
    assert y == 6
    assert {name: part["calls"] for name, part in new.items()} == {"left": 1, "right": 1}
    np.testing.assert_equal(st, given)


def test_parallel_returns_unchanged_states_as_they_are() -> None:
    model = Parallel(None, Dense(2, 3), np.tanh)
    ps, st = setup(rng(), model)
    assert model(np.ones((4, 2), np.float32), ps, st)[1] is st


def test_parallel_of_a_tuple_of_another_length_is_an_error() -> None:
    model = Parallel(None, np.tanh, np.tanh)
    with pytest.raises(ShapeError, match="of 2 layers got a tuple of 3 inputs; give one for each"):
        call(model, (1.0, 2.0, 3.0))
    with pytest.raises(ShapeError, match="of 2 layers got a tuple of 1 input shapes"):
        model.output_shape(((3,),))


@pytest.mark.parametrize("connection", [Dense(2, 3), "add", Dense])
def test_parallel_needs_a_function_first(connection: Any) -> None:
    with pytest.raises(OptionError, match="takes a function of the layers' outputs first"):
        Parallel(connection, np.tanh)


# --- SkipConnection ------------------------------------------------------------------------------


def test_skip_connection_joins_output_and_input_in_this_order(library: Any) -> None:
    y, _ = call(SkipConnection(lambda x: 3 * x, operator.sub), library.array([1.0, 2.0]))
    np.testing.assert_array_equal(library.host(y), [2, 4])


def test_skip_connection_threads_its_layer() -> None:
    model = SkipConnection(Shift(4.0), operator.mul)
    ps, st = setup(rng(), model)
    assert list(ps) == list(st) == ["layer", "connection"]
    y, new = model(np.full(1, 2.0), ps, st)
    assert y == (2 + 4) * 2
    assert new["layer"]["calls"] == 1
    assert st["layer"]["calls"] == 0


def test_skip_connection_may_join_by_a_layer() -> None:
    model = SkipConnection(Shift(4.0), Difference())
    ps, st = setup(rng(), model)
    assert ps["connection"] == {"scale": 10}
    assert model(np.full(1, 2.0), ps, st)[0] == 40
    assert model.output_shape((3, 1)) == (3, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((Dense, operator.add), "the layer of a SkipConnection is the class Dense"),
        (([np.tanh], operator.add), "the layer of a SkipConnection is a list"),
        ((np.tanh, "add"), "the second a function of two arrays"),
        ((np.tanh, Dense), "the second a function of two arrays"),
    ],
)
def test_skip_connection_of_something_else_is_an_error(given: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        SkipConnection(*given)


# --- WrappedFunction -----------------------------------------------------------------------------


def test_wrapped_function_is_a_layer_without_trees(library: Any) -> None:
    layer = WrappedFunction(lambda x: 2 * x)
    assert setup(rng(), layer) == ({}, {})
    st: dict[str, Any] = {}
    y, new = layer(library.array([1.5]), {}, st)
    assert library.host(y) == 3
    assert new is st


@pytest.mark.parametrize("function", [None, 3, Dense, Dense(1, 2)])
def test_wrapped_function_of_no_function_is_an_error(function: Any) -> None:
    with pytest.raises(OptionError, match="takes a function of the input alone"):
        WrappedFunction(function)


# --- what all of them do -------------------------------------------------------------------------

MODEL = Chain(
    body=SkipConnection(Chain(Dense(3, 8, "relu"), Dense(8, 3)), operator.add),
    heads=Parallel(None, mean=Dense(3, 1), other=Chain(ops.tanh, Shift())),
)


def test_containers_are_hashable_values() -> None:
    for again in (copy.deepcopy(MODEL), pickle.loads(pickle.dumps(MODEL))):
        assert again == MODEL
        assert hash(again) == hash(MODEL)
    assert Chain(a=Dense(2, 3)) != Chain(b=Dense(2, 3)) != Chain(Dense(2, 3))
    assert Parallel(None, ops.relu) != Parallel(operator.neg, ops.relu)
    assert WrappedFunction(ops.relu) == WrappedFunction(ops.relu) != WrappedFunction(ops.tanh)


def test_repr_can_be_pasted_back() -> None:
    names = {**vars(layers), "add": operator.add, "tanh": ops.tanh, "Shift": Shift}
    assert eval(repr(MODEL), names) == MODEL
    assert eval(str(MODEL), names) == MODEL


def test_printing_shows_the_tree_with_counts() -> None:
    assert str(MODEL).splitlines() == [
        "Chain(",
        "    body=SkipConnection(",
        "        layer=Chain(",
        "            Dense(3, 8, activation='relu'),  # 32 parameters",
        "            Dense(8, 3),                     # 27 parameters",
        "        ),",
        "        connection=add,",
        "    ),",
        "    heads=Parallel(",
        "        None,",
        "        mean=Dense(3, 1),                    # 4 parameters",
        "        other=Chain(",
        "            tanh,",
        "            Shift(),                         # 1 parameters, plus 5 states",
        "        ),",
        "    ),",
        ")                                            # Total: 64 parameters, plus 5 states",
    ]
    assert str(Shift(2.0)) == "Shift(by=2.0)  # 1 parameters, plus 5 states"
    assert str(WrappedFunction(ops.tanh)) == "WrappedFunction(tanh)"
    assert str(Chain(Dense(999, 1000))).endswith("# Total: 1,000,000 parameters, plus 0 states")


def test_counts_are_those_of_the_trees() -> None:
    ps, st = setup(rng(), MODEL)
    assert MODEL.parameter_count() == parameter_count(MODEL) == parameter_count(ps) == 64
    assert MODEL.state_count() == state_count(MODEL) == state_count(st) == 5


def test_output_shapes_are_those_of_the_outputs() -> None:
    model = Chain(Dense(2, 3), MODEL, lambda heads: heads[0] * heads[1])
    y, _ = call(model, np.ones((7, 5, 2), np.float32))
    assert model.output_shape((7, 5, 2)) == y.shape == (7, 5, 3)
    assert MODEL.output_shape((4, 3)) == ((4, 1), (4, 3))
    added = Parallel(operator.add, Dense(2, 3), Dense(4, 3))
    assert added.output_shape(((5, 2), (5, 4))) == (5, 3)
    # A layer that does not say its shape is run once, on zeros.
    assert Shift().output_shape((5, 1)) == (5, 1)


def test_output_shape_of_layers_that_do_not_fit_is_an_error() -> None:
    with pytest.raises(ShapeError, match=r"Dense\(4, 1\) needs an input of shape \(..., 4\)"):
        Chain(Dense(2, 3), Dense(4, 1)).output_shape((5, 2))


def test_output_shape_of_a_model_without_one_is_an_error() -> None:
    class Mine:
        def initial_parameters(self, rng: Any) -> Any:
            return {}

        initial_states = initial_parameters

        def __call__(self, x: Any, ps: Any, st: Any) -> Any:
            return x, st

    with pytest.raises(OptionError, match="derive its class from polylux.layers.Layer"):
        Chain(Mine()).output_shape((2,))


def test_named_chain_has_these_names() -> None:
    ps, _ = setup(rng(), Chain(body=Dense(2, 3), head=Dense(3, 1)))
    assert list(ps) == ["body", "head"]
    drawn, _ = setup(rng(), Chain(Dense(2, 3), Dense(3, 1)))
    np.testing.assert_array_equal(ps["head"]["weight"], drawn["layer_2"]["weight"])


def test_names_are_for_all_layers_or_for_none() -> None:
    with pytest.raises(OptionError, match="got 1 layers without and 2 with a name; give names to"):
        Chain(np.tanh, a=np.tanh, b=np.tanh)
    with pytest.raises(OptionError, match="the layer 'head' of a Chain is the class Dense"):
        Chain(head=Dense)


@pytest.mark.parametrize("model", [Parallel(None, Shift()), SkipConnection(Shift(), operator.add)])
def test_trees_of_another_model_are_an_error(model: Any) -> None:
    _, st = setup(rng(), model)
    with pytest.raises(TreeError, match=r"needs parameters with the keys \['layer.*got keys \[\]"):
        model(np.zeros(1), {}, st)


def test_a_container_changes_the_type_of_its_states_where_a_part_does() -> None:
    @dataclasses.dataclass(frozen=True, repr=False)
    class Growing(Layer):
        def __call__(self, x: Any, ps: Any, st: Any) -> Any:
            return x, [*st, x]

        def preserves_state_type(self) -> bool:
            return False

    assert MODEL.preserves_state_type()
    assert not Chain(np.tanh, Parallel(None, Growing())).preserves_state_type()
