"""Dropout: its states, its modes, and training to the same numbers on every backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import AutoAutograd, AutoJax, AutoTorch, TrainState, layers, single_train_step
from polylux.errors import ArrayMixError, DomainError, OptionError, TreeError
from polylux.layers import BatchNorm, Chain, Dense, Dropout, setup
from polylux.losses import MSELoss
from polylux.optimizers import Adam


def test_states_are_a_key_of_the_generator_a_count_and_a_flag() -> None:
    layer = Dropout(0.5)
    ps, st = setup(np.random.default_rng(0), layer)
    assert ps == {}
    assert {k: (v.dtype, v.shape) for k, v in st.items() if k != "training"} == {
        "key": (np.int32, (2,)),
        "count": (np.int32, (1,)),
    }
    assert st["training"] is True
    assert layer.state_count() == layers.state_count(st) == 4
    _, other = setup(np.random.default_rng(1), layer)
    assert (st["key"] != other["key"]).any()


def test_each_call_in_training_adds_one_to_the_count_and_draws_anew(library: Any) -> None:
    _, st = setup(np.random.default_rng(0), Dropout(0.5))
    st = {k: library.array(v, np.int32) if k != "training" else v for k, v in st.items()}
    x = library.array(np.ones(64))
    one, after_one = Dropout(0.5)(x, {}, st)
    two, after_two = Dropout(0.5)(x, {}, after_one)
    again, _ = Dropout(0.5)(x, {}, st)
    assert [int(library.host(s["count"])[0]) for s in (st, after_one, after_two)] == [0, 1, 2]
    assert library.host(after_two["count"]).dtype == np.int32
    np.testing.assert_array_equal(library.host(one), library.host(again))
    assert (library.host(one) != library.host(two)).any()  # equal with probability 2**-64


@pytest.mark.parametrize(
    ("rate", "training"), [(0.5, False), (0.0, True)], ids=["testing", "rate 0"]
)
def test_input_and_states_are_returned_where_nothing_is_dropped(
    rate: float, training: bool
) -> None:
    _, st = setup(np.random.default_rng(0), Dropout(rate))
    st = {**st, "training": training}
    x = np.ones(3)
    y, new = Dropout(rate)(x, {}, st)
    assert y is x
    assert new is st


def _trained(selector: Any, steps: int) -> tuple[list[float], Any, Any]:
    rng = np.random.default_rng(0)
    model = Chain(Dense(3, 16, "tanh"), Dropout(0.4), BatchNorm(16), Dense(16, 2), Dropout(0.2))
    ps, st = setup(rng, model)
    state = polylux.f64(TrainState(model, ps, st, Adam(0.01)))
    data = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    losses = []
    for _ in range(steps):
        _, loss, _, state = single_train_step(selector, MSELoss(), data, state)
        losses.append(float(polylux.to_host(loss)))
    return losses, polylux.to_host(state.parameters), polylux.to_host(state.states)


def test_network_with_dropout_trains_to_the_same_numbers_on_every_backend() -> None:
    steps = 6
    runs = {
        repr(selector): _trained(selector, steps)
        for selector in (AutoTorch(), AutoJax(), AutoAutograd())
    }
    losses, ps, st = runs.pop("AutoTorch()")
    assert len(set(losses)) == steps
    # One call for each step in each layer that draws, and one only.
    assert st["layer_2"]["count"] == st["layer_5"]["count"] == steps
    for other_losses, other_ps, other_st in runs.values():
        # Adam divides by roots of squared gradients: roundings of 1e-16 grow over the steps.
        np.testing.assert_allclose(other_losses, losses, rtol=1e-12)
        for name, parameters in ps.items():
            for key, value in parameters.items():
                np.testing.assert_allclose(other_ps[name][key], value, rtol=0, atol=1e-12)
        for name in ("layer_2", "layer_5"):
            np.testing.assert_array_equal(other_st[name]["count"], st[name]["count"])
        for key in ("running_mean", "running_var"):
            np.testing.assert_allclose(
                other_st["layer_3"][key], st["layer_3"][key], rtol=0, atol=1e-13
            )


def test_run_goes_on_in_another_backend_with_the_same_zeros() -> None:
    rng = np.random.default_rng(0)
    model = Dropout(0.5)
    ps, st = setup(rng, model)
    x = np.ones(40)
    expected = []
    host = st
    for _ in range(3):
        y, host = model(x, ps, host)
        expected.append(y)
    for selector, wanted in zip((AutoTorch(), AutoJax(), AutoAutograd()), expected, strict=True):
        y, st = model(polylux.to_backend(x, selector), ps, polylux.to_backend(st, selector))
        np.testing.assert_array_equal(polylux.to_host(y), wanted)


@pytest.mark.parametrize("st", [{}, None, {"key": 0}], ids=str)
def test_missing_states_are_an_error(st: Any) -> None:
    with pytest.raises(TreeError, match=r"Dropout\(0.5\) needs states with the keys \['key'"):
        Dropout(0.5)(np.ones(3), {}, st)


def test_states_of_another_library_are_an_error(differentiating: Any) -> None:
    _, st = setup(np.random.default_rng(0), Dropout(0.5))
    with pytest.raises(ArrayMixError, match="[dD]ropout got arrays of different libraries"):
        Dropout(0.5)(differentiating.array(np.ones(3)), {}, st)


@pytest.mark.parametrize(
    ("rate", "error", "message"),
    [
        (1, DomainError, "must be below 1: nothing would be left"),
        (-0.1, DomainError, "must be from 0.0 to 1.0, got -0.1"),
        (float("nan"), DomainError, "must be from 0.0 to 1.0, got nan"),
        ("half", OptionError, "takes a number, got 'half'"),
    ],
)
def test_rate_that_is_no_probability_is_an_error(rate: Any, error: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        Dropout(rate)
    assert message in str(caught.value)
