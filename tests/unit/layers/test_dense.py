"""Dense: parameters, values, dtypes, and what it says of input that does not fit."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import polylux
from polylux import layers, ops
from polylux.errors import (
    ArrayMixError,
    DomainError,
    OptionError,
    ShapeError,
    TreeError,
)
from polylux.layers import Dense, glorot_uniform, setup


def _parameters(library: Any, n: int, m: int, dtype: Any = np.float64) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    weight, bias = rng.integers(-3, 4, (n, m)), rng.integers(-3, 4, m)  # sums are exact
    return (
        {"weight": library.array(weight, dtype), "bias": library.array(bias, dtype)},
        weight,
        bias,
    )


# --- parameters ----------------------------------------------------------------------------------


def test_parameters_are_float32_host_arrays_of_the_documented_shapes() -> None:
    ps, st = setup(np.random.default_rng(0), Dense(4, 3))
    assert {k: (type(v), v.shape, v.dtype) for k, v in ps.items()} == {
        "weight": (np.ndarray, (4, 3), np.float32),
        "bias": (np.ndarray, (3,), np.float32),
    }
    assert st == {}


def test_layer_without_bias_has_no_bias_parameter() -> None:
    ps, _ = setup(np.random.default_rng(0), Dense(4, 3, use_bias=False))
    assert list(ps) == ["weight"]


def test_default_weight_is_glorot_uniform_and_default_bias_zero() -> None:
    ps, _ = setup(np.random.default_rng(0), Dense(200, 100))
    weight, bound = ps["weight"], np.sqrt(6 / 300)
    assert abs(weight).max() <= bound
    # Of 20,000 uniform numbers: the largest is within 1/1000 of the bound but for e^-20, the
    # variance is bound² / 3 to five of its standard errors.
    assert abs(weight).max() > 0.999 * bound
    np.testing.assert_allclose(np.var(weight), bound**2 / 3, rtol=5 * np.sqrt(0.8 / 20_000))
    np.testing.assert_array_equal(ps["bias"], np.zeros(100))


def test_same_seed_gives_the_same_parameters_and_new_arrays() -> None:
    one, two = (setup(np.random.default_rng(7), Dense(3, 2))[0] for _ in range(2))
    np.testing.assert_array_equal(one["weight"], two["weight"])
    assert one["weight"] is not two["weight"]


def test_initializers_of_the_user_are_used_copied_and_cast() -> None:
    given = np.ones((2, 3), dtype=np.float32)
    layer = Dense(
        2, 3, init_weight=lambda rng, shape: given, init_bias=lambda rng, shape: [1, 2, 3]
    )
    ps, _ = setup(np.random.default_rng(0), layer)
    assert ps["weight"].dtype == np.float32
    assert not np.shares_memory(ps["weight"], given)
    np.testing.assert_array_equal(ps["bias"], [1, 2, 3])


def test_initializer_of_another_shape_is_an_error() -> None:
    layer = Dense(2, 3, init_weight=lambda rng, shape: np.ones((3, 2)))
    with pytest.raises(
        ShapeError, match=r"init_weight=...\) must return .* \(2, 3\), got .* \(3, 2\)"
    ):
        setup(np.random.default_rng(0), layer)


def test_parameter_count_counts_numbers() -> None:
    layer = Dense(4, 3)
    assert layer.parameter_count() == 15


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 5, 4), (0, 4)], ids=str)
def test_value_is_the_affine_map_of_the_last_axis(shape: Any, library: Any) -> None:
    ps, weight, bias = _parameters(library, 4, 3)
    x = np.random.default_rng(1).integers(-3, 4, shape)
    st = {"any": "state"}
    y, new = Dense(4, 3)(library.array(x), ps, st)
    np.testing.assert_array_equal(library.host(y), np.einsum("...i,ij", x, weight) + bias)
    assert new is st


@pytest.mark.parametrize("name", sorted(ops.ACTIVATIONS))
def test_activation_by_name_is_applied_to_the_affine_map(name: str, library: Any) -> None:
    ps, _, _ = _parameters(library, 4, 3)
    x = library.array([[1.0, -2.0, 0.5, 3.0]])
    affine, _ = Dense(4, 3)(x, ps, {})
    y, _ = Dense(4, 3, activation=name)(x, ps, {})
    np.testing.assert_array_equal(library.host(y), library.host(ops.activation(name)(affine)))


def test_activation_may_be_any_function_of_an_array(library: Any) -> None:
    ps, weight, bias = _parameters(library, 2, 3)
    y, _ = Dense(2, 3, lambda v: 2 * v)(library.array([1.0, 1.0]), ps, {})
    np.testing.assert_array_equal(library.host(y), 2 * (weight.sum(axis=0) + bias))
    assert library.host(y).dtype == np.float64


# --- dtypes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("input_dtype", "parameters", "expected"),
    [
        (np.float32, np.float32, np.float32),
        (np.float64, np.float64, np.float64),
        (np.float64, np.float32, np.float64),
        (np.float32, np.float64, np.float64),
        (np.int64, np.float32, np.float32),
        (np.uint8, np.float64, np.float64),
        (np.bool_, np.float32, np.float32),
    ],
)
def test_result_has_the_wider_floating_dtype(
    input_dtype: Any, parameters: Any, expected: Any, library: Any
) -> None:
    ps, weight, bias = _parameters(library, 2, 3, parameters)
    x = np.asarray([[1, 0], [1, 1]])
    y, _ = Dense(2, 3, "relu")(library.array(x, input_dtype), ps, {})
    assert library.host(y).dtype == expected
    np.testing.assert_array_equal(library.host(y), np.maximum(x @ weight + bias, 0))


def test_float64_input_is_not_rounded_to_the_parameters_float32(library: Any) -> None:
    ps = {"weight": library.array([[1.0]], np.float32)}
    y, _ = Dense(1, 1, use_bias=False)(library.array([[1 / 3]]), ps, {})
    assert library.host(y)[0, 0] == 1 / 3


def test_gradients_have_the_parameters_dtype_when_the_input_is_wider(differentiating: Any) -> None:
    ps, _, _ = _parameters(differentiating, 2, 3, np.float32)
    x = np.asarray([[1.0, -2.0]])

    def total(ps: Any, x: Any) -> Any:
        y, _ = Dense(2, 3)(x, ps, {})
        return polylux.array_namespace(y).sum(y)

    found = polylux.to_host(
        polylux.gradient(total, differentiating.selector, ps, differentiating.array(x))
    )
    assert found["weight"].dtype == found["bias"].dtype == np.float32
    np.testing.assert_array_equal(found["weight"], np.repeat(x.T, 3, axis=1))
    np.testing.assert_array_equal(found["bias"], np.ones(3))


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 3), (4, 1), ()], ids=str)
def test_input_of_another_length_is_an_error_with_both(shape: Any, library: Any) -> None:
    ps, _, _ = _parameters(library, 4, 3)
    with pytest.raises(ShapeError) as caught:
        Dense(4, 3)(library.array(np.ones(shape)), ps, {})
    assert str(caught.value) == f"Dense(4, 3) needs an input of shape (..., 4), got {shape}"


def test_parameters_of_another_layer_are_an_error(library: Any) -> None:
    ps, _, _ = _parameters(library, 5, 3)
    with pytest.raises(
        ShapeError, match=r"Dense\(4, 3\) needs a weight of shape \(4, 3\), got \(5, 3\)"
    ):
        Dense(4, 3)(library.array(np.ones((2, 4))), ps, {})


@pytest.mark.parametrize("ps", [{}, None, {"weight": np.ones((4, 3), np.float32)}], ids=str)
def test_missing_parameters_are_an_error(ps: Any) -> None:
    with pytest.raises(TreeError, match=r"Dense\(4, 3\) needs parameters .* none named"):
        Dense(4, 3)(np.ones((2, 4), np.float32), ps, {})


def test_host_parameters_with_another_librarys_input_are_an_error(differentiating: Any) -> None:
    ps, _ = setup(np.random.default_rng(0), Dense(4, 3))
    for dtype in (np.float32, np.float64):  # the parameters', and another
        x = differentiating.array(np.ones((2, 4)), dtype)
        with pytest.raises(ArrayMixError, match=r"[dD]ense got arrays of different libraries"):
            Dense(4, 3)(x, ps, {})


def test_input_that_is_no_array_is_an_error() -> None:
    ps, _ = setup(np.random.default_rng(0), Dense(2, 3))
    with pytest.raises(ArrayMixError, match=r"Dense got builtins\.list"):
        Dense(2, 3)([1.0, 2.0], ps, {})


def test_error_of_the_users_activation_passes_through() -> None:
    def fail(x: Any) -> Any:
        raise ZeroDivisionError("mine")

    ps, _ = setup(np.random.default_rng(0), Dense(2, 3))
    with pytest.raises(ZeroDivisionError, match="mine"):
        Dense(2, 3, fail)(np.ones((1, 2), np.float32), ps, {})


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((0, 3), {}, DomainError, "in_features=...) must be at least 1, got 0"),
        ((3, -1), {}, DomainError, "out_features=...) must be at least 1, got -1"),
        ((2.5, 3), {}, OptionError, "in_features=...) takes an int, got 2.5"),
        ((2, 3, "rellu"), {}, OptionError, "unknown activation 'rellu'; did you mean 'relu'"),
        ((2, 3, 5), {}, OptionError, "activation=...) takes a name or a function"),
        ((2, 3, Dense), {}, OptionError, "activation=...) takes a name or a function"),
        ((2, 3), {"use_bias": 1}, OptionError, "use_bias=...) takes a bool, got 1"),
        ((2, 3), {"init_weight": 0.1}, OptionError, "init_weight=...) takes a function"),
        ((2, 3), {"bias": False}, OptionError, "unknown keyword 'bias'; did you mean 'use_bias'"),
    ],
)
def test_wrong_option_is_an_error(arguments: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        Dense(*arguments, **options)
    assert message in str(caught.value)


# --- a value -------------------------------------------------------------------------------------

EXAMPLES = [
    Dense(64, 32, activation="relu"),
    Dense(2, 3, use_bias=False),
    Dense(2, 3, init_bias=glorot_uniform),
    Dense(2, 3, np.tanh),
]


@pytest.mark.parametrize("layer", EXAMPLES, ids=["relu", "no bias", "initialiser", "function"])
def test_layer_is_a_hashable_value(layer: Any) -> None:
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert again == layer
        assert hash(again) == hash(layer)
    assert layer != Dense(2, 4)


@pytest.mark.parametrize("layer", EXAMPLES[:2], ids=repr)
def test_repr_can_be_pasted_back(layer: Any) -> None:
    assert eval(repr(layer), vars(layers)) == layer


def test_activation_and_its_name_make_equal_layers() -> None:
    assert Dense(2, 3, ops.gelu) == Dense(2, 3, "gelu")
    assert repr(Dense(2, 3, ops.gelu)) == "Dense(2, 3, activation='gelu')"
