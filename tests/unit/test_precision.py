"""f16, bf16, f32 and f64: which leaves change, which stay the same objects."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import polylux
from polylux import AutoAutograd, bf16, f16, f32, f64
from polylux.errors import DTypeError

WIDTHS = {
    "f16": (f16, np.float16, np.complex64),
    "bf16": (bf16, ml_dtypes.bfloat16, np.complex64),
    "f32": (f32, np.float32, np.complex64),
    "f64": (f64, np.float64, np.complex128),
}
LACKING = {("strict", f16), ("strict", bf16), ("autograd", bf16)}
each_width = pytest.mark.parametrize(("convert", "real", "complex_"), WIDTHS.values(), ids=WIDTHS)


@pytest.fixture
def library(library: Any, request: pytest.FixtureRequest) -> Any:
    """Each library that has the dtype which is asked for."""
    if (library.name, request.node.callspec.params.get("convert")) in LACKING:
        pytest.skip("no such dtype there; see the test of that")
    return library


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


@pytest.mark.parametrize(
    ("name", "convert"),
    sorted(LACKING, key=lambda pair: (pair[0], pair[1].__name__)),
    ids=lambda part: getattr(part, "__name__", part),
)
def test_dtype_that_a_library_lacks_is_an_error(name: str, convert: Any) -> None:
    if name == "strict":
        array = pytest.importorskip("array_api_strict").ones(2)
    else:
        array = polylux.to_backend(np.ones(2), AutoAutograd())
    with pytest.raises(DTypeError, match="has no dtype b?float16"):
        convert({"w": array})


def test_numpy_without_ml_dtypes_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ml_dtypes", None)
    with pytest.raises(DTypeError, match="pip install ml_dtypes"):
        bf16(np.ones(2))


def test_narrow_values_are_rounded_to_nearest_even(library: Any) -> None:
    # 2^-8 and 3 * 2^-8 are half a digit of bfloat16 at 1: to the even neighbours, 1 and 1 + 2^-6
    if library.name not in ("strict", "autograd"):
        got = f64(bf16(library.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, 1e30])))
        expected = [1, 1 + 2.0**-6, float(np.asarray(1e30, ml_dtypes.bfloat16))]
        np.testing.assert_array_equal(library.host(got), expected)
    if library.name != "strict":
        with np.errstate(over="ignore"):  # numpy tells of the overflow
            got = f64(f16(library.array([1 + 2.0**-11, 1 + 3 * 2.0**-11, 1e6])))
        np.testing.assert_array_equal(library.host(got), [1, 1 + 2.0**-9, np.inf])


def test_derivatives_pass_and_have_the_dtype_of_the_argument(selector: polylux.ADType) -> None:
    def f(p: Any) -> Any:
        return polylux.array_namespace(p).sum(f32(p) ** 2)

    got = polylux.to_host(polylux.gradient(f, selector, np.asarray([1.0, 2.0])))
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, [2, 4])


def test_eight_bit_floats_are_widened() -> None:
    assert f32(np.ones(2, ml_dtypes.float8_e4m3fn)).dtype == np.float32


def test_half_precision_is_widened() -> None:
    for dtype in (np.float16, ml_dtypes.bfloat16):
        np.testing.assert_array_equal(f32(np.asarray([1.5], dtype)), np.asarray([1.5], np.float32))
        assert f64(np.asarray([1.5], dtype)).dtype == np.float64


@each_width
def test_object_that_holds_arrays_is_asked_to_map_them(
    convert: Any, real: Any, complex_: Any
) -> None:
    class Holder:
        def __init__(self, arrays: Any) -> None:
            self.arrays = arrays

        def _map_arrays(self, function: Any) -> Any:
            return Holder(function(self.arrays))

    weight = np.asarray([1.0], ml_dtypes.float8_e5m2)
    held = Holder({"w": weight, "again": weight})
    for converted in (convert(held), convert([held])[0]):
        assert isinstance(converted, Holder)
        assert converted.arrays["w"].dtype == real
        assert converted.arrays["w"] is converted.arrays["again"]


@each_width
def test_train_state_is_converted_with_its_optimizer_slots_and_trains_on(
    convert: Any, real: Any, complex_: Any, differentiating: Any
) -> None:
    if (differentiating.name, convert) in LACKING:
        pytest.skip("no such dtype there; see the test of that")
    model = polylux.layers.Dense(2, 1)
    ps, st = polylux.setup(np.random.default_rng(0), model)
    ts = polylux.TrainState(model, ps, st, polylux.optimizers.Adam(0.1))
    data = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    loss = polylux.losses.MSELoss()
    selector = differentiating.selector
    *_, ts = polylux.single_train_step(selector, loss, data, ts)
    other = convert(ts)
    data = convert(polylux.to_backend(data, selector))
    *_, later = polylux.single_train_step(selector, loss, data, other)
    assert (other.step, later.step) == (1, 2)
    for state in (other, later):
        held = polylux.to_host((state.parameters, state.optimizer_state))
        arrays = [a for a in polylux.tree.leaves(held)[0] if not isinstance(a, int)]
        assert len(arrays) == 6  # two parameters, and two moments of each
        assert {a.dtype for a in arrays} == {np.dtype(real)}
    assert polylux.to_host(ts.parameters)["weight"].dtype == np.float32
