"""abs, sign, maximum, minimum, clip, hypot, norm, xlogx, xlogy, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from polylux import (
    ADType,
    AutoAutograd,
    AutoJax,
    AutoTorch,
    array_namespace,
    gradient,
    ops,
    selector_of,
    to_backend,
    to_host,
)
from polylux.errors import ArrayMixError, DTypeError, OptionError, ShapeError

EPS = 2.0**-52


@pytest.fixture(params=[AutoTorch(), AutoJax(), AutoAutograd()], ids=repr)
def selector(request: pytest.FixtureRequest) -> ADType:
    """Without eager JAX, which compiles each of these operations by itself."""
    return request.param  # type: ignore[no-any-return]


INF, NAN = np.inf, np.nan


def slopes(f: Callable[..., Any], selector: ADType, *points: Any) -> list[list[float]]:
    """Derivatives of the sum of `f` by each of its operands."""

    def total(p: Any) -> Any:
        y = f(*p)
        return array_namespace(y).sum(y)

    operands = tuple(np.asarray(p, dtype=np.float64) for p in points)
    return [to_host(g).tolist() for g in gradient(total, selector, operands)]


def second_slopes(f: Callable[[Any], Any], selector: ADType, point: Any) -> list[float]:
    """Second derivatives of an elementwise function."""

    def total(x: Any) -> Any:
        y = f(x)
        return array_namespace(y).sum(y)

    def of_slopes(x: Any) -> Any:
        return array_namespace(x).sum(gradient(total, selector_of(x), x))

    return to_host(gradient(of_slopes, selector, np.asarray(point))).tolist()  # type: ignore[no-any-return]


def test_abs_has_slope_0_at_0(selector: ADType) -> None:
    assert slopes(ops.abs, selector, [-2.0, -0.0, 0.0, 3.0, -INF, INF]) == [[-1, 0, 0, 1, -1, 1]]
    assert second_slopes(ops.abs, selector, [-2.0, 0.0, 3.0]) == [0, 0, 0]


def test_sign_is_flat(selector: ADType) -> None:
    assert slopes(ops.sign, selector, [-2.0, 0.0, 3.0]) == [[0, 0, 0]]


def test_sign_of_nan_is_nan(library: Any) -> None:
    found = library.host(ops.sign(library.array([NAN, -INF, 0.0])))
    np.testing.assert_array_equal(found, [NAN, -1, 0])


def test_maximum_and_minimum_share_a_tie(selector: ADType) -> None:
    x1, x2 = [1.0, 2.0, 3.0, INF], [2.0, 2.0, 2.0, INF]
    assert slopes(ops.maximum, selector, x1, x2) == [[0, 0.5, 1, 0.5], [1, 0.5, 0, 0.5]]
    assert slopes(ops.minimum, selector, x1, x2) == [[1, 0.5, 0, 0.5], [0, 0.5, 1, 0.5]]


def test_clip_has_slope_one_half_at_a_bound(selector: ADType) -> None:
    x = [-2.0, -1.0, 0.5, 1.0, 2.0]
    assert slopes(lambda x: ops.clip(x, -1.0, 1.0), selector, x) == [[0, 0.5, 1, 0.5, 0]]
    assert slopes(lambda x: ops.clip(x, min=-1.0), selector, x) == [[0, 0.5, 1, 1, 1]]
    assert slopes(lambda x: ops.clip(x, max=1.0), selector, x) == [[1, 1, 1, 0.5, 0]]


def test_clip_by_arrays(selector: ADType) -> None:
    found = slopes(ops.clip, selector, [0.0, 2.0, 4.0], [1.0, 1.0, 1.0], [3.0, 3.0, 3.0])
    assert found == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_clip_without_bounds_is_the_same_object() -> None:
    x = np.ones(2)
    assert ops.clip(x) is x


def test_values_of_the_kinked(library: Any) -> None:
    x = library.array([-2.0, 0.0, 3.0, NAN])
    np.testing.assert_array_equal(library.host(ops.abs(x)), [2, 0, 3, NAN])
    np.testing.assert_array_equal(library.host(ops.maximum(x, 1.0)), [1, 1, 3, NAN])
    np.testing.assert_array_equal(library.host(ops.minimum(1.0, x)), [-2, 0, 1, NAN])
    np.testing.assert_array_equal(library.host(ops.clip(x, -1.0, 2.0)), [-1, 0, 2, NAN])


def test_hypot_has_slope_0_at_the_origin_and_limits_at_infinity(selector: ADType) -> None:
    x1, x2 = [0.0, 3.0, INF, INF, 1.0], [0.0, 4.0, 1.0, -INF, -INF]
    half = float(1 / np.sqrt(np.float64(2)))
    by_1, by_2 = slopes(ops.hypot, selector, x1, x2)
    np.testing.assert_allclose(by_1, [0, 0.6, 1, half, 0], rtol=2 * EPS)
    np.testing.assert_allclose(by_2, [0, 0.8, 0, -half, -1], rtol=2 * EPS)


def test_hypot_does_not_overflow(selector: ADType) -> None:
    by_1, by_2 = slopes(ops.hypot, selector, [3e200, 3e-200], [4e200, 4e-200])
    np.testing.assert_allclose(by_1, [0.6, 0.6], rtol=8 * EPS)
    np.testing.assert_allclose(by_2, [0.8, 0.8], rtol=8 * EPS)


def test_hypot_has_the_right_curvature(selector: ADType) -> None:
    def along(x: Any) -> Any:
        return ops.hypot(x, array_namespace(x).full_like(x, 4.0))

    # x2**2 / h**3
    found = second_slopes(along, selector, [3.0, 0.0])
    np.testing.assert_allclose(found, [16 / 125, 1 / 4], rtol=8 * EPS)


@pytest.mark.parametrize("scale", [1.0, 1e200, 1e-200, 0.0])
def test_norm_at_every_scale(selector: ADType, scale: float) -> None:
    x = scale * np.asarray([3.0, 0.0, -4.0])
    ((first, second, third),) = slopes(ops.norm, selector, x)
    expected = [0.6, 0, -0.8] if scale else [0, 0, 0]
    np.testing.assert_allclose([first, second, third], expected, rtol=8 * EPS)
    np.testing.assert_allclose(
        float(ops.norm(to_backend(x, selector))), scale * 5, rtol=4 * EPS
    )


def test_norm_at_infinity(selector: ADType) -> None:
    assert slopes(ops.norm, selector, [1.0, -INF]) == [[0, -1]]


def test_norm_has_the_right_hessian(selector: ADType) -> None:
    x = np.asarray([0.3, -0.7, 1.9])

    def first(x: Any) -> Any:
        return gradient(ops.norm, selector_of(x), x)[0]

    r = np.linalg.norm(x)
    expected = np.asarray([1, 0, 0]) / r - x * x[0] / r**3
    np.testing.assert_allclose(to_host(gradient(first, selector, x)), expected, rtol=32 * EPS)


def test_norm_is_flat_at_0_to_second_order(selector: ADType) -> None:
    def first(x: Any) -> Any:
        return gradient(ops.norm, selector_of(x), x)[0]

    assert to_host(gradient(first, selector, np.zeros(3))).tolist() == [0, 0, 0]


def test_norm_along_axes(library: Any) -> None:
    x = library.array(np.arange(24.0).reshape(2, 3, 4))
    host = np.arange(24.0).reshape(2, 3, 4)
    for dim, keepdims in ((-1, False), ((0, 2), True), (None, False), ((), False)):
        axes = tuple(range(3)) if dim is None else dim if isinstance(dim, tuple) else (dim,)
        found = library.host(ops.norm(x, dim, keepdims=keepdims))
        expected = np.sqrt(np.sum(host**2, axis=axes, keepdims=keepdims))
        np.testing.assert_allclose(found, expected, rtol=8 * EPS)


def test_norm_of_nothing_is_0(library: Any) -> None:
    assert library.host(ops.norm(library.array(np.ones((2, 0))), -1)).tolist() == [0, 0]


def test_xlogx_against_the_closed_form(selector: ADType) -> None:
    x = [1e-300, 1e-3, 0.25, 1.0, 3.0, 1e300]
    with mp.workdps(40):
        values = [float(mp.mpf(v) * mp.log(v)) for v in x]
        derivatives = [float(mp.log(v) + 1) for v in x]
    found = to_host(ops.xlogx(to_backend(np.asarray(x), selector)))
    np.testing.assert_allclose(found, values, rtol=4 * EPS)
    np.testing.assert_allclose(slopes(ops.xlogx, selector, x)[0], derivatives, rtol=4 * EPS)
    np.testing.assert_allclose(
        second_slopes(ops.xlogx, selector, x), 1 / np.asarray(x), rtol=4 * EPS
    )


def test_xlogx_at_the_edges(selector: ADType) -> None:
    x = np.asarray([0.0, INF, NAN, -1.0])
    with np.errstate(all="ignore"):  # log(-1)
        np.testing.assert_array_equal(
            to_host(ops.xlogx(to_backend(x, selector))), [0, INF, NAN, NAN]
        )
        np.testing.assert_array_equal(slopes(ops.xlogx, selector, x)[0], [0, INF, NAN, NAN])
    assert second_slopes(ops.xlogx, selector, [0.0, INF]) == [0, 0]


@pytest.mark.parametrize(
    ("x", "y", "value", "by_x", "by_y"),
    [
        (2.0, 0.5, -2 * np.log(2.0), -np.log(2.0), 4.0),
        (0.0, 0.5, 0.0, -np.log(2.0), 0.0),
        (0.0, 0.0, 0.0, 0.0, 0.0),
        (0.0, NAN, 0.0, 0.0, 0.0),
        (0.0, -1.0, 0.0, 0.0, 0.0),
        (0.0, INF, 0.0, INF, 0.0),
        (2.0, 0.0, -INF, -INF, INF),
        (2.0, INF, INF, INF, 0.0),
        (NAN, 2.0, NAN, np.log(2.0), NAN),
        (1.0, NAN, NAN, NAN, NAN),
    ],
)
def test_xlogy(
    selector: ADType, x: float, y: float, value: float, by_x: float, by_y: float
) -> None:
    points = to_backend((np.asarray([x]), np.asarray([y])), selector)
    with np.errstate(all="ignore"):  # log(0)
        np.testing.assert_allclose(to_host(ops.xlogy(*points)), [value], rtol=2 * EPS)
        (found_x,), (found_y,) = slopes(ops.xlogy, selector, [x], [y])
    np.testing.assert_allclose([found_x, found_y], [by_x, by_y], rtol=2 * EPS)


def test_xlogy_mixed_second_derivative_at_x_0(selector: ADType) -> None:
    def by_y(x: Any) -> Any:
        xp = array_namespace(x)
        return xp.sum(gradient(lambda y: xp.sum(ops.xlogy(x, y)), selector_of(x), 0 * x + 4.0))

    assert to_host(gradient(by_y, selector, np.asarray([0.0, 2.0]))).tolist() == [0.25, 0.25]


def test_integers_become_floating_numbers(library: Any) -> None:
    n = library.array([0, 2], np.int32)
    assert library.host(ops.xlogx(n)).dtype == np.float64
    y = library.array([2.0, 2.0], np.float32)
    found = library.host(ops.xlogy(n, y))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0, 2 * np.log(2)], rtol=1e-7)
    assert library.host(ops.maximum(n, 1)).dtype == np.int32


def test_float32_stays(selector: ADType) -> None:
    x = to_backend(np.asarray([0.5, 2.0], dtype=np.float32), selector)
    for f in (ops.abs, ops.sign, ops.norm, ops.xlogx, lambda x: ops.clip(x, 0.0, 1.0)):
        assert to_host(f(x)).dtype == np.float32


def test_what_is_no_real_array_is_an_error() -> None:
    with pytest.raises(ArrayMixError, match="abs needs an array, got -1"):
        ops.abs(-1.0)
    with pytest.raises(ArrayMixError, match="maximum needs at least one array"):
        ops.maximum(1.0, 2.0)
    with pytest.raises(DTypeError, match="norm needs real numbers, got complex128"):
        ops.norm(np.ones(2, dtype=np.complex128))
    with pytest.raises(ShapeError, match=r"an array of shape \(2,\) has no axis 1"):
        ops.norm(np.ones(2), 1)
    with pytest.raises(OptionError, match="takes an int or a tuple of ints, got 'x'"):
        ops.norm(np.ones(2), "x")  # type: ignore[arg-type]
