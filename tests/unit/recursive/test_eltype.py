"""recursive_eltype: one promotion rule for every library, and whose dtype object comes back."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import polylux
from polylux import recursive_eltype
from polylux.dtypes import dtype_name, promoted
from polylux.errors import ArrayMixError, DTypeError

RULE = {
    "float32 and int64": (["float32", "int64"], "float32"),
    "float32 and bool": (["float32", "bool"], "float32"),
    "float64 and float32": (["float64", "float32"], "float64"),
    "float16 and int32": (["float16", "int32"], "float16"),
    "bool and int32": (["bool", "int32"], "int32"),
    "uint8 and int8": (["uint8", "int8"], "int16"),
    "complex64 and float32": (["complex64", "float32"], "complex64"),
    "complex64 and float64": (["complex64", "float64"], "complex128"),
    "complex64 and int64": (["complex64", "int64"], "complex64"),
    "bool": (["bool"], "bool"),
}


@pytest.mark.parametrize(("names", "expected"), RULE.values(), ids=RULE)
def test_rule_is_the_same_in_every_library(names: list[str], expected: str, library: Any) -> None:
    if "float16" in names and library.name == "strict":
        pytest.skip("array-api-strict has no float16")
    if library.name == "jax":
        names = [name.replace("int64", "int32") for name in names]
    arrays = [library.array([1], name) for name in names]
    for order in (arrays, arrays[::-1]):
        got = recursive_eltype({"x": order})
        assert dtype_name(got) == expected
        assert got == library.array([1], expected).dtype


def test_rule_agrees_with_jax_and_torch_wherever_these_agree() -> None:
    torch, jnp = pytest.importorskip("torch"), pytest.importorskip("jax.numpy")
    names = [
        "bool", "int8", "int16", "int32", "int64", "uint8", "float16", "bfloat16", "float32",
        "float64", "complex64", "complex128",
    ]  # fmt: skip
    compared = 0
    for a in names:
        for b in names:
            theirs = dtype_name(torch.promote_types(getattr(torch, a), getattr(torch, b)))
            if theirs == jnp.promote_types(a, b).name:
                compared += 1
                assert promoted(a, b) == theirs, (a, b)
    assert compared > 120


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [
        ([], "bool"),
        ([True, "text", None, len], "bool"),
        ([3], "int64"),
        ([0.5, 3], "float64"),
        ([1j], "complex128"),
        ([np.ones(1, np.float32), 0.5, 3], "float32"),
        ([np.ones(1, np.float16), 0.5], "float16"),
        ([np.ones(1, np.int32), 3], "int32"),
        ([np.ones(1, np.int32), 0.5], "float64"),
        ([np.ones(1, np.float32), 1j], "complex64"),
        ([np.ones(1, np.float64), 1j], "complex128"),
    ],
)
def test_python_numbers_are_weak(leaves: list[Any], expected: str) -> None:
    assert recursive_eltype(leaves) == np.dtype(expected)


def test_bfloat16() -> None:
    narrow = np.ones(1, ml_dtypes.bfloat16)
    assert recursive_eltype([narrow, np.ones(1, np.int64)]) == narrow.dtype
    assert recursive_eltype([narrow, np.ones(1, np.float16)]) == np.float32


def test_numpy_arrays_count_as_those_of_the_library_beside_them(differentiating: Any) -> None:
    x = [np.ones(1, np.float64), differentiating.array([1.0], np.float32)]
    got = recursive_eltype(x)
    assert dtype_name(got) == "float64"
    assert got == differentiating.array([1.0]).dtype


def test_two_libraries_besides_numpy_are_an_error() -> None:
    x = [polylux.to_backend(np.ones(1), s) for s in (polylux.AutoTorch(), polylux.AutoAutograd())]
    with pytest.raises(ArrayMixError, match="'?autograd'? and '?torch"):
        recursive_eltype(x)


def test_dtype_without_a_rule_names_its_leaf() -> None:
    with pytest.raises(DTypeError, match=r"float8_e4m3fn, the dtype of the leaf \['a'\]\[1\]"):
        recursive_eltype({"a": [1.0, np.ones(1, ml_dtypes.float8_e4m3fn)]})


def test_traced_arrays_have_their_dtype(selector: polylux.ADType) -> None:
    seen: list[str] = []

    def f(p: Any) -> Any:
        seen.append(dtype_name(recursive_eltype(p)))
        return p["w"].sum()

    polylux.gradient(f, selector, {"w": np.ones(2, np.float32), "n": np.ones(1, np.int32)})
    polylux.gradient(f, selector, {"w": np.ones(2, np.float64)})
    assert seen == ["float32", "float64"]
