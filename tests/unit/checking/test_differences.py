"""compare: its bound holds where the function is rounded, bent and kinked."""

from __future__ import annotations

import numpy as np
import pytest

from polylux.checking._differences import compare
from polylux.checking._line import Line

EPSILON = float(np.finfo(np.float32).eps)


@pytest.mark.parametrize("frequency", [1.0, 30.0, 1e3])
@pytest.mark.parametrize("noise", [0.0, EPSILON])
@pytest.mark.parametrize("distance", np.logspace(-7, 0, 29))
def test_a_kink_beside_a_rounded_point_is_within_the_bound(
    distance: float, noise: float, frequency: float
) -> None:
    rng = np.random.default_rng(0)

    def f(leaves: list[np.ndarray]) -> float:  # type: ignore[type-arg]
        x = float(leaves[0])
        wave = np.sin(frequency * x) / frequency
        return abs(x - distance) + float(wave) + noise * float(rng.uniform(-1, 1))

    point, gradient = [np.asarray(0.0)], [np.asarray(0.0)]  # 1 of the wave, -1 left of the kink
    line = Line(f, point, gradient, [np.asarray(1.0)], f(point))
    slope = compare(line, EPSILON, measure=True)
    assert abs(slope.mismatch) <= slope.bound + abs(slope.jump) / 2


@pytest.mark.parametrize("power", range(3, 12))
def test_powers_are_within_the_bound_and_are_no_kinks(power: int) -> None:
    point, gradient = [np.asarray(1.0)], [np.asarray(float(power))]
    line = Line(lambda leaves: float(leaves[0]) ** power, point, gradient, [np.asarray(1.0)], 1.0)
    slope = compare(line, float(np.finfo(np.float64).eps), measure=True)
    assert abs(slope.mismatch) <= slope.bound < 1e-7
    assert slope.jump == 0.0
