"""Shorter computations of losses' items: the numbers of the rules, or none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polylux.losses import _pointwise
from polylux_autograd import _losses

EPS32 = float(np.finfo(np.float32).eps)
TINY = [0.0, 1e-39, 1e-30, 1e-8, 0.25, 0.75, 1 - 2**-20, 1.0]
WIDE = [0.0, 1e-12, 1e-3, 0.5, 1.0, 1.0 + 2**-20, 3.0, 1e6]
SIGNED = [-1e6, -2.0, -1.0, -1e-6, 0.0, 1e-6, 1.0, 1.0 + 2**-20, 2.0, 1e6]
LEAST = 8 * float(np.finfo(np.float32).smallest_subnormal)
ANY = {"epsilon": EPS32}

CASES: dict[str, tuple[list[float], list[float], dict[str, Any]]] = {
    "absolute_error": (SIGNED, SIGNED, {}),
    "huber_error": (SIGNED, SIGNED, {"delta": 1.5}),
    "squared_log_error": (WIDE, WIDE, ANY),
    "poisson_error": (WIDE, WIDE, ANY),
    "hinge_error": (SIGNED, [-1.0, 0.0, 0.5, 1.0], {}),
    "squared_hinge_error": (SIGNED, [-1.0, 0.0, 0.5, 1.0], {}),
    "contrastive_error": (WIDE, [0.0, 1.0], {"margin": 1.5}),
    "binary_cross_entropy": (TINY, TINY, {**ANY, "label_smoothing": 0.0}),
    "binary_focal": (TINY, [0.0, 0.25, 1.0], {**ANY, "gamma": 2.0}),
    "cross_entropy_terms": (TINY, TINY, ANY),
    # Of normal numbers: a subnormal one's reciprocal overflows, in the rule too.
    "divergence_terms": ([p for p in TINY if p != 1e-39], [0.0, 1e-8, 0.25, 1.0], ANY),
    "focal_terms_of_class": (TINY, TINY, {**ANY, "gamma": 2.0}),
}


def test_each_has_a_case() -> None:
    assert set(CASES) == set(_losses._SHORTER)


@pytest.mark.parametrize(
    ("name", "epsilon"),
    [(n, e) for n in CASES for e in (EPS32, 0.0) if not e or "epsilon" in CASES[n][2]],
)
def test_sums_and_slopes_are_those_of_the_rule_in_float64(name: str, epsilon: float) -> None:
    predictions, targets, settings = CASES[name]
    if "epsilon" in settings:
        settings = {**settings, "epsilon": epsilon}
    rule = getattr(_pointwise, name)
    found = 0
    for prediction in predictions:
        for target in targets:
            p, t = (np.asarray([v], np.float32) for v in (prediction, target))
            with np.errstate(all="ignore"):
                short = _losses._SHORTER[name](p, t, np.float32(0.5), **settings)
                items, residuals = rule.rule.forward(
                    p.astype(np.float64), t.astype(np.float64), **settings
                )
                (slope, *_) = rule.rule.pullback(residuals, np.float64(0.5), **settings)
            if short is None or not np.isfinite(short[0]):
                continue  # the rule is asked
            found += 1
            at = f"{prediction}, {target}"
            # float32 rounds 1 + epsilon: an item may be off by as much of its largest factor.
            np.testing.assert_allclose(short[0], items[0], rtol=8 * EPS32, atol=EPS32, err_msg=at)
            if abs(slope[0]) < np.finfo(np.float32).max:
                np.testing.assert_allclose(short[1], slope, rtol=8 * EPS32, atol=LEAST, err_msg=at)
    assert found > len(predictions) * len(targets) / 2


def test_settings_that_a_shorter_one_was_not_made_for() -> None:
    p, t = np.full(3, 0.5), np.full(3, 0.25)
    one = np.float64(1)
    assert _losses._SHORTER["poisson_error"](p, t, one, epsilon=0.1) is None
    assert _losses._SHORTER["cross_entropy_terms"](p, t, one, epsilon=0.1) is None
    assert _losses._SHORTER["contrastive_error"](p, t, one, margin=1.0) is None
    assert _losses._SHORTER["focal_terms_of_class"](p, t, one, epsilon=0.0, gamma=1.5) is None
    assert _losses._SHORTER["binary_focal"](p, t, one, epsilon=0.0, gamma=1.5) is None
    assert _losses._SHORTER["binary_focal"](p, t, one, epsilon=0.5, gamma=2.0) is None
    smoothed = {"epsilon": 0.0, "label_smoothing": 0.1}
    assert _losses._SHORTER["binary_cross_entropy"](p, t, one, **smoothed) is None


def test_negative_numbers_are_left_to_the_rule() -> None:
    for name in ("squared_log_error", "divergence_terms"):
        p, t = np.asarray([1.0, -2.0]), np.asarray([1.0, -1.0])
        total, _ = _losses._SHORTER[name](p, t, np.float64(1), epsilon=0.0) or (0.0, None)
        assert np.isnan(total)
