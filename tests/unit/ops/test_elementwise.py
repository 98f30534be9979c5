"""Values and derivatives of the activations, against multiprecision closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import polylux
from polylux import ops
from polylux.arrays import precision_scope

EPS = 2.0**-52
POINTS = [
    -800.0, -745.0, -100.0, -40.0, -36.7, -30.0, -26.3, -21.0, -10.0, -6.0, -3.3, -1.0, -1e-3,
    -1e-300, 0.0, 1e-300, 1e-3, 0.5, 1.0, 2.5, 6.0, 10.0, 21.0, 30.0, 40.0, 100.0, 710.0, 800.0,
]  # fmt: skip
NAMES = ["relu", "tanh", "sigmoid", "silu", "softplus", "log_sigmoid", "gelu", "gelu_approximate"]


def _relu(x: Any) -> Any:
    return max(x, 0)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x))


def _gelu(x: Any) -> Any:
    return x * mp.erfc(-x / mp.sqrt(2)) / 2


def _gelu_approximate(x: Any) -> Any:
    # The paper's form with tanh.
    inner = mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)
    return x * (1 + mp.tanh(inner)) / 2


VALUES: dict[str, Callable[[Any], Any]] = {
    "relu": _relu,
    "tanh": mp.tanh,
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "softplus": _softplus,
    "log_sigmoid": lambda x: -_softplus(-x),
    "gelu": _gelu,
    "gelu_approximate": _gelu_approximate,
}
DERIVATIVES: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: mp.mpf(x > 0),  # 0 at 0: the project's convention
    "tanh": lambda x: mp.sech(x) ** 2,
    "sigmoid": lambda x: _sigmoid(x) * _sigmoid(-x),
    "silu": lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x)),
    "softplus": _sigmoid,
    "log_sigmoid": lambda x: _sigmoid(-x),
    "gelu": lambda x: mp.ncdf(x) + x * mp.npdf(x),
    "gelu_approximate": lambda x: mp.diff(_gelu_approximate, x),
}


def _function(name: str, neutral: bool) -> Callable[[Any], Any]:
    function = ops.gelu if name.startswith("gelu") else getattr(ops, name)
    chosen = function.neutral if neutral else function
    if name == "gelu_approximate":
        return lambda x: chosen(x, approximate=True)
    return chosen  # type: ignore[no-any-return]


def _exact(function: Callable[[Any], Any], points: list[float]) -> np.ndarray[Any, Any]:
    with mp.workdps(700):  # 1 + tanh(x) at -30 loses thirty digits, at -40 hundreds
        return np.asarray([float(function(mp.mpf(x))) for x in points])


@pytest.mark.parametrize("name", NAMES)
def test_value_is_right_to_full_relative_precision(name: str) -> None:
    computed = _function(name, neutral=True)(np.asarray(POINTS))
    exact = _exact(VALUES[name], POINTS)
    # A handful of roundings; one more for the exponent of gelu's approximation, which is as large
    # as 200 where the value is above 1e-90, and whose rounding is magnified by its size.
    factor = np.full(len(POINTS), 6.0)
    if name == "gelu_approximate":
        factor += np.minimum(np.abs(POINTS), 8.0) ** 3
    np.testing.assert_array_less(np.abs(computed - exact), factor * EPS * np.abs(exact) + 1e-300)


@pytest.mark.parametrize("name", NAMES)
def test_value_is_the_same_in_every_library(name: str, library: Any) -> None:
    computed = library.host(_function(name, neutral=False)(library.array(POINTS)))
    scale = np.maximum(np.abs(POINTS), 1.0)
    np.testing.assert_array_less(np.abs(computed - _exact(VALUES[name], POINTS)), 6 * EPS * scale)


@pytest.mark.parametrize("neutral", [True, False], ids=["neutral", "kernel"])
@pytest.mark.parametrize("name", NAMES)
def test_derivative_is_the_closed_form_at_kinks_and_extremes(
    name: str, neutral: bool, differentiating: Any
) -> None:
    function = _function(name, neutral)

    def total(x: Any) -> Any:
        return polylux.array_namespace(x).sum(function(x))

    x = differentiating.array(POINTS)
    gradient = differentiating.host(polylux.gradient(total, differentiating.selector, x))
    exact = _exact(DERIVATIVES[name], POINTS)
    tolerance = np.full(len(POINTS), 8 * EPS)
    if name in ("silu", "gelu", "gelu_approximate"):
        # Products of x and 1 - sigmoid(x) or its like, which is rounded as a number close to 1.
        tolerance *= np.maximum(np.abs(POINTS), 1.0)
    if name.startswith("gelu"):
        # 25 terms of a polynomial, the absolute coefficients of whose derivative add up to 3
        tolerance += 56 * EPS
    np.testing.assert_array_less(np.abs(gradient - exact), tolerance)


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("relu", 0.0, np.inf),
        ("tanh", -1.0, 1.0),
        ("sigmoid", 0.0, 1.0),
        ("softplus", 0.0, np.inf),
        ("log_sigmoid", -np.inf, 0.0),
    ],
)
def test_value_at_infinity_is_the_limit(name: str, left: float, right: float, library: Any) -> None:
    computed = library.host(getattr(ops, name)(library.array([-np.inf, np.inf])))
    np.testing.assert_array_equal(computed, [left, right])


@pytest.mark.parametrize("name", ["silu", "gelu", "gelu_approximate"])
def test_value_at_plus_infinity_is_infinite(name: str, library: Any) -> None:
    assert library.host(_function(name, False)(library.array([np.inf])))[0] == np.inf


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [("relu", 0, 1), ("tanh", 0, 0), ("sigmoid", 0, 0), ("softplus", 0, 1), ("log_sigmoid", 1, 0)],
)
def test_derivative_of_the_neutral_definition_at_infinity_is_the_limit(
    name: str, left: float, right: float, differentiating: Any
) -> None:
    function = _function(name, neutral=True)

    def total(x: Any) -> Any:
        return polylux.array_namespace(x).sum(function(x))

    x = differentiating.array([-np.inf, np.inf])
    gradient = differentiating.host(polylux.gradient(total, differentiating.selector, x))
    np.testing.assert_array_equal(gradient, [left, right])


@pytest.mark.parametrize("name", NAMES)
def test_neutral_definition_is_linear_or_constant_far_out(name: str, differentiating: Any) -> None:
    function = _function(name, neutral=True)
    x = differentiating.array([-1e300, -1e160, 1e160, 1e300])  # their squares overflow

    def total(x: Any) -> Any:
        return polylux.array_namespace(x).sum(function(x))

    with precision_scope(x):
        value = differentiating.host(function(x))
    gradient = differentiating.host(polylux.gradient(total, differentiating.selector, x))
    left, right = {"tanh": (0, 0), "sigmoid": (0, 0), "log_sigmoid": (1, 0)}.get(name, (0, 1))
    np.testing.assert_array_equal(gradient, [left, left, right, right])
    slope = np.asarray([left, left, right, right])
    level = {"tanh": [-1, -1, 1, 1], "sigmoid": [0, 0, 1, 1]}.get(name, [0, 0, 0, 0])
    np.testing.assert_array_equal(value, slope * [-1e300, -1e160, 1e160, 1e300] + level)


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_nan(name: str, library: Any) -> None:
    assert np.isnan(library.host(_function(name, False)(library.array([np.nan]))))[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_dtype_is_kept(name: str, dtype: Any, library: Any) -> None:
    x = library.array([[-1.5, 0.0, 2.0]], dtype)
    computed = library.host(_function(name, False)(x))
    assert computed.dtype == dtype
    assert computed.shape == (1, 3)
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        computed[0], _exact(VALUES[name], [-1.5, 0.0, 2.0]), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("name", NAMES)
def test_empty_and_scalar_arrays_pass(name: str, library: Any) -> None:
    function = _function(name, False)
    assert library.host(function(library.array(np.zeros((0, 3))))).shape == (0, 3)
    assert library.host(function(library.array(0.5))).shape == ()


def test_float16_gelu_is_the_float32_one_rounded_once() -> None:
    x = np.linspace(-6, 6, 101).astype(np.float16)
    expected = ops.gelu.neutral(x.astype(np.float32)).astype(np.float16)
    np.testing.assert_array_equal(ops.gelu.neutral(x), expected)


def test_gelu_coefficients_are_the_chebyshev_series_of_their_function() -> None:
    from polylux.ops import _gelu

    # At the Chebyshev nodes a series cut below 2**-54 differs from its function by that much.
    for j in range(40):
        u = mp.cos(mp.pi * (j + mp.mpf(1) / 2) / 40)
        z = mp.mpf(_gelu._K) * (1 + u) / (1 - u)
        with mp.workdps(60):
            exact = (1 + 2 * z) * mp.exp(z * z) * mp.erfc(z)
            series = mp.polyval([mp.mpf(c) for c in _gelu._COEFFICIENTS[::-1]], u)
        assert abs(series - exact) < 2.0**-52


SECOND_DERIVATIVES: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda x: _sigmoid(x) * _sigmoid(-x) * (_sigmoid(-x) - _sigmoid(x)),
    "silu": lambda x: _sigmoid(x) * _sigmoid(-x) * (2 + x * (_sigmoid(-x) - _sigmoid(x))),
    "softplus": lambda x: _sigmoid(x) * _sigmoid(-x),
    "log_sigmoid": lambda x: -_sigmoid(x) * _sigmoid(-x),
    "gelu": lambda x: (2 - x * x) * mp.npdf(x),
}
FAR = [
    -700.0, -100.0, -37.0, -26.3, -17.2, -6.0, -3.3, 0.25, 3.3, 6.0, 17.2, 26.3, 37.0, 100.0, 700.0,
]  # fmt: skip


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", SECOND_DERIVATIVES)
def test_derivatives_keep_their_digits_far_out(
    name: str, order: int, differentiating: Any
) -> None:
    function = getattr(ops, name)
    points = [x for x in FAR if name != "gelu" or -38 < x < 38]

    def total(x: Any) -> Any:
        return polylux.array_namespace(x).sum(function(x))

    def of_slopes(x: Any) -> Any:
        slopes = polylux.gradient(total, polylux.selector_of(x), x)
        return polylux.array_namespace(x).sum(slopes)

    f = total if order == 1 else of_slopes
    found = differentiating.host(
        polylux.gradient(f, differentiating.selector, differentiating.array(points))
    )
    exact = _exact((DERIVATIVES if order == 1 else SECOND_DERIVATIVES)[name], points)
    # A product of a few factors; the exponent of a normal tail is x**2 / 2, whose rounding it
    # magnifies by its size. Terms that cancel leave a sixteenth of the largest, or more.
    condition = 16 * np.ones(len(points))
    if name == "gelu":
        condition += np.asarray(points) ** 2
    np.testing.assert_array_less(np.abs(found - exact), 8 * EPS * condition * np.abs(exact))


@pytest.mark.parametrize(
    ("name", "left", "right"), [("silu", 0, 1), ("gelu", 0, 1), ("gelu_approximate", 0, 1)]
)
@pytest.mark.parametrize("neutral", [True, False], ids=["neutral", "kernel"])
def test_limits_of_the_self_gated(
    name: str, left: float, right: float, neutral: bool, differentiating: Any
) -> None:
    function = _function(name, neutral)
    x = differentiating.array([-np.inf, np.inf, np.nan])
    with precision_scope(x):
        np.testing.assert_array_equal(differentiating.host(function(x)), [0, np.inf, np.nan])

    def total(x: Any) -> Any:
        return polylux.array_namespace(x).sum(function(x))

    found = differentiating.host(polylux.gradient(total, differentiating.selector, x))
    np.testing.assert_array_equal(found[:2], [left, right])
