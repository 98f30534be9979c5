"""Bilinear, Embedding and Scale: values, gradients, dtypes and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import layers, ops
from polylux.errors import ArrayMixError, DTypeError, OptionError, ShapeError, TreeError
from polylux.layers import Bilinear, Embedding, Scale, setup

RNG = np.random.default_rng(0)


def test_bilinear_is_the_sum_over_both_inputs(library: Any) -> None:
    # whole numbers: exact in any order
    x, y, w = (
        RNG.integers(-3, 4, (5, 2)),
        RNG.integers(-3, 4, (5, 3)),
        RNG.integers(-3, 4, (2, 3, 4)),
    )
    bias = RNG.integers(-3, 4, 4)
    ps = {"weight": library.array(w.reshape(6, 4)), "bias": library.array(bias)}
    layer = Bilinear(2, 3, 4)
    found, st = layer((library.array(x), library.array(y)), ps, {})
    np.testing.assert_array_equal(library.host(found), np.einsum("bi,ijk,bj->bk", x, w, y) + bias)
    assert st == {}
    assert layer.output_shape(((5, 2), (5, 3))) == (5, 4)
    assert layer.parameter_count() == 28


def test_bilinear_takes_one_input_for_both(library: Any) -> None:
    x, w = RNG.integers(-3, 4, (5, 2)), RNG.integers(-3, 4, (4, 3))
    layer = Bilinear(2, 2, 3, use_bias=False)
    found, _ = layer(library.array(x), {"weight": library.array(w)}, {})
    expected = np.einsum("bi,ijk,bj->bk", x, w.reshape(2, 2, 3), x)
    np.testing.assert_array_equal(library.host(found), expected)
    assert layer.output_shape((5, 2)) == (5, 3)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (np.float32, np.float32, np.float32),
        (np.float64, np.float32, np.float64),
        (np.float32, np.float64, np.float64),
        (np.int32, np.float32, np.float32),
    ],
)
def test_bilinear_has_the_widest_dtype_of_inputs_and_weight(
    first: Any, second: Any, expected: Any, library: Any
) -> None:
    ps, _ = setup(np.random.default_rng(0), Bilinear(2, 3, 4))
    ps = {name: library.array(value, np.float32) for name, value in ps.items()}
    x, y = library.array(np.ones((5, 2)), first), library.array(np.ones((5, 3)), second)
    found, _ = Bilinear(2, 3, 4)((x, y), ps, {})
    assert library.host(found).dtype == expected


@pytest.mark.parametrize("shapes", [((5, 3), (5, 3)), ((5, 2), (4, 3)), ((2,), (5, 3))], ids=str)
def test_bilinear_inputs_that_do_not_fit_are_an_error(shapes: Any) -> None:
    layer = Bilinear(2, 3, 4)
    ps, _ = setup(np.random.default_rng(0), layer)
    inputs = tuple(np.ones(shape, np.float32) for shape in shapes)
    with pytest.raises(ShapeError) as caught:
        layer(inputs, ps, {})
    assert str(caught.value) == (
        f"Bilinear(2, 3, 4) needs inputs of shapes (..., 2) and (..., 3), got {shapes[0]} "
        f"and {shapes[1]}"
    )


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)], ids=str)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_embedding_picks_rows_for_an_array_of_any_shape(
    dtype: Any, shape: Any, library: Any
) -> None:
    weight, x = RNG.normal(size=(7, 2)), RNG.integers(0, 7, shape)
    y, _ = Embedding(7, 2)(library.array(x, dtype), {"weight": library.array(weight)}, {})
    np.testing.assert_array_equal(library.host(y), weight[x])
    assert Embedding(7, 2).output_shape(shape) == (*shape, 2)


def test_embedding_adds_up_the_gradients_of_a_row_taken_twice(selector: Any) -> None:
    weight, x = polylux.to_backend((np.ones((4, 2)), np.asarray([1, 3, 1])), selector)
    t = polylux.to_backend(np.asarray([[1.0, 2], [4, 8], [16, 32]]), selector)

    def total(weight: Any) -> Any:
        y, _ = Embedding(4, 2)(x, {"weight": weight}, {})
        return polylux.array_namespace(y).sum(y * t)

    found = polylux.to_host(polylux.gradient(total, selector, weight))
    np.testing.assert_array_equal(found, [[0, 0], [17, 34], [0, 0], [4, 8]])


def test_embedding_of_floats_is_an_error(library: Any) -> None:
    ps = {"weight": library.array(np.ones((4, 2)))}
    with pytest.raises(DTypeError, match=r"Embedding\(4, 2\) needs integers, got .*float64"):
        Embedding(4, 2)(library.array([1.0]), ps, {})


@pytest.mark.parametrize("index", [4, -1])
def test_embedding_out_of_range_is_the_librarys_error_or_nan(index: int, library: Any) -> None:
    x, ps = library.array([index], np.int32), {"weight": library.array(np.ones((4, 2)))}
    if library.name == "jax":
        np.testing.assert_array_equal(library.host(Embedding(4, 2)(x, ps, {})[0]), [[np.nan] * 2])
        return
    with pytest.raises(IndexError):
        Embedding(4, 2)(x, ps, {})


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16], ids=lambda dtype: dtype.__name__)
def test_embedding_takes_integers_that_cannot_count_its_rows(dtype: Any, library: Any) -> None:
    weight = np.arange(40_000.0)[:, None]
    y, _ = Embedding(40_000, 1)(
        library.array([127, 0], dtype), {"weight": library.array(weight)}, {}
    )
    np.testing.assert_array_equal(library.host(y), [[127], [0]])


def test_embedding_starts_from_standard_normal_numbers() -> None:
    ps, _ = setup(np.random.default_rng(0), Embedding(100, 50))
    assert ps["weight"].shape == (100, 50)
    # mean and variance of 5,000: 5 standard errors
    np.testing.assert_allclose(ps["weight"].mean(), 0, atol=5 / np.sqrt(5000))
    np.testing.assert_allclose(ps["weight"].var(), 1, atol=5 * np.sqrt(2 / 5000))


@pytest.mark.parametrize("shape", [4, (3, 4)], ids=str)
def test_scale_multiplies_and_adds_entry_by_entry(shape: Any, library: Any) -> None:
    x = RNG.integers(-3, 4, (2, 3, 4))
    weight, bias = RNG.integers(-3, 4, shape), RNG.integers(-3, 4, shape)
    layer = Scale(shape, "relu")
    ps = {"weight": library.array(weight), "bias": library.array(bias)}
    y, _ = layer(library.array(x), ps, {})
    np.testing.assert_array_equal(library.host(y), np.maximum(x * weight + bias, 0))
    assert layer.output_shape((2, 3, 4)) == (2, 3, 4)


def test_scale_starts_as_the_identity() -> None:
    ps, _ = setup(np.random.default_rng(0), Scale((3, 4)))
    x = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(Scale((3, 4))(x, ps, {})[0], x)
    assert Scale((3, 4)).parameter_count() == 24


@pytest.mark.parametrize("shape", [(2, 1), (1,), ()], ids=str)
def test_scale_does_not_broadcast_its_input(shape: Any) -> None:
    ps, _ = setup(np.random.default_rng(0), Scale(4))
    with pytest.raises(ShapeError, match=r"Scale\(4\) needs an input of shape \(..., 4\), got"):
        Scale(4)(np.ones(shape, np.float32), ps, {})


def test_gradients_of_scale_and_bilinear_are_exact(selector: Any) -> None:
    x, w, v = (RNG.integers(-3, 4, shape) * 1.0 for shape in ((5, 2), (4, 3), (2,)))
    x_, w_, v_ = polylux.to_backend((x, w, v), selector)
    bilinear, scale = Bilinear(2, 2, 3, use_bias=False), Scale(2, use_bias=False)

    def total(ps: Any) -> Any:
        scaled, _ = scale(x_, {"weight": ps["scale"]}, {})
        y, _ = bilinear((scaled, x_), {"weight": ps["bilinear"]}, {})
        return polylux.array_namespace(y).sum(y)

    found = polylux.to_host(polylux.gradient(total, selector, {"bilinear": w_, "scale": v_}))
    products = np.einsum("bi,bj->ij", x * v, x).reshape(4, 1)
    np.testing.assert_array_equal(found["bilinear"], np.broadcast_to(products, (4, 3)))
    by_scale = np.einsum("bi,ijk,bj->i", x, w.reshape(2, 2, 3), x)
    np.testing.assert_array_equal(found["scale"], by_scale)


@pytest.mark.parametrize("layer", [Bilinear(2, 2, 3), Embedding(4, 2), Scale(2)], ids=repr)
def test_parameters_that_do_not_fit_are_errors(layer: Any, differentiating: Any) -> None:
    x = np.ones((1, 2), np.int32 if isinstance(layer, Embedding) else np.float32)
    with pytest.raises(TreeError, match="needs parameters .*, got none named 'weight'"):
        layer(x, {}, {})
    ps, _ = setup(np.random.default_rng(0), layer)
    with pytest.raises(ArrayMixError, match="got arrays of different libraries"):
        layer(differentiating.array(x, x.dtype), ps, {})


@pytest.mark.parametrize(
    "layer",
    [Bilinear(2, 3, 4, "tanh", use_bias=False), Embedding(4, 2), Scale((3, 4), ops.relu)],
    ids=repr,
)
def test_layer_is_a_value_whose_repr_can_be_pasted_back(layer: Any) -> None:
    again = eval(repr(layer), vars(layers))
    assert again == layer
    assert hash(again) == hash(layer)


def test_wrong_option_is_an_error() -> None:
    with pytest.raises(OptionError, match="Embedding\\(init_weight=...\\) takes a function"):
        Embedding(4, 2, init_weight=1)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="Scale\\(use_bias=...\\) takes a bool"):
        Scale(2, use_bias=1)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="Bilinear\\(first_features=...\\) takes an int"):
        Bilinear(2.0, 2, 2)  # type: ignore[arg-type]
