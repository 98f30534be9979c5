"""Values and gradients of the losses of predicted numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux.arrays import precision_scope
from polylux.losses import MSELoss, mse

EPS = 2.0**-52


def test_mse_of_the_worked_example(library: Any) -> None:
    p, t = library.array([1.1, 1.9, 3.1]), library.array([1.0, 2.0, 3.0])
    # Three decimals that have no exact binary form, each off by half a unit, squared at 0.1.
    np.testing.assert_allclose(library.host(MSELoss()(p, t)), 0.01, rtol=16 * EPS)


@pytest.mark.parametrize("neutral", [True, False], ids=["neutral", "kernel"])
def test_mse_of_exact_numbers_is_exact(neutral: bool, library: Any) -> None:
    function = mse.neutral if neutral else mse
    p, t = library.array([[1.0, 2.0], [3.0, -4.0]]), library.array([[0.0, 4.0], [3.0, -1.0]])
    with precision_scope(p):  # the neutral definition does not enter one of its own
        assert library.host(function(p, t)) == (1 + 4 + 0 + 9) / 4


@pytest.mark.parametrize("agg", ["mean", "sum"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mse_gradient_is_twice_the_difference(agg: str, dtype: Any, differentiating: Any) -> None:
    rng = np.random.default_rng(0)
    p, t = (rng.normal(size=(5, 3)).astype(dtype) for _ in range(2))
    found = differentiating.host(
        polylux.gradient(
            MSELoss(agg=agg),
            differentiating.selector,
            differentiating.array(p, dtype),
            differentiating.array(t, dtype),
        )
    )
    assert found.dtype == dtype
    expected = 2 * (p.astype(float) - t.astype(float)) / (p.size if agg == "mean" else 1)
    eps = np.finfo(dtype).eps
    # One rounding of the difference, relative to the operands, and two of products.
    np.testing.assert_allclose(found, expected, rtol=4 * eps, atol=4 * eps)
