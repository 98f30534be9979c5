"""What the mean losses on numpy do with numbers that other frameworks flush to zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux.losses import MAELoss


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smallest_difference_has_the_slope_of_any_other(dtype: Any) -> None:
    target = np.zeros((2, 4096), dtype)
    prediction = target.copy()
    prediction[0], prediction[1, ::2] = np.finfo(dtype).smallest_subnormal, -1
    slope = polylux.gradient(MAELoss(), polylux.AutoAutograd(), prediction, target)
    np.testing.assert_array_equal(polylux.to_host(slope), np.sign(prediction) / target.size)
