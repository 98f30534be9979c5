"""The suite's own truths: complex steps against closed forms, and errors in ulps."""

from __future__ import annotations

import dataclasses
import math

import mpmath
import numpy as np
import pytest

from polylux.backend import Accuracy
from polylux_conformance._compare import compare, errors_in_ulps
from polylux_conformance._tolerance import allowed_ulps
from polylux_conformance.oracle import trajectories
from polylux_conformance.oracle._trajectories import compute
from polylux_conformance.scenarios import SCENARIOS, Scenario
from polylux_conformance.scenarios._problems import PROBLEMS

CLOSED = [
    scenario
    for scenario in SCENARIOS
    if scenario.gradient is not None
    and scenario.kind != "edges"
    and scenario.name not in ("a large leaf", "infinities and NaN")
]


@pytest.mark.parametrize("scenario", CLOSED, ids=lambda s: s.name)
def test_complex_steps_find_the_closed_forms(scenario: Scenario) -> None:
    other = dataclasses.replace(scenario, gradient=None)
    for point in scenario.points:
        leaves, data = scenario.at(point, scenario.only[0])
        _, expected = scenario.truth(leaves, data)
        _, found = other.truth(leaves, data)
        for name in leaves:
            size = np.max(np.abs(expected[name]))
            # The digits of a longdouble, and no fewer than float64's where it has no more.
            bound = 64 * np.finfo(np.longdouble).eps * size * scenario.condition
            assert np.all(np.abs(found[name] - expected[name]) <= bound)


def test_the_truth_of_a_scenario_agrees_with_mpmath() -> None:
    scenario = next(s for s in SCENARIOS if s.name == "logsumexp")
    leaves, data = scenario.at("first", "float64")
    value, gradients = scenario.truth(leaves, data)
    with mpmath.workdps(40):
        rows = [
            [mpmath.exp(mpmath.mpf(float(z)) - mpmath.mpf(float(shift))) for z in row]
            for row, (shift,) in zip(leaves["z"], data["shift"], strict=True)
        ]
        mean = mpmath.fsum(mpmath.log(mpmath.fsum(row)) for row in rows) / len(rows)
        slope = rows[1][2] / mpmath.fsum(rows[1]) / len(rows)
        assert math.isclose(float(value), float(mean), rel_tol=1e-16, abs_tol=0)
        assert math.isclose(float(gradients["z"][1, 2]), float(slope), rel_tol=2e-16, abs_tol=0)


def test_the_stored_trajectories_are_those_of_the_problems() -> None:
    some = [p for p in PROBLEMS if p.rule != "momentum" or p.head == "softmax"]
    for problem in some:
        assert compute(problem) == trajectories()[problem.name], problem.name


@pytest.mark.parametrize(
    ("found", "expected", "dtype", "floor", "ulps"),
    [
        (1.0 + 2.0**-52, 1.0, "float64", 0.0, 1.0),
        (1.0 - 2.0**-53, 1.0, "float64", 0.0, 0.5),
        (2.0 + 2.0**-22, 2.0, "float32", 0.0, 1.0),
        (1e-20, 0.0, "float64", 1.0, 1e-20 / 2.0**-52),
        (0.0, -0.0, "float64", 0.0, 0.0),
        (math.nan, math.nan, "float64", 0.0, 0.0),
        (math.inf, math.inf, "float64", 0.0, 0.0),
        (math.inf, -math.inf, "float64", 0.0, math.inf),
        (math.nan, 1.0, "float64", 0.0, math.inf),
        (1.0, math.nan, "float64", 0.0, math.inf),
        (math.inf, 1e39, "float32", 0.0, 0.0),
    ],
)
def test_errors_in_ulps(
    found: float, expected: float, dtype: str, floor: float, ulps: float
) -> None:
    (error,) = errors_in_ulps(np.asarray([found]), np.asarray([expected]), dtype, floor)
    assert error == pytest.approx(ulps, rel=1e-12)


def test_a_zero_that_is_not_quite_zero_fails() -> None:
    found = np.asarray([1e-300, 1.0])
    assert not compare("w", found, [0.0, 1.0], dtype="float64", allowed=16).passed


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (np.zeros(2, np.float32), "dtype float32"),
        (np.zeros(3), "shape (3,)"),
    ],
)
def test_other_dtypes_and_shapes_fail(found: np.ndarray, told: str) -> None:  # type: ignore[type-arg]  # of either dtype
    result = compare("w", found, np.zeros(2), dtype="float64", allowed=1e9)
    assert not result.passed
    assert result.found == told


def test_the_worst_entry_is_told() -> None:
    found = np.asarray([[1.0, 2.0], [3.0, 4.5]])
    result = compare("w", found, [[1.0, 2.0], [3.0, 4.0]], dtype="float64", allowed=16)
    assert (result.expected, result.found) == ("[1, 1] 4", "[1, 1] 4.5")
    assert result.units == pytest.approx(0.5 / (4 * 2.0**-52) / 16)


def test_what_a_backend_declares_decides_what_is_allowed() -> None:
    exact = allowed_ulps("float64", 2.0, Accuracy.EXACT)
    assert exact == 32
    nominal = allowed_ulps("float64", 1.0, Accuracy.NOMINAL)
    assert nominal * 2.0**-52 == 16 * 2.0**-23
    truncated = allowed_ulps("float64", 1.0, Accuracy.TRUNCATED, is_derivative=True)
    assert truncated * 2.0**-52 == pytest.approx(32 * 2.0 ** (-52 * 2 / 3))
    assert allowed_ulps("float64", 1.0, Accuracy.TRUNCATED) == 16
