"""Conv, MaxPool, MeanPool and Flatten: settings, shapes, dtypes and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polylux import layers, ops
from polylux.errors import ArrayMixError, DomainError, OptionError, ShapeError, TreeError
from polylux.layers import Conv, Flatten, MaxPool, MeanPool, setup


def test_parameters_have_the_documented_shapes_and_are_counted() -> None:
    layer = Conv((3, 2), 4, 6, groups=2)
    ps, st = setup(np.random.default_rng(0), layer)
    assert {k: (v.shape, v.dtype) for k, v in ps.items()} == {
        "weight": ((6, 2, 3, 2), np.float32),
        "bias": ((6,), np.float32),
    }
    assert st == {}
    assert layer.parameter_count() == layers.parameter_count(ps) == 78
    assert Conv((3, 2), 4, 6, use_bias=False).parameter_count() == 144


def test_default_weight_is_glorot_uniform_over_the_places_of_the_kernel() -> None:
    ps, _ = setup(np.random.default_rng(0), Conv((3, 3), 20, 30))
    bound = np.sqrt(6 / (9 * 20 + 9 * 30))
    # Of 5,400 uniform numbers: the largest is within 1/500 of the bound but for e^-10.
    assert 0.998 * bound < abs(ps["weight"]).max() <= bound


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv((3,), 2, 3), (2, 2, 7)),
        (Conv((3,), 2, 3, "relu", stride=2, padding="same"), (2, 2, 7)),
        (Conv((2, 3), 2, 3, stride=(1, 2), padding=(1, (0, 2))), (1, 2, 4, 5)),
        (Conv((2, 2), 2, 4, dilation=2, groups=2), (1, 2, 4, 5)),
        (MaxPool((2, 3), padding="same"), (1, 2, 5, 5)),
        (MeanPool((3,), stride=1, padding=1), (1, 2, 5)),
        (Flatten(), (2, 3, 4)),
        (Flatten(), (2,)),
        (Flatten(), (0, 3, 4)),
    ],
    ids=repr,
)
def test_output_shape_is_that_of_the_output(layer: Any, shape: Any, library: Any) -> None:
    ps, st = setup(np.random.default_rng(0), layer)
    ps = {name: library.array(value, np.float32) for name, value in ps.items()}
    y, new = layer(library.array(np.ones(shape), np.float32), ps, st)
    assert tuple(y.shape) == layer.output_shape(shape)
    assert library.host(y).dtype == np.float32
    assert new is st


def test_same_padding_follows_the_input_and_puts_an_odd_zero_last() -> None:
    layer = Conv((2,), 1, 1, padding="same", use_bias=False)
    ps = {"weight": np.asarray([[[1.0, 10.0]]])}
    y, _ = layer(np.asarray([[[1.0, 2.0, 3.0]]]), ps, {})
    np.testing.assert_array_equal(y, [[[21, 32, 3]]])


def test_activation_is_applied_after_the_bias(library: Any) -> None:
    layer = Conv((1,), 1, 2, "relu")
    ps = {"weight": library.array([[[1.0]], [[-1.0]]]), "bias": library.array([0.5, 0.5])}
    y, _ = layer(library.array([[[-1.0, 2.0]]]), ps, {})
    np.testing.assert_array_equal(library.host(y), [[[0, 2.5], [1.5, 0]]])


def test_flatten_is_row_major(library: Any) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    y, _ = Flatten()(library.array(x), {}, {})
    np.testing.assert_array_equal(library.host(y), x.reshape(2, 12))
    assert library.host(y).dtype == np.float64


@pytest.mark.parametrize(
    ("input_dtype", "expected"), [(np.float64, np.float64), (np.int32, np.float32)]
)
def test_result_has_the_wider_dtype(input_dtype: Any, expected: Any, library: Any) -> None:
    layer = Conv((2,), 1, 1)
    ps = {"weight": library.array([[[1, 2]]], np.float32), "bias": library.array([3], np.float32)}
    y, _ = layer(library.array([[[1, 2, 3]]], input_dtype), ps, {})
    assert library.host(y).dtype == expected
    np.testing.assert_array_equal(library.host(y), [[[8, 11]]])


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Conv((2,), 3, 4), (1, 3), r"needs an input \(batch, channels, 1 lengths\)"),
        (Conv((2,), 3, 4), (1, 2, 5), r"needs 3 input channels"),
        (Conv((2,), 3, 4), (1, 3, 1), r"window of \(2,\) .* does not fit into .* \(1,\)"),
        (Conv((2,), 3, 4, padding="same"), (1, 3), r"needs an input of shape \(batch, channels, 1"),
        (MaxPool((2,)), (3, 4), r"a pool over 1 axes needs an input"),
        (MeanPool((2,), padding="same"), (3, 4), r"needs an input of shape \(batch, channels, 1"),
        (Flatten(), (), r"needs an input with a batch axis, got shape \(\)"),
    ],
)
def test_input_that_does_not_fit_is_an_error(layer: Any, shape: Any, message: str) -> None:
    ps, st = setup(np.random.default_rng(0), layer)
    with pytest.raises(ShapeError, match=message):
        layer(np.ones(shape, np.float32), ps, st)
    with pytest.raises(ShapeError):
        layer.output_shape(shape)


def test_parameters_that_do_not_fit_are_an_error(differentiating: Any) -> None:
    layer = Conv((2,), 1, 1)
    x = np.ones((1, 1, 3), np.float32)
    with pytest.raises(TreeError, match="needs parameters .*, got none named 'weight'"):
        layer(x, {}, {})
    ps, _ = setup(np.random.default_rng(0), layer)
    with pytest.raises(ArrayMixError, match="[cC]onv.* got arrays of different libraries"):
        layer(differentiating.array(x, np.float32), ps, {})


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Conv(3, 1, 1), OptionError, "takes one int for each spatial axis, such as (3,)"),
        (lambda: Conv((1, 1, 1, 1), 1, 1), OptionError, "kernel=...) takes one to three ints"),
        (lambda: Conv((0,), 1, 1), DomainError, "kernel=...) must be at least 1, got 0"),
        (lambda: Conv((1,), 3, 4, groups=2), DomainError, "groups=2) must divide in_channels=3"),
        (lambda: Conv((1,), 1, 1, stride=(1, 2)), OptionError, "one for each of 1 spatial axes"),
        (lambda: Conv((1,), 1, 1, padding="full"), OptionError, 'takes "same", "valid"'),
        (lambda: Conv((1,), 1, 1, padding=-1), DomainError, "padding=...) must be at least 0"),
        (lambda: Conv((1,), 1, 1, padding=((1, 2, 3),)), OptionError, "one or two ints for an"),
        (lambda: Conv((1,), 1, 1, "rellu"), OptionError, "unknown activation 'rellu'"),
        (lambda: MaxPool(2), OptionError, "MaxPool(window=...) takes one int for each"),
        (lambda: MeanPool((2,), stride=0), DomainError, "stride=...) must be at least 1"),
        (lambda: MaxPool((2,), strides=2), OptionError, "unknown keyword 'strides'; did you mean"),
    ],
)
def test_wrong_option_is_an_error(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "layer",
    [
        Conv((3, 3), 2, 4, "relu", stride=2, padding="same"),
        Conv((3, 3), 2, 4, stride=(1, 2), padding=((1, 0), (1, 1)), use_bias=False),
        MaxPool((2, 2)),
        MeanPool((3,), stride=1, padding=1),
        Flatten(),
    ],
    ids=repr,
)
def test_layer_is_a_value_whose_repr_can_be_pasted_back(layer: Any) -> None:
    again = eval(repr(layer), vars(layers))
    assert again == layer
    assert hash(again) == hash(layer)


def test_settings_that_mean_the_same_make_equal_layers() -> None:
    assert Conv((2, 2), 1, 1, stride=(1, 1), padding="valid", dilation=[1, 1]) == Conv([2, 2], 1, 1)
    assert Conv((2, 2), 1, 1, ops.relu, padding=((1, 1), 1)) == Conv(
        (2, 2), 1, 1, "relu", padding=1
    )
    assert MaxPool((2, 2), stride=2) == MaxPool((2, 2))
