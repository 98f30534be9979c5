"""Chain: names of parameters, threading of states, printing."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from polylux import layers, ops
from polylux.errors import OptionError, ShapeError, TreeError
from polylux.layers import Chain, Dense, Layer, parameter_count, setup


@dataclasses.dataclass(frozen=True, repr=False)
class Counter(Layer):
    """Adds to the input how often it has been called."""

    start: int = 0

    def initial_states(self, rng: np.random.Generator) -> Any:
        return {"calls": self.start}

    def __call__(self, x: Any, ps: Any, st: Any) -> Any:
        return x + st["calls"], {"calls": st["calls"] + 1}


def test_layers_are_applied_in_order(library: Any) -> None:
    rng = np.random.default_rng(0)
    one, two = rng.integers(-3, 4, (4, 3)), rng.integers(-3, 4, (3, 2))
    model = Chain(Dense(4, 3, "relu", use_bias=False), lambda h: 2 * h, Dense(3, 2, use_bias=False))
    ps = {
        "layer_1": {"weight": library.array(one)},
        "layer_2": {},
        "layer_3": {"weight": library.array(two)},
    }
    x = rng.integers(-3, 4, (5, 4))
    st = {"layer_1": {}, "layer_2": {}, "layer_3": {}}
    y, new = model(library.array(x), ps, st)
    np.testing.assert_array_equal(library.host(y), 2 * np.maximum(x @ one, 0) @ two)
    assert library.host(y).dtype == np.float64
    assert new is st


def test_parameters_and_states_have_one_layout() -> None:
    ps, st = setup(np.random.default_rng(0), Chain(Dense(2, 3), np.tanh, Counter(5)))
    assert {name: sorted(part) for name, part in ps.items()} == {
        "layer_1": ["bias", "weight"],
        "layer_2": [],
        "layer_3": [],
    }
    assert st == {"layer_1": {}, "layer_2": {}, "layer_3": {"calls": 5}}


def test_parameters_are_drawn_in_order() -> None:
    ps, _ = setup(np.random.default_rng(3), Chain(Dense(2, 3), Dense(3, 4)))
    rng = np.random.default_rng(3)
    for name, layer in [("layer_1", Dense(2, 3)), ("layer_2", Dense(3, 4))]:
        expected = layer.initial_parameters(rng)["weight"]
        np.testing.assert_array_equal(ps[name]["weight"], expected)


def test_states_are_threaded_and_the_given_ones_left_alone() -> None:
    model = Chain(Counter(), Counter(10))
    ps, st = setup(np.random.default_rng(0), model)
    given = copy.deepcopy(st)
    y, new = model(np.zeros(1), ps, st)
    assert y == 10
    assert st == given
    assert new == {"layer_1": {"calls": 1}, "layer_2": {"calls": 11}}
    assert model(np.zeros(1), ps, new)[0] == 12


def test_chains_nest() -> None:
    model = Chain(Dense(2, 3), Chain(Dense(3, 3, "relu"), Counter()))
    ps, st = setup(np.random.default_rng(0), model)
    y, new = model(np.ones((4, 2), np.float32), ps, st)
    assert y.shape == (4, 3)
    assert new["layer_2"]["layer_2"] == {"calls": 1}
    assert model.parameter_count() == parameter_count(ps) == 9 + 12


def test_any_object_with_the_two_methods_is_a_layer() -> None:
    class Scale:
        def initial_parameters(self, rng: Any) -> Any:
            return {"factor": np.float32(3)}

        def initial_states(self, rng: Any) -> Any:
            return {}

        def __call__(self, x: Any, ps: Any, st: Any) -> Any:
            return ps["factor"] * x, st

    model = Chain(Scale())
    y, _ = model(np.ones(2, np.float32), *setup(np.random.default_rng(0), model))
    np.testing.assert_array_equal(y, [3, 3])


def test_chain_is_a_hashable_value() -> None:
    model = Chain(Dense(64, 32, activation="relu"), ops.softmax, Dense(32, 10))
    for again in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        Chain(Dense(64, 32, "relu"), ops.softmax, Dense(32, 10)),
    ):
        assert again == model
        assert hash(again) == hash(model)
    assert model != Chain(Dense(64, 32), ops.softmax, Dense(32, 10))
    with pytest.raises(AttributeError):
        model.layers = ()  # type: ignore[misc]


def test_repr_can_be_pasted_back() -> None:
    model = Chain(Dense(64, 32, activation="relu"), Chain(ops.softmax, Dense(32, 10)))
    assert repr(model) == ("Chain(Dense(64, 32, activation='relu'), Chain(softmax, Dense(32, 10)))")
    names = {**vars(layers), "softmax": ops.softmax}
    assert eval(repr(model), names) == model
    assert eval(str(model), names) == model


def test_chain_prints_as_a_tree() -> None:
    assert str(Chain(Dense(2, 3), Chain(np.tanh, Dense(3, 1)))).splitlines() == [
        "Chain(",
        "    Dense(2, 3),      # 9 parameters",
        "    Chain(",
        "        tanh,",
        "        Dense(3, 1),  # 4 parameters",
        "    ),",
        ")                     # Total: 13 parameters, plus 0 states",
    ]


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ((), {}, "Chain needs at least one layer"),
        ((Dense,), {}, "layer 1 of a Chain is the class Dense; make one: Dense(...)"),
        (([Dense(2, 3)],), {}, "layer 1 of a Chain is a list; write Chain(*layers)"),
        ((Dense(2, 3), "relu"), {}, "layer 2 of a Chain must be a layer or a function"),
        ((Dense(2, 3),), {"activation": "relu"}, "unknown keyword 'activation'; it takes layers"),
        ((), {"layers": ()}, "unknown keyword 'layers'"),
    ],
)
def test_wrong_arguments_are_an_error(given: Any, options: Any, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        Chain(*given, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("ps", "st", "message"),
    [
        ({}, {"layer_1": {}}, "needs parameters with the keys ['layer_1'], got keys []"),
        ({"layer_1": {}}, {}, "needs states with the keys ['layer_1'], got keys []"),
        (None, {}, "needs parameters with the keys ['layer_1'], got a NoneType"),
    ],
)
def test_trees_of_another_model_are_an_error(ps: Any, st: Any, message: str) -> None:
    with pytest.raises(TreeError) as caught:
        Chain(Counter())(np.zeros(1), ps, st)
    assert message in str(caught.value)


def test_layers_that_do_not_fit_together_are_named() -> None:
    model = Chain(Dense(2, 3), Dense(4, 1))
    ps, st = setup(np.random.default_rng(0), model)
    with pytest.raises(ShapeError, match=r"Dense\(4, 1\) needs an input of shape \(..., 4\)"):
        model(np.ones((5, 2), np.float32), ps, st)
