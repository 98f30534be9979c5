"""The rules of the losses: against differences, the plain form, in both modes, twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import array_namespace, check_rule, custom_rule
from polylux.losses import _overlap, _pointwise, _softmax
from polylux.rules import CustomRule

RNG = np.random.default_rng(3)
SHAPE = (3, 4)
NORMAL = RNG.normal(0, 2, SHAPE), RNG.normal(0, 2, SHAPE)
POSITIVE = RNG.uniform(0.1, 3, SHAPE), RNG.uniform(0.1, 3, SHAPE)
PROBABLE = RNG.uniform(0.05, 0.95, SHAPE), RNG.uniform(0, 1, SHAPE)
SIGNS = NORMAL[0], RNG.choice([-1.0, 1.0], SHAPE)

RULES: list[tuple[CustomRule, dict[str, Any], Any]] = [
    (_pointwise.absolute_error, {}, NORMAL),
    (_pointwise.huber_error, {"delta": 1.0}, NORMAL),
    (_pointwise.squared_log_error, {"epsilon": 0.25}, POSITIVE),
    (_pointwise.poisson_error, {"epsilon": 0.25}, POSITIVE),
    (_pointwise.hinge_error, {}, SIGNS),
    (_pointwise.squared_hinge_error, {}, SIGNS),
    (_pointwise.contrastive_error, {"margin": 1.5}, POSITIVE),
    (_pointwise.binary_cross_entropy, {"epsilon": 0.01, "label_smoothing": 0.1}, PROBABLE),
    (_pointwise.binary_cross_entropy, {"epsilon": 0.0, "label_smoothing": 0.0}, PROBABLE),
    (_pointwise.binary_cross_entropy_logits, {"label_smoothing": 0.1}, (NORMAL[0], PROBABLE[1])),
    (
        _pointwise.weighted_binary_cross_entropy,
        {"epsilon": 0.01, "label_smoothing": 0.1, "weight": (0.5, 3.0)},
        PROBABLE,
    ),
    (
        _pointwise.weighted_binary_cross_entropy_logits,
        {"label_smoothing": 0.1, "weight": (0.5, 3.0)},
        (NORMAL[0], PROBABLE[1]),
    ),
    (_pointwise.binary_focal, {"epsilon": 0.01, "gamma": 2.0}, PROBABLE),
    (_pointwise.binary_focal, {"epsilon": 0.01, "gamma": 2.5}, PROBABLE),
    (_pointwise.binary_focal, {"epsilon": 0.01, "gamma": 0.0}, PROBABLE),
    (_pointwise.cross_entropy_terms, {"epsilon": 0.01}, PROBABLE),
    (_pointwise.cross_entropy_terms, {"epsilon": 0.0}, PROBABLE),
    (_pointwise.divergence_terms, {"epsilon": 0.01}, PROBABLE),
    (_pointwise.focal_terms_of_class, {"epsilon": 0.01, "gamma": 1.0}, PROBABLE),
    (_pointwise.focal_terms_of_class, {"epsilon": 0.0, "gamma": 0.5}, PROBABLE),
    (_overlap.dice, {"smooth": 1.0}, PROBABLE),
    (_softmax.cross_entropy_of_lanes, {"dim": -1}, (NORMAL[0], PROBABLE[1])),
    (_softmax.cross_entropy_of_lanes, {"dim": 0}, (NORMAL[0], PROBABLE[1])),
]  # fmt: skip
rules = pytest.mark.parametrize(
    ("rule", "settings", "point"),
    RULES,
    ids=[f"{rule.__name__}-{'-'.join(map(str, s.values()))}" for rule, s, _ in RULES],
)


def _of_prediction(rule: CustomRule, target: Any, settings: Any) -> CustomRule:
    """The rule as one of the prediction alone: the losses make the target a constant."""
    inner = rule.rule

    def forward(p: Any) -> Any:
        return inner.forward(p, array_namespace(p).asarray(target), **settings)

    def pullback(residuals: Any, g: Any) -> Any:
        return inner.pullback(residuals, g, **settings)[0]

    def pushforward(residuals: Any, change: Any) -> Any:
        assert inner.pushforward is not None
        return inner.pushforward(residuals, change, None, **settings)

    return custom_rule(forward, pullback=pullback, pushforward=pushforward, name=rule.__name__)


@rules
def test_rule_is_the_derivative(rule: CustomRule, settings: Any, point: Any) -> None:
    p, t = point
    report = check_rule(_of_prediction(rule, t, settings), (p,), selector=polylux.AutoTorch())
    assert not report.skipped


@rules
def test_derivative_of_the_rule_is_that_of_the_plain_form(
    rule: CustomRule, settings: Any, point: Any
) -> None:
    # Exact arithmetic would give one and the same Hessian; both come from one framework.
    selector = polylux.AutoAutograd()
    p, t = (polylux.to_backend(a[0, :2] if a.ndim == 2 else a, selector) for a in point)
    if settings.get("dim") == 0:
        pytest.skip("a lane of one class")
    xp = array_namespace(p)

    def curvature(function: Any) -> Any:
        def slope(x: Any) -> Any:
            total = polylux.gradient(lambda y: xp.sum(function(y, t, **settings)), selector, x)
            return xp.sum(total * xp.asarray([0.5, 2.0]))

        return polylux.to_host(polylux.gradient(slope, selector, p))

    np.testing.assert_allclose(curvature(rule), curvature(rule.plain), rtol=1e-11, atol=1e-13)


SECOND = {
    # z -> sigmoid(z) (1 - sigmoid(z)), also where one of the two is 1 to all digits
    "binary": (
        _pointwise.binary_cross_entropy_logits,
        {"label_smoothing": 0.0},
        [0.0, 40.0, -40.0, 800.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.25, np.exp(-40.0), np.exp(-40.0), 0.0],
    ),
    "huber": (_pointwise.huber_error, {"delta": 1.0}, [0.5, 3.0], [0.0, 0.0], [1.0, 0.0]),
    "poisson": (_pointwise.poisson_error, {"epsilon": 0.0}, [2.0, 0.0], [3.0, 0.0], [0.75, 0.0]),
}


@pytest.mark.parametrize("case", SECOND.values(), ids=SECOND.keys())
def test_second_derivative_is_the_closed_form(case: Any, selector: polylux.ADType) -> None:
    rule, settings, p, t, expected = case
    p, t = (polylux.to_backend(np.asarray(a), selector) for a in (p, t))

    def slope(x: Any) -> Any:
        xp = array_namespace(x)

        def total(y: Any) -> Any:
            return xp.sum(rule(y, t, **settings))

        return xp.sum(polylux.gradient(total, polylux.selector_of(x), x))

    found = polylux.to_host(polylux.gradient(slope, selector, p))
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize(
    "loss",
    [
        polylux.losses.BinaryCrossEntropyLoss(logits=True),
        polylux.losses.DiceCoeffLoss(),
        polylux.losses.CrossEntropyLoss(),
        polylux.losses.HuberLoss(),
    ],
    ids=repr,
)
def test_forward_mode_agrees_with_reverse_mode(loss: Any, selector: polylux.ADType) -> None:
    p, t = (polylux.to_backend(a, selector) for a in PROBABLE)
    direction = polylux.to_backend(NORMAL[0], selector)
    gradient = polylux.to_host(polylux.gradient(loss, selector, p, t))
    change = polylux.pushforward(loss, selector, p, direction, t)
    expected = np.sum(gradient * NORMAL[0])
    np.testing.assert_allclose(polylux.to_host(change), expected, rtol=1e-13, atol=1e-14)
