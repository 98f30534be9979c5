"""Slopes where a function has a corner, an end or a singular point, and dtypes at the edges."""

import math

import numpy as np
import pytest

autograd = pytest.importorskip("autograd")

import polylux_autograd.array_api as xp  # noqa: E402
from polylux_autograd._tracing import pullback, pushforward  # noqa: E402

inf = math.inf


def slopes(f, *points):
    """df/dx for every scalar argument: in reverse and, after a check, in forward mode."""
    points = [np.array(p, dtype=np.float64) for p in points]
    _, reverse = pullback(f, points, np.array(1.0))
    reverse = [float(g) for g in reverse]
    for i, expected in enumerate(reverse):
        tangents = [np.array(float(i == j)) for j in range(len(points))]
        _, forward = pushforward(f, points, tangents)
        assert float(forward) == expected
    return reverse


@pytest.mark.parametrize(
    ("f", "points", "expected"),
    [
        pytest.param(xp.abs, (0.0,), [0], id="abs at 0"),
        pytest.param(xp.maximum, (1.0, 1.0), [0.5, 0.5], id="maximum tie"),
        pytest.param(xp.minimum, (1.0, 1.0), [0.5, 0.5], id="minimum tie"),
        pytest.param(lambda x: xp.clip(x, 0.0, 1.0), (0.0,), [0.5], id="clip at the lower bound"),
        pytest.param(lambda x: xp.clip(x, 0.0, 1.0), (1.0,), [0.5], id="clip at the upper bound"),
        pytest.param(lambda x: xp.clip(x, 0.0, 1.0), (2.0,), [0], id="clip outside"),
        pytest.param(xp.hypot, (0.0, 0.0), [0, 0], id="hypot at the origin"),
        pytest.param(xp.atan2, (0.0, 0.0), [0, 0], id="atan2 at the origin"),
        pytest.param(xp.atan2, (1e200, 1e200), [5e-201, -5e-201], id="atan2 far out"),
        pytest.param(lambda x: x**0, (0.0,), [0], id="power 0 at 0"),
        pytest.param(lambda x: x**0.0, (0.0,), [0], id="power 0.0 at 0"),
        pytest.param(lambda x: x**1, (0.0,), [1], id="power 1 at 0"),
        pytest.param(lambda x: x**2, (0.0,), [0], id="power 2 at 0"),
        pytest.param(lambda x: x**2, (-3.0,), [-6], id="power 2 of a negative number"),
        pytest.param(lambda x: x ** xp.asarray(0.0), (0.0,), [0], id="array power 0 at 0"),
        pytest.param(lambda y: 0.0**y, (2.0,), [0], id="0 to a positive power"),
        pytest.param(xp.pow, (0.0, 2.0), [0, 0], id="0 to a traced power"),
        pytest.param(xp.pow, (0.0, 0.0), [0, 0], id="0 to the power 0"),
        pytest.param(xp.logaddexp, (inf, 0.0), [1, 0], id="logaddexp inf first"),
        pytest.param(xp.logaddexp, (0.0, inf), [0, 1], id="logaddexp inf second"),
        pytest.param(xp.logaddexp, (-inf, 0.0), [0, 1], id="logaddexp -inf first"),
        pytest.param(xp.logaddexp, (inf, inf), [0.5, 0.5], id="logaddexp both inf"),
        pytest.param(xp.logaddexp, (-inf, -inf), [0.5, 0.5], id="logaddexp both -inf"),
        pytest.param(xp.logaddexp, (800.0, 0.0), [1, 0], id="logaddexp far out"),
        pytest.param(xp.copysign, (-3.0, -0.0), [1, 0], id="copysign of a negative zero"),
        pytest.param(xp.copysign, (-3.0, 2.0), [-1, 0], id="copysign that flips"),
        pytest.param(xp.sqrt, (0.0,), [inf], id="sqrt at 0"),
        pytest.param(xp.sign, (0.3,), [0], id="sign"),
        pytest.param(xp.floor, (0.3,), [0], id="floor"),
        pytest.param(xp.round, (0.3,), [0], id="round"),
        pytest.param(lambda x, y: xp.floor_divide(x, y) * 1.0, (5.0, 2.0), [0, 0], id="floordiv"),
        pytest.param(xp.remainder, (5.0, 2.0), [1, -2], id="remainder"),
        pytest.param(xp.std, (3.0,), [0], id="std of one element"),
    ],
)
def test_slope_at_a_special_point(f, points, expected):
    with np.errstate(divide="ignore"):
        assert slopes(f, *points) == pytest.approx(expected, abs=0, rel=1e-12)


