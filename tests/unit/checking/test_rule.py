"""check_rule finds a wrong rule by the comparison that is meant to, and passes right ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polylux import AutoTorch, CustomRule, array_namespace, check_rule, custom_rule, ops
from polylux.errors import OptionError, WrongGradientError
from polylux.ops import _kinks, _logarithms, _norms, _softmax

POINT = np.asarray([-1.7, -0.3, 0.4, 2.5])
OTHER = np.asarray([0.9, 1.4, -0.6, 2.1])


@pytest.mark.parametrize(
    ("rule", "point", "settings"),
    [
        (_kinks._abs, POINT, {}),
        (_kinks._maximum, (POINT, OTHER), {}),
        (_kinks._minimum, (POINT, OTHER), {}),
        (_logarithms._xlogx, abs(POINT), {}),
        (_logarithms._xlogy, (POINT, abs(OTHER)), {}),
        (_norms._hypot, (POINT, OTHER), {}),
        (_norms._norm, POINT, {"axes": (0,)}),
        (_norms._norm, POINT.reshape(2, 2), {"axes": (1,)}),
        (_softmax._logsumexp, POINT.reshape(2, 2), {"dim": 0}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, CustomRule) else "",
)
def test_the_projects_own_rules_are_right(rule: Any, point: Any, settings: Any) -> None:
    assert check_rule(rule, point, settings=settings).ok


def off(report: pytest.ExceptionInfo[WrongGradientError]) -> str:
    return str(report.value)


def test_a_wrong_sign_is_found_by_differences_and_by_the_plain_derivative() -> None:
    wrong = custom_rule(lambda x: x * x, derivative=lambda y, x: -2 * x, name="wrong")
    with pytest.raises(WrongGradientError, match="the rule wrong is off in 5 of 7") as caught:
        check_rule(wrong, POINT)
    assert "operand 0[3]" in off(caught)
    assert "the plain derivative by AutoAutograd()" in off(caught)


def test_one_wrong_entry_is_named() -> None:
    def derivative(y: Any, x: Any) -> Any:
        xp = array_namespace(x)
        return xp.where(x > 2, 2 * x + 1e-4, 2 * x)

    wrong = custom_rule(lambda x: x * x, derivative=derivative)
    with pytest.raises(WrongGradientError) as caught:
        check_rule(wrong, POINT)
    assert "operand 0[3]" in off(caught)
    assert "operand 0[2]" not in off(caught)


def test_a_wrong_second_operand_is_named() -> None:
    wrong = custom_rule(lambda x, y: x * y, derivative=lambda out, x, y: (y, y))
    with pytest.raises(WrongGradientError) as caught:
        check_rule(wrong, (POINT, OTHER))
    assert "operand 1[0]" in off(caught)
    assert "operand 0" not in off(caught)


def test_a_wrong_pullback_is_found_along_directions() -> None:
    wrong = custom_rule(
        lambda x: (array_namespace(x).sum(x * x), (x,)), pullback=lambda r, g: 2.001 * g * r[0]
    )
    with pytest.raises(WrongGradientError, match="direction 1"):
        check_rule(wrong, POINT)


def test_a_pushforward_that_is_no_transpose_is_found() -> None:
    wrong = custom_rule(
        lambda x: (array_namespace(x).sum(x * x), (x,)),
        pullback=lambda r, g: 2 * g * r[0],
        pushforward=lambda r, t: array_namespace(t).sum(r[0] * t),
    )
    with pytest.raises(WrongGradientError, match="is off in 1 of") as caught:
        check_rule(wrong, POINT)
    assert "the pushforward and the pullback" in off(caught)


def test_a_pullback_that_is_not_linear_is_found() -> None:
    def pullback(residuals: Any, g: Any) -> Any:
        return 2 * g * residuals[0] + 1e-9 * g * g

    wrong = custom_rule(lambda x: (array_namespace(x).sum(x * x), (x,)), pullback=pullback)
    with pytest.raises(WrongGradientError) as caught:
        check_rule(wrong, POINT)
    assert "the pullback of a sum" in off(caught)


def test_any_slope_between_the_one_sided_ones_is_right_at_a_kink() -> None:
    def magnitude(slope_at_0: float) -> CustomRule:
        def derivative(y: Any, x: Any) -> Any:
            return array_namespace(x).where(x == 0, slope_at_0 + 0 * x, ops.sign(x))

        return custom_rule(_kinks._abs.plain, derivative=derivative)

    point = np.asarray([-1.0, 0.0, 2.0])
    for slope in (-1.0, 0.0, 1.0):
        report = check_rule(magnitude(slope), point)
        assert any("there is a kink" in where for where in report.skipped)
    with pytest.raises(WrongGradientError, match="a kink: the gradient is outside"):
        check_rule(magnitude(1.5), point)


def test_an_edge_of_the_domain_is_not_compared() -> None:
    report = check_rule(_logarithms._xlogx, np.asarray([0.0, 2.0]))
    assert any("operand 0[0]: the function is not finite nearby" in s for s in report.skipped)


def test_a_rule_that_can_be_compared_nowhere_is_an_error() -> None:
    with pytest.raises(WrongGradientError, match="operand 0"):
        check_rule(
            custom_rule(lambda x: x + np.nan, derivative=lambda y, x: x, name="never"), POINT
        )


def test_integer_operands_are_held_fixed() -> None:
    times = custom_rule(
        lambda x, n: (x * array_namespace(x).astype(n, x.dtype), (n,)),
        pullback=lambda r, g: (g * array_namespace(g).astype(r[0], g.dtype), None),
    )
    assert check_rule(times, (POINT, np.asarray([1, 0, -2, 3]))).ok


def test_several_points_and_outputs_and_another_backend() -> None:
    both = custom_rule(
        lambda x, y: ((x * y, x + y), (x, y)),
        pullback=lambda r, g: (g[0] * r[1] + g[1], g[0] * r[0] + g[1]),
        pushforward=lambda r, s, t: (s * r[1] + t * r[0], s + t),
    )
    report = check_rule(both, (POINT, OTHER), (OTHER, OTHER), selector=AutoTorch())
    assert any(c.where.startswith("point 2") for c in report.comparisons)
    assert "agrees in all" in str(report)


def test_float32_is_checked_in_its_own_digits() -> None:
    square = custom_rule(lambda x: x * x, derivative=lambda y, x: 2 * x)
    assert check_rule(square, POINT.astype(np.float32)).ok


def test_what_is_no_rule_or_no_point_is_an_error() -> None:
    with pytest.raises(OptionError, match="takes a rule made by custom_rule, got <built-in"):
        check_rule(abs, POINT)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="needs a point"):
        check_rule(_kinks._abs)
    with pytest.raises(OptionError, match="needs a point with a floating-point operand"):
        check_rule(_kinks._abs, np.asarray([1, 2]))
