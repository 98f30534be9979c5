"""Initializers: their moments and bounds, by the formulas of the papers."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from polylux import layers
from polylux.errors import DomainError, ShapeError
from polylux.layers._initializers import fans

WIDE, KERNEL = (200, 300), (30, 20, 5, 4)  # fans 200, 300; and 400, 600


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((3, 5), (3, 5)), ((16, 8, 3, 3), (72, 144)), ((16, 8, 3), (24, 48)), ((5,), (1, 5))],
    ids=str,
)
def test_fans_count_the_places_of_a_kernel(shape: Any, expected: Any) -> None:
    assert fans(shape) == expected


@pytest.mark.parametrize("shape", [WIDE, KERNEL], ids=str)
@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", lambda n, m: 2 / (n + m)),
        ("glorot_normal", lambda n, m: 2 / (n + m)),
        ("kaiming_uniform", lambda n, m: 2 / n),
        ("kaiming_normal", lambda n, m: 2 / n),
    ],
)
def test_variance_is_that_of_the_paper(name: str, variance: Any, shape: Any) -> None:
    weight = getattr(layers, name)(np.random.default_rng(0), shape)
    assert weight.dtype == np.float32
    assert weight.shape == shape
    expected = variance(*fans(shape))
    distribution = (
        stats.uniform(-math.sqrt(3 * expected), 2 * math.sqrt(3 * expected))
        if name.endswith("uniform")
        else stats.norm(0, math.sqrt(expected))
    )
    # Kolmogorov and Smirnov's distance exceeds 2 / sqrt(size) with probability 7e-4.
    distance = stats.ks_1samp(weight.ravel(), distribution.cdf).statistic
    assert distance < 2 / math.sqrt(weight.size)


def test_gain_scales_the_deviation() -> None:
    for initializer in (layers.kaiming_uniform, layers.kaiming_normal, layers.orthogonal):
        one, three = (
            functools.partial(initializer, gain=gain)(np.random.default_rng(0), (20, 30))
            for gain in (1.0, 3.0)
        )
        np.testing.assert_allclose(three, 3 * one, rtol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(-2.0, 2.0), (-0.5, 1.0), (1.0, math.inf)], ids=str)
def test_truncated_normal_is_scipys(low: float, high: float) -> None:
    found = layers.truncated_normal(
        np.random.default_rng(0), (200, 100), deviation=0.1, low=low, high=high
    )
    distance = stats.ks_1samp(10 * found.ravel(), stats.truncnorm(low, high).cdf).statistic
    assert distance < 2 / math.sqrt(found.size)
    assert found.min() >= np.float32(0.1 * low)
    assert found.max() <= np.float32(0.1 * high)


@pytest.mark.parametrize(("low", "high"), [(5.0, 6.0), (1.0, -1.0)], ids=str)
def test_bounds_that_keep_next_to_nothing_are_an_error(low: float, high: float) -> None:
    with pytest.raises(DomainError, match="keep less than one in a thousand"):
        layers.truncated_normal(np.random.default_rng(0), (2,), low=low, high=high)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (4, 3, 2)], ids=str)
def test_orthogonal_matrix_has_orthonormal_rows_or_columns(shape: Any) -> None:
    weight = layers.orthogonal(np.random.default_rng(0), shape)
    assert weight.shape == shape
    assert weight.dtype == np.float32
    matrix = weight.reshape(shape[0], -1).astype(float)
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-6)  # rounded to float32


def test_orthogonal_matrices_are_uniform() -> None:
    # Of a uniform one in the plane, the first column's angle is uniform.
    rng = np.random.default_rng(0)
    columns = np.asarray([layers.orthogonal(rng, (2, 2))[:, 0] for _ in range(2000)])
    angles = np.arctan2(columns[:, 1], columns[:, 0])
    distance = stats.ks_1samp(angles, stats.uniform(-math.pi, 2 * math.pi).cdf).statistic
    assert distance < 2 / math.sqrt(2000)


def test_orthogonal_needs_two_axes() -> None:
    with pytest.raises(ShapeError, match=r"at least two axes, got \(3,\)"):
        layers.orthogonal(np.random.default_rng(0), (3,))


def test_constants_draw_nothing() -> None:
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(layers.ones(rng, (2,)), [1, 1])
    np.testing.assert_array_equal(layers.zeros(rng, (2,)), [0, 0])
    assert rng.random() == np.random.default_rng(0).random()


def test_normal_has_the_given_deviation() -> None:
    found = layers.normal(np.random.default_rng(0), (100, 100), deviation=0.02)
    assert found.dtype == np.float32
    # 5 standard errors
    np.testing.assert_allclose(found.std(), 0.02, rtol=5 / np.sqrt(2 * found.size))
