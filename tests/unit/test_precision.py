"""f32 and f64: which leaves change, which stay the same objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polylux
from polylux import f32, f64

WIDTHS = [(f32, np.float32, np.complex64), (f64, np.float64, np.complex128)]
each_width = pytest.mark.parametrize(("convert", "real", "complex_"), WIDTHS, ids=["f32", "f64"])


@each_width
def test_floating_arrays_get_the_dtype(
    convert: Any, real: Any, complex_: Any, library: Any
) -> None:
    for dtype in (np.float32, np.float64):
        got = convert(library.array([0.5, -1.25], dtype))
        assert library.host(got).dtype == real
        np.testing.assert_array_equal(library.host(got), [0.5, -1.25])
    for dtype in (np.complex64, np.complex128):
        got = convert(library.array([0.5 - 2j], dtype))
        assert library.host(got).dtype == complex_
        np.testing.assert_array_equal(library.host(got), [0.5 - 2j])


def test_f64_arrays_hold_and_keep_double_precision(library: Any) -> None:
    third = f64(library.array([1.0], np.float32))
    value = library.host(polylux.losses.MSELoss()(third, library.array([1 + 2.0**-40])))
    assert value == 2.0**-80


@each_width
def test_arrays_of_that_dtype_are_the_same_objects(
    convert: Any, real: Any, complex_: Any, library: Any
) -> None:
    for dtype in (real, complex_):
        array = library.array([1.0], dtype)
        assert convert(array) is array
        assert convert([array])[0] is array


@each_width
def test_other_leaves_stay_as_they_are(
    convert: Any, real: Any, complex_: Any, library: Any
) -> None:
    leaves = {
        "integer": library.array([1], np.int32),
        "bool": library.array([True], np.bool_),
        "float": 0.1,
        "int": 3,
        "complex": 1j,
        "text": "relu",
        "generator": np.random.default_rng(0),
        "function": len,
        "object array": np.asarray([None]),
    }
    converted = convert({**leaves, "nothing": None})
    assert converted.pop("nothing") is None
    for name, leaf in leaves.items():
        assert converted[name] is leaf, name


@each_width
def test_tied_leaves_stay_tied_and_containers_are_kept(
    convert: Any, real: Any, complex_: Any, library: Any
) -> None:
    for dtype in (np.float32, np.float64):
        tied = library.array([1.0, 2.0], dtype)
        converted = convert({"a": tied, "b": (tied, [tied])})
        assert converted["a"] is converted["b"][0] is converted["b"][1][0]
        assert isinstance(converted["b"], tuple)


def test_the_given_tree_is_left_alone(library: Any) -> None:
    array = library.array([1.0], np.float32)
    values = {"a": array}
    f64(values)
    assert values["a"] is array
    assert library.host(array).dtype == np.float32


def test_half_precision_is_widened() -> None:
    import ml_dtypes

    for dtype in (np.float16, ml_dtypes.bfloat16):
        np.testing.assert_array_equal(f32(np.asarray([1.5], dtype)), np.asarray([1.5], np.float32))
        assert f64(np.asarray([1.5], dtype)).dtype == np.float64


@pytest.mark.parametrize("convert", [f32, f64])
def test_object_that_holds_arrays_is_asked_to_map_them(convert: Callable[[Any], Any]) -> None:
    class Holder:
        def __init__(self, arrays: Any) -> None:
            self.arrays = arrays

        def _map_arrays(self, function: Any) -> Any:
            return Holder(function(self.arrays))

    weight = np.asarray([1.0], np.float16)
    held = Holder({"w": weight, "again": weight})
    for converted in (convert(held), convert([held])[0]):
        assert isinstance(converted, Holder)
        assert converted.arrays["w"].dtype == (np.float32 if convert is f32 else np.float64)
        assert converted.arrays["w"] is converted.arrays["again"]


def test_train_state_is_converted_with_its_optimizer_slots(differentiating: Any) -> None:
    model = polylux.layers.Dense(2, 1)
    ps, st = polylux.setup(np.random.default_rng(0), model)
    ts = polylux.TrainState(model, ps, st, polylux.optimizers.Adam(0.1))
    data = np.ones((4, 2)), np.zeros((4, 1))
    loss = polylux.losses.MSELoss()
    selector = differentiating.selector
    *_, ts = polylux.single_train_step(selector, loss, data, ts)
    wide = f64(ts)
    assert wide.step == 1
    assert polylux.to_host(wide.parameters)["weight"].dtype == np.float64
    *_, wide = polylux.single_train_step(selector, loss, data, wide)
    assert polylux.to_host(wide.parameters)["weight"].dtype == np.float64
    assert polylux.to_host(ts.parameters)["weight"].dtype == np.float32
