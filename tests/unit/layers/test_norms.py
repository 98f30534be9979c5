"""The four norms as layers: parameters, running statistics, modes, dtypes and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import AutoAutograd, AutoJax, AutoTorch, TrainState, layers, single_train_step
from polylux.errors import (
    ArrayMixError,
    DomainError,
    EltypeMismatchError,
    OptionError,
    ShapeError,
    TreeError,
)
from polylux.layers import BatchNorm, Chain, Dense, GroupNorm, LayerNorm, RMSNorm, setup
from polylux.losses import MSELoss
from polylux.optimizers import SGD

X = np.random.default_rng(0).normal(size=(3, 4, 5))
NORMS = [BatchNorm(4), LayerNorm((4, 5)), GroupNorm(4, 2), RMSNorm(5)]
each_norm = pytest.mark.parametrize("layer", NORMS, ids=repr)


@pytest.mark.parametrize(
    ("layer", "parameters", "states"),
    [
        (BatchNorm(4), {"scale": (4,), "bias": (4,)}, 9),
        (BatchNorm(4, affine=False), {}, 9),
        (BatchNorm(4, track_stats=False), {"scale": (4,), "bias": (4,)}, 1),
        (LayerNorm((4, 5)), {"scale": (4, 5), "bias": (4, 5)}, 0),
        (LayerNorm(5, affine=False), {}, 0),
        (GroupNorm(4, 2), {"scale": (4,), "bias": (4,)}, 0),
        (RMSNorm(5), {"scale": (5,)}, 0),
    ],
    ids=repr,
)
def test_parameters_start_as_the_identity_and_are_counted(
    layer: Any, parameters: Any, states: int
) -> None:
    ps, st = setup(np.random.default_rng(0), layer)
    assert {name: value.shape for name, value in ps.items()} == parameters
    assert layer.parameter_count() == layers.parameter_count(ps)
    assert layer.state_count() == layers.state_count(st) == states
    for name, value in ps.items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, np.full(value.shape, name == "scale"))


@each_norm
def test_result_has_the_wider_dtype_of_input_and_parameters(layer: Any, library: Any) -> None:
    ps, st = setup(np.random.default_rng(0), layer)
    for x_dtype, expected in [
        (np.float32, np.float32), (np.float64, np.float64), (np.int32, np.float32)
    ]:  # fmt: skip
        ps_ = {name: library.array(value, np.float32) for name, value in ps.items()}
        st_ = {
            name: library.array(value, np.float32) if name != "training" else value
            for name, value in st.items()
        }
        y, new = layer(library.array(10 * X, x_dtype), ps_, st_)
        assert library.host(y).dtype == expected
        assert tuple(y.shape) == layer.output_shape(X.shape)
        for name in ("running_mean", "running_var"):
            if name in new:
                assert library.host(new[name]).dtype == np.float32  # a state keeps its dtype


@each_norm
@pytest.mark.parametrize("shape", [(3, 5, 4), (4,)], ids=str)
def test_input_of_another_shape_is_an_error(layer: Any, shape: Any) -> None:
    ps, st = setup(np.random.default_rng(0), layer)
    for call in (
        lambda: layer(np.ones(shape, np.float32), ps, st),
        lambda: layer.output_shape(shape),
    ):
        with pytest.raises(ShapeError) as caught:
            call()
        assert f"{layer!r} needs an input of shape (" in str(caught.value)
        assert str(shape) in str(caught.value)


@each_norm
def test_missing_parameters_are_an_error(layer: Any) -> None:
    _, st = setup(np.random.default_rng(0), layer)
    with pytest.raises(TreeError, match=r"needs parameters .*, got none named 'scale'"):
        layer(X.astype(np.float32), {}, st)


@each_norm
def test_host_parameters_with_another_librarys_input_are_an_error(
    layer: Any, differentiating: Any
) -> None:
    ps, st = setup(np.random.default_rng(0), layer)
    with pytest.raises(ArrayMixError, match="got arrays of different libraries"):
        layer(differentiating.array(X, np.float32), ps, st)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BatchNorm(0), DomainError, "BatchNorm(channels=...) must be at least 1, got 0"),
        (lambda: BatchNorm(2, momentum=2), DomainError, "momentum=...) must be from 0.0 to 1.0"),
        (lambda: BatchNorm(2, affine=1), OptionError, "BatchNorm(affine=...) takes a bool"),
        (lambda: GroupNorm(4, 3), DomainError, "GroupNorm(groups=3) must divide channels=4"),
        (lambda: LayerNorm(()), OptionError, "LayerNorm(shape=...) needs at least one int"),
        (lambda: LayerNorm(2.5), OptionError, "LayerNorm(shape=...) takes an int, got 2.5"),
        (lambda: RMSNorm(2, epsilon=-1), DomainError, "RMSNorm(epsilon=...) must be from 0.0"),
        (lambda: RMSNorm(2, init_scale=1), OptionError, "init_scale=...) takes a function"),
        (lambda: LayerNorm(2, eps=1), OptionError, "unknown keyword 'eps'"),
    ],
)
def test_wrong_option_is_an_error(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "layer", [*NORMS, LayerNorm((4, 5), affine=False), BatchNorm(3, momentum=0.5)], ids=repr
)
def test_layer_is_a_value_whose_repr_can_be_pasted_back(layer: Any) -> None:
    again = eval(repr(layer), vars(layers))
    assert again == layer
    assert hash(again) == hash(layer)


# --- BatchNorm's states ---------------------------------------------------------------------------


def test_running_statistics_move_once_for_each_call_in_training() -> None:
    layer = BatchNorm(4, momentum=0.25)
    ps, st = polylux.f64(setup(np.random.default_rng(0), layer))
    by_channel = X.swapaxes(0, 1).reshape(4, -1)
    mean, variance = np.zeros(4), np.ones(4)
    for _ in range(3):
        mean += 0.25 * (by_channel.mean(axis=1) - mean)
        variance += 0.25 * (by_channel.var(axis=1, ddof=1) - variance)
        _, st = layer(X, ps, st)
    np.testing.assert_allclose(st["running_mean"], mean, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(st["running_var"], variance, rtol=1e-14)


def test_testing_uses_the_running_statistics_and_leaves_them(library: Any) -> None:
    layer = BatchNorm(4)
    st = {"running_mean": np.arange(4.0), "running_var": np.arange(1.0, 5)}
    st_ = {name: library.array(value) for name, value in st.items()} | {"training": False}
    ps = {"scale": library.array(np.full(4, 2.0)), "bias": library.array(np.full(4, 3.0))}
    y, new = layer(library.array(X), ps, st_)
    assert new is st_
    mean, variance = st["running_mean"][:, None], st["running_var"][:, None]
    expected = 2 * (X - mean) / np.sqrt(variance + 1e-5) + 3
    np.testing.assert_allclose(library.host(y), expected, rtol=1e-14, atol=1e-14)


def test_without_running_statistics_testing_is_as_training() -> None:
    layer = BatchNorm(4, track_stats=False)
    ps, st = polylux.f64(setup(np.random.default_rng(0), layer))
    training, same = layer(X, ps, st)
    testing, _ = layer(X, ps, layers.testmode(st))
    assert same is st
    np.testing.assert_array_equal(training, testing)


def test_one_entry_for_each_channel_is_an_error_in_training_only() -> None:
    layer = BatchNorm(4)
    ps, st = setup(np.random.default_rng(0), layer)
    x = np.ones((1, 4), np.float32)
    with pytest.raises(ShapeError, match=r"at least two entries for each channel .* \(1, 4\)"):
        layer(x, ps, st)
    y, _ = layer(x, ps, layers.testmode(st))
    assert y.shape == (1, 4)


@pytest.mark.parametrize("mode", [layers.trainmode, layers.testmode])
def test_running_statistics_alone_have_a_dtype_to_be_matched(mode: Any) -> None:
    layer = BatchNorm(4, affine=False)
    ps, st = setup(np.random.default_rng(0), layer)
    with (
        polylux.override_preferences(eltype_mismatch_handling="error"),
        pytest.raises(EltypeMismatchError, match="is of float32, and its input is of float64"),
    ):
        layer(X, ps, mode(st))


def test_missing_states_are_an_error() -> None:
    ps, _ = setup(np.random.default_rng(0), BatchNorm(4))
    with pytest.raises(TreeError, match=r"needs states with the keys \['running_mean', .*setup"):
        BatchNorm(4)(X.astype(np.float32), ps, {})


def test_training_steps_move_the_statistics_once_each_on_every_backend() -> None:
    rng = np.random.default_rng(0)
    model = Chain(BatchNorm(3), Dense(3, 1))
    ps, st = setup(rng, model)
    data = rng.normal(size=(8, 3)) + 5, rng.normal(size=(8, 1))
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(2):
        mean += 0.1 * (data[0].mean(axis=0) - mean)
        variance += 0.1 * (data[0].var(axis=0, ddof=1) - variance)
    for selector in (AutoTorch(), AutoJax(), AutoAutograd()):
        state = polylux.f64(TrainState(model, ps, st, SGD(0.1)))
        for _ in range(2):
            _, _, _, state = single_train_step(selector, MSELoss(), data, state)
        found = polylux.to_host(state.states)["layer_1"]
        np.testing.assert_allclose(found["running_mean"], mean, rtol=1e-14)
        np.testing.assert_allclose(found["running_var"], variance, rtol=1e-14)
        assert found["training"] is True
