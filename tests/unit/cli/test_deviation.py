"""Deviations against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polylux.cli._deviation import Deviation, deviation, of_curve, of_leaves
from polylux.errors import DTypeError, ShapeError

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@DTYPES
def test_equal_arrays_do_not_deviate(dtype: type) -> None:
    values = np.asarray([0, 1, -2, np.inf, np.nan], dtype=dtype)
    assert deviation(values, values.copy()) == Deviation(0.0, 0.0)


@DTYPES
@pytest.mark.parametrize("value", [1.0, -3.0, 1e-3, 1e30])
def test_the_next_number_away_from_zero_is_one_ulp_away(dtype: type, value: float) -> None:
    a = np.asarray([value], dtype=dtype)
    b = np.nextafter(a, dtype(math.copysign(np.inf, value)))
    assert deviation(a, b).ulps == 1.0
    # between eps / 2 and eps, as the value stands within its binade
    assert np.finfo(dtype).eps / 2 <= deviation(a, b).relative <= np.finfo(dtype).eps


@DTYPES
def test_the_number_before_a_power_of_two_is_half_an_ulp_of_it_away(dtype: type) -> None:
    one = np.ones(1, dtype=dtype)
    assert deviation(one, np.nextafter(one, dtype(0))).ulps == 0.5


def test_a_difference_counts_against_the_largest_entry_of_the_array() -> None:
    a, b = np.asarray([8.0, 1.0]), np.asarray([8.0, 1.5])
    assert deviation(a, b) == Deviation(0.5 / 8, 0.5 / 2.0**-49)


def test_a_difference_counts_against_the_larger_of_the_two_arrays() -> None:
    assert deviation(np.asarray([0.0]), np.asarray([-4.0])).relative == 1.0


def test_deviation_is_symmetric() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    assert deviation(a, b) == deviation(b, a)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_in_one_array_only_gives_nan(bad: float) -> None:
    found = deviation(np.asarray([1.0, bad]), np.asarray([1.0, 1.0]))
    assert math.isnan(found.relative)
    assert math.isnan(found.ulps)


def test_arrays_of_different_shapes_are_an_error() -> None:
    with pytest.raises(ShapeError, match=r"different shapes, \(2,\) and \(1, 2\)"):
        deviation(np.ones(2), np.ones((1, 2)))


def test_arrays_of_different_dtypes_are_an_error() -> None:
    with pytest.raises(DTypeError, match="different dtypes, float32 and float64"):
        deviation(np.ones(2, dtype=np.float32), np.ones(2))


def test_leaves_are_measured_each_by_its_own_largest_entry() -> None:
    a = [np.asarray([1000.0]), np.asarray([1.0])]
    b = [np.asarray([1001.0]), np.asarray([1.5])]
    assert of_leaves(a, b).relative == pytest.approx(0.5 / 1.5, rel=1e-15)


def test_a_missing_leaf_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        of_leaves([np.ones(1), np.ones(1)], [np.ones(1)])


def test_a_curve_is_measured_step_by_step() -> None:
    largest, by_step = of_curve(np.asarray([4.0, 2.0, 1.0]), np.asarray([4.0, 1.0, 0.75]))
    assert by_step.tolist() == [0.0, 0.5, 0.25]
    assert largest == Deviation(0.5, 1.0 / np.spacing(2.0))


def test_nan_at_one_step_is_the_largest() -> None:
    assert math.isnan(of_curve(np.asarray([1.0, np.nan]), np.ones(2))[0].relative)