def gradient(f, x):
    return np.asarray(pullback(f, [np.asarray(x)], np.array(1.0))[1][0])


@pytest.mark.parametrize("f", [xp.max, xp.min])
def test_elements_that_tie_for_an_extreme_share_its_slope(f):
    np.testing.assert_array_equal(gradient(f, [2.0, 2.0, 2.0, 2.0]), [0.25] * 4)


def test_products_with_zeros():
    np.testing.assert_array_equal(gradient(xp.prod, [2.0, 0.0, 5.0]), [0, 10, 0])
    np.testing.assert_array_equal(gradient(xp.prod, [2.0, 0.0, 0.0]), [0, 0, 0])

    def slope_of_first(x):
        return pullback(xp.prod, [x], np.array(1.0))[1][0][1]

    # d2(xyz)/dy dz = x, also when y = z = 0
    np.testing.assert_array_equal(gradient(slope_of_first, [2.0, 0.0, 0.0]), [0, 0, 2])


def test_cumulative_products_with_zeros():
    def total(x):
        return xp.sum(xp.cumulative_prod(x))

    # a + ab + abc at (2, 0, 5)
    np.testing.assert_array_equal(gradient(total, [2.0, 0.0, 5.0]), [1, 12, 0])


def test_second_slope_of_logaddexp_where_its_share_is_one():
    def slope(x):
        return pullback(lambda a: xp.logaddexp(a, 0.0), [x], np.array(1.0))[1][0]

    assert slopes(slope, 800.0) == [0]
    assert slopes(slope, 0.0) == pytest.approx([0.25])


def test_repeated_index_adds_up_and_unused_elements_get_zero():
    index = xp.asarray([1, 1, -1, 1])
    np.testing.assert_array_equal(
        gradient(lambda x: xp.sum(xp.take(x, index)), [1.0, 2.0, 3.0]), [0, 3, 1])
    np.testing.assert_array_equal(
        gradient(lambda x: xp.sum(x[index]), [1.0, 2.0, 3.0]), [0, 3, 1])


def test_slices_of_one_array_add_up_beside_other_uses():
    def f(x):
        parts = [x[i] * (i + 1.0) for i in range(3)]
        return sum(parts) * 1.0 + xp.sum(x * 10) + xp.sum(x[1:]) + xp.sum(x[index] * x[index])

    index = xp.asarray([2, 2])
    expected = [11, 13, 14 + 4 * 3.0]
    np.testing.assert_array_equal(gradient(f, [1.0, 2.0, 3.0]), expected)
    np.testing.assert_array_equal(np.asarray(autograd.grad(f)(xp.asarray([1.0, 2, 3]))), expected)


def test_astype_casts_the_gradient_back():
    def f(x):
        return xp.sum(xp.astype(x, xp.float64) ** 2)

    (got,) = pullback(f, [np.ones(3, np.float32)], np.array(1.0))[1]
    assert got.dtype == xp.float32
    np.testing.assert_array_equal(np.asarray(got), [2, 2, 2])


def test_wider_partner_widens_the_value_but_not_the_gradient():
    wide = xp.asarray([1.0, 2.0], dtype=xp.float64)
    out, (got,) = pullback(lambda x: xp.sum(x * wide), [np.ones(2, np.float32)], np.array(1.0))
    assert (out.dtype, got.dtype) == (xp.float64, xp.float32)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    "partner",
    [2, 1.5, True, np.float64(1.5), np.arange(3), np.array([True, False, True]), np.int64(3)],
    ids=["int", "float", "bool", "numpy float", "int array", "bool array", "numpy int"],
)
@pytest.mark.parametrize("f", [xp.add, xp.multiply, xp.divide, xp.maximum])
def test_a_float_keeps_its_dtype_beside_other_kinds(f, partner, dtype):
    x = xp.asarray([1.0, 2.0, 3.0], dtype=dtype)
    for left, right in ((x, partner), (partner, x)):
        with np.errstate(divide="ignore"):  # the partner may hold zeros
            assert f(left, right).dtype == x.dtype
    with np.errstate(divide="ignore", invalid="ignore"):
        out, (got,) = pullback(lambda a: f(a, partner) * partner, [x], np.ones(3))
    assert (out.dtype, got.dtype) == (x.dtype, x.dtype)


def test_result_type_lets_the_float_win():
    assert xp.result_type(xp.int64, xp.float32) == xp.float32
    assert xp.result_type(xp.float32, xp.int64, xp.bool) == xp.float32
    assert xp.result_type(xp.asarray([1]), xp.float32, 2.0) == xp.float32
    assert xp.result_type(xp.float32, xp.float64) == xp.float64
    assert xp.result_type(xp.float32, 1j) == xp.complex64
