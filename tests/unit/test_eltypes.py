"""match_eltype: which pairs of dtypes count, and what each value of the preference does."""

from __future__ import annotations

import warnings
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import polylux
from polylux import eltypes, match_eltype, override_preferences
from polylux.dtypes import dtype_name
from polylux.errors import EltypeMismatchError, EltypeMismatchWarning
from polylux.layers import Dense

FLOATS = ("float64", "float32", "float16", "bfloat16")
INTEGERS = ("int8", "int32", "int64", "uint8", "bool")
PAIRS = {
    "float64": INTEGERS,
    "float32": (*INTEGERS, "float64"),
    "float16": (*INTEGERS, "float64", "float32", "bfloat16"),
    "bfloat16": (*INTEGERS, "float64", "float32", "float16"),
}


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eltypes, "_SAID", type(eltypes._SAID)())


def array(name: str) -> Any:
    return np.ones(2, ml_dtypes.bfloat16 if name == "bfloat16" else name)


def handling(value: str) -> Any:
    return override_preferences(eltype_mismatch_handling=value)


@pytest.mark.parametrize("layer", FLOATS)
def test_pairs_that_count_are_those_of_the_table(layer: str) -> None:
    with handling("error"):
        for name in (*FLOATS, *INTEGERS, "complex64", "complex128"):
            if name in PAIRS[layer]:
                text = f"is of {layer}, and its input is of {name}"
                with pytest.raises(EltypeMismatchError, match=text):
                    match_eltype("layer", {"w": array(layer)}, {}, array(name))
            else:
                match_eltype("layer", {"w": array(layer)}, {}, array(name))


def test_none_hands_the_very_inputs_on() -> None:
    x, y = array("float64"), {"a": array("int32")}
    assert match_eltype("layer", {"w": array("float32")}, {}, x) is x
    got = match_eltype("layer", {"w": array("float32")}, {}, x, y)
    assert isinstance(got, tuple)
    assert got[0] is x
    assert got[1] is y


def test_layers_dtype_is_that_of_parameters_and_states() -> None:
    with handling("error"):
        match_eltype("layer", {"w": array("float32")}, {"mean": array("float64")}, array("float64"))
        match_eltype("layer", {}, {}, array("float64"))
        match_eltype("layer", {}, {"key": array("int32"), "rate": 0.5}, array("int64"))


def test_warning_is_given_once_for_each_layer_and_pair() -> None:
    ps = {"w": array("float32")}
    with handling("warn"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            for layer in (Dense(2, 2), Dense(2, 3)):
                for name in ("float64", "int32", "float16"):
                    x = array(name)
                    assert match_eltype(layer, ps, {}, x) is x
    said = [str(w.message).partition(";")[0] for w in caught]
    assert len(said) == len(set(said)) == 4
    assert {w.category for w in caught} == {EltypeMismatchWarning}
    assert {w.filename for w in caught} == {__file__}
    assert "Dense(2, 3) is of float32, and its input is of int32" in said


def test_layers_that_cannot_be_hashed_warn_too() -> None:
    with handling("warn"), pytest.warns(EltypeMismatchWarning) as caught:
        for _ in range(2):
            match_eltype([1], {"w": array("float32")}, {}, array("float64"))
    assert len(caught) == 1


def test_warnings_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eltypes, "_SAID_SIZE", 3)
    with handling("warn"), pytest.warns(EltypeMismatchWarning):
        for i in range(10):
            match_eltype(f"layer {i}", {"w": array("float32")}, {}, array("float64"))
    assert len(eltypes._SAID) == 3


def test_convert_casts_what_is_wider_and_nothing_else(library: Any) -> None:
    ps = {"w": library.array([1.0], np.float32)}
    wide, integer = library.array([1.5]), library.array([2], np.int32)
    narrow = library.array([0.5], np.float32)
    with handling("convert"), pytest.warns(EltypeMismatchWarning) as caught:
        x, rest = match_eltype("layer", ps, {}, wide, {"n": integer, "narrow": narrow, "k": 3})
    said = [str(w.message).partition(", so")[0] for w in caught]
    assert said == [
        "layer is of float32, and its inputs[0] is of float64; it is cast at each call",
        "layer is of float32, and its inputs[1]['n'] is of int32; it is cast at each call",
    ]
    assert [dtype_name(a.dtype) for a in (x, rest["n"], rest["narrow"])] == ["float32"] * 3
    assert [float(library.host(a)[0]) for a in (x, rest["n"])] == [1.5, 2.0]
    assert rest["narrow"] is narrow
    assert rest["k"] == 3


@pytest.mark.parametrize(
    ("name", "mend"),
    [("float64", r"f32\(x\) or f64\(ps\)"), ("int32", r"xp.astype\(x, xp.float32\)")],
)
def test_message_says_how_to_mend_it(name: str, mend: str) -> None:
    with handling("error"), pytest.raises(EltypeMismatchError, match=mend):
        match_eltype("layer", {"w": array("float32")}, {}, array(name))


def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
    y, st = model(data, ps, st)
    return polylux.array_namespace(y).sum(y * y), st, {"dtype": dtype_name(y.dtype)}


def state(model: Any) -> Any:
    ps, st = polylux.setup(np.random.default_rng(0), model)
    return polylux.TrainState(model, ps, st, polylux.optimizers.SGD(0.1))


def test_dense_follows_the_preference_at_every_call(selector: polylux.ADType) -> None:
    # One train state throughout: what is traced under one value must not be used under another.
    ts, x = state(Dense(2, 3)), np.ones((4, 2))

    def dtype() -> str:
        return polylux.compute_gradients(selector, objective, x, ts).stats["dtype"]

    assert dtype() == "float64"
    with (
        handling("error"),
        pytest.raises(EltypeMismatchError, match=r"Dense\(2, 3\) is of float32"),
    ):
        dtype()
    with handling("convert"), pytest.warns(EltypeMismatchWarning):
        assert dtype() == "float32"
    assert dtype() == "float64"


def test_gradient_of_a_converted_input_has_the_inputs_dtype(selector: polylux.ADType) -> None:
    layer = Dense(2, 1, use_bias=False)
    weight = np.asarray([[2.0], [3.0]], np.float32)

    def f(p: Any, w: Any) -> Any:
        return polylux.array_namespace(w).sum(layer(p, {"weight": w}, {})[0])

    x = np.ones((1, 2))
    with handling("convert"), pytest.warns(EltypeMismatchWarning):
        value, got = polylux.to_host(polylux.value_and_gradient(f, selector, x, weight))
    assert value.dtype == np.float32
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, [[2, 3]])
