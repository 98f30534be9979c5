"""rsqrt: values and derivatives against multiprecision, and at the ends of its domain."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

import polylux
from polylux.errors import ArrayMixError, DTypeError
from polylux.ops import rsqrt

POINTS = [1e-300, 1e-20, 0.1, 0.25, 1.0, 2.0, 3.0, 1e20, 1e300]
EPS = 2.0**-52


def summed(x: Any) -> Any:
    return polylux.array_namespace(x).sum(rsqrt(x))


def test_values_are_exact_to_rounding(library: Any) -> None:
    expected = [float(1 / mp.sqrt(x)) for x in POINTS]
    # a square root, a division, half an ulp each and the root's doubled by nothing: 2 eps
    np.testing.assert_allclose(library.host(rsqrt(library.array(POINTS))), expected, rtol=2 * EPS)


def test_derivative_is_exact_to_rounding(selector: polylux.ADType) -> None:
    points = POINTS[1:-1]  # at 1e-300 the derivative, -5e449, is beyond the range
    expected = [float(-1 / (2 * mp.mpf(x) * mp.sqrt(x))) for x in points]
    got = polylux.to_host(polylux.gradient(summed, selector, np.asarray(points)))
    np.testing.assert_allclose(got, expected, rtol=8 * EPS)


def test_ends_of_the_domain(differentiating: Any) -> None:
    x = differentiating.array([0.0, np.inf, -1.0, np.nan])
    with np.errstate(all="ignore"):
        value = differentiating.host(rsqrt(x))
        slope = differentiating.host(polylux.gradient(summed, differentiating.selector, x))
    np.testing.assert_array_equal(value, [np.inf, 0, np.nan, np.nan])
    np.testing.assert_array_equal(slope, [-np.inf, 0, np.nan, np.nan])


def test_single_precision_stays(library: Any) -> None:
    got = library.host(rsqrt(library.array([4.0], np.float32)))
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, [0.5])


def test_integers_and_numbers_are_refused(library: Any) -> None:
    with pytest.raises(DTypeError, match="real floating-point"):
        rsqrt(library.array([4], np.int32))
    with pytest.raises(ArrayMixError, match="needs an array"):
        rsqrt(4.0)
