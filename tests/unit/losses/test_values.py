"""The worked values of the Utilities page, and what the losses do at their edges."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

import polylux
from polylux.losses import (
    BinaryCrossEntropyLoss,
    BinaryFocalLoss,
    CrossEntropyLoss,
    DiceCoeffLoss,
    FocalLoss,
    GenericLossFunction,
    HingeLoss,
    HuberLoss,
    KLDivergenceLoss,
    MAELoss,
    MSELoss,
    MSLELoss,
    PoissonLoss,
    SiameseContrastiveLoss,
    SquaredHingeLoss,
)

Z = np.reshape(np.arange(-7.0, 8.0), (5, 3))
S = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
Y = np.eye(3)[[0, 1, 2, 1, 0]]
B = np.asarray([[0.268941, 0.731059], [0.5, 0.5], [0.268941, 0.731059]])
T = np.asarray([[0, 1], [1, 0], [0, 1]])
LOGITS, ONE_OR_NOT = np.asarray([2, -1, np.pi]), np.asarray([1, 0, 1])
PROBABILITIES = 1 / (1 + np.exp(-LOGITS))
ABOUT = [1.1, 1.9, 3.1], [1, 2, 3]
ABOVE = [1.1, 2.1, 3.1], [1, 2, 3]
SIDES = [0.1, 0.3, 1, 1.5], [1, -1, 1, 1]
EQUAL = np.full((2, 2), 0.5)
SINGLE = 2.0**-22
# Rounding of a ratio near 1.1 to float32, as the page has it, in the square of its logarithm.
RATIO = 2.0**-24 * 1.1 * 2 * 0.1

# The page shows that many digits; it has computed some of its values in float32.
VALUES: list[tuple[Any, Any, Any, float, float]] = [
    (GenericLossFunction(lambda p, t: (p - t) ** 2), *ABOUT, 0.01, 1e-14),
    (BinaryCrossEntropyLoss(logits=True), LOGITS, ONE_OR_NOT, 0.160832, 5e-7),
    (BinaryCrossEntropyLoss(), PROBABILITIES, ONE_OR_NOT, 0.160832, 5e-7),
    (BinaryCrossEntropyLoss(logits=True, label_smoothing=0.1), LOGITS, ONE_OR_NOT, 0.263192, 5e-7),
    (BinaryCrossEntropyLoss(label_smoothing=0.1), PROBABILITIES, ONE_OR_NOT, 0.263192, 5e-7),
    (BinaryFocalLoss(), B, T, 0.0728675615927385, 1e-15),
    (BinaryFocalLoss(gamma=0), B, T, 0.439889800943338, 2e-15),
    (BinaryCrossEntropyLoss(), B, T, 0.439889800943338, 2e-15),
    (CrossEntropyLoss(), S, Y, 1.6076053, SINGLE),
    (CrossEntropyLoss(agg="sum"), S, Y, 5 * 1.6076053, 4 * SINGLE),
    (CrossEntropyLoss(label_smoothing=0.15), S, Y, 1.5776052, SINGLE),
    (DiceCoeffLoss(), *ABOVE, 0.000992391663909964, 2.0**-53),
    (DiceCoeffLoss(), [ABOVE[0]], [ABOVE[1]], 0.000992391663909964, 2.0**-53),
    (FocalLoss(), S, Y, 1.1277556, SINGLE),
    (HingeLoss(), *SIDES, 0.55, 1e-15),
    (SquaredHingeLoss(), *SIDES, 0.625, 1e-15),
    (HuberLoss(), *ABOVE, 0.005, 1e-15),
    (HuberLoss(delta=0.05), *ABOVE, 0.00375, 1e-15),
    (KLDivergenceLoss(), EQUAL, np.eye(2), np.log(2), 1e-15),
    (KLDivergenceLoss(agg="sum"), EQUAL, np.eye(2), 2 * np.log(2), 1e-15),
    (KLDivergenceLoss(epsilon=0), EQUAL, EQUAL, 0.0, 0.0),
    (KLDivergenceLoss(epsilon=0), np.eye(2), EQUAL, np.inf, 0.0),
    (MAELoss(), *ABOUT, 0.1, 1e-15),
    (MSELoss(), *ABOUT, 0.01, 1e-15),
    (MSLELoss(), [1.1, 2.2, 3.3], [1, 2, 3], 0.009084041, RATIO),
    (MSLELoss(), [0.9, 1.8, 2.7], [1, 2, 3], 0.011100831, RATIO),
    (PoissonLoss(), [1, 3, 3], [1, 2, 3], 0.502312852219817, 1e-15),
    (SiameseContrastiveLoss(), [0.5, 1.5, 2.5], [1, 2, 3], -4.8333333, 5e-8),
    (SiameseContrastiveLoss(margin=2), [0.5, 1.5, 2.5], [1, 2, 3], -4.0, 1e-15),
]


@pytest.mark.parametrize(
    ("loss", "p", "t", "expected", "error"),
    VALUES,
    ids=[f"{type(v[0]).__name__}-{i}" for i, v in enumerate(VALUES)],
)
def test_worked_value(
    loss: Any, p: Any, t: Any, expected: float, error: float, library: Any
) -> None:
    single = isinstance(loss, CrossEntropyLoss | FocalLoss)
    dtype = np.float32 if single else np.float64
    with np.errstate(divide="ignore"):
        found = library.host(loss(library.array(p, dtype), library.array(t)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=error)


KINKS: list[tuple[Any, float, float, float]] = [
    (MAELoss(), 1.5, 1.5, 0.0),
    (HuberLoss(), 3.0, 2.0, 1.0),
    (HuberLoss(), 2.0, 2.0, 0.0),
    (HingeLoss(), 1.0, 1.0, 0.0),
    (HingeLoss(), -1.0, -1.0, 0.0),
    (HingeLoss(), 0.5, 1.0, -1.0),
    (HingeLoss(), 0.5, -1.0, 1.0),
    (SquaredHingeLoss(), 0.5, -1.0, 3.0),
    (SiameseContrastiveLoss(), 1.0, 1.0, 0.0),
    (BinaryCrossEntropyLoss(logits=True), 0.0, 1.0, -0.5),
    (BinaryCrossEntropyLoss(logits=True), np.inf, 1.0, 0.0),
    (BinaryCrossEntropyLoss(epsilon=0), 0.0, 0.0, 1.0),
    (BinaryCrossEntropyLoss(epsilon=0), 1.0, 1.0, -1.0),
    (PoissonLoss(epsilon=0), 0.0, 0.0, 1.0),
    (BinaryFocalLoss(gamma=0.5), 1.0, 1.0, 0.0),
]


@pytest.mark.parametrize(("loss", "p", "t", "expected"), KINKS, ids=str)
def test_derivative_at_an_edge(
    loss: Any, p: float, t: float, expected: float, differentiating: Any
) -> None:
    arrays = differentiating.array([p]), differentiating.array([t])
    found = differentiating.host(polylux.gradient(loss, differentiating.selector, *arrays))
    np.testing.assert_allclose(found, [expected], rtol=1e-15, atol=0)


def test_focal_losses_without_focus_are_cross_entropies(library: Any) -> None:
    p, t = library.array(S), library.array(Y)
    for focal, plain in (
        (FocalLoss(gamma=0, agg=None), CrossEntropyLoss(agg=None)),
        (BinaryFocalLoss(gamma=0, agg=None), BinaryCrossEntropyLoss(agg=None)),
    ):
        expected = library.host(plain(p, t))
        np.testing.assert_allclose(library.host(focal(p, t)), expected, rtol=1e-14)


def test_nan_is_never_hidden(library: Any) -> None:
    p, t = library.array([np.nan, 0.5]), library.array([1.0, 1.0])
    for loss in (HingeLoss, MAELoss, HuberLoss, SiameseContrastiveLoss, BinaryCrossEntropyLoss):
        assert np.isnan(library.host(loss(agg=None)(p, t)))[0], loss


NEAR = 1e-9
ABOVE_ONE: list[tuple[Any, Any, Any, float]] = [
    (PoissonLoss(epsilon=1), [NEAR], [3.0], NEAR - 3 * math.log1p(NEAR)),
    (FocalLoss(epsilon=1, gamma=1), [[NEAR, 0.5]], [[1.0, 0.0]], NEAR * math.log1p(NEAR)),
    (BinaryFocalLoss(epsilon=1, gamma=1), [NEAR], [1.0], NEAR * math.log1p(NEAR)),
    (BinaryFocalLoss(epsilon=1, gamma=0), [1 - 2.0**-30], [0.0], -math.log1p(2.0**-30)),
]


@pytest.mark.parametrize(("loss", "p", "t", "expected"), ABOVE_ONE, ids=lambda v: repr(v)[:24])
def test_an_epsilon_of_one_keeps_the_digits_of_a_small_prediction(
    loss: Any, p: Any, t: Any, expected: float, library: Any
) -> None:
    items = dataclasses.replace(loss, agg=None)(library.array(p), library.array(t))
    np.testing.assert_allclose(library.host(items), [expected], rtol=8 * 2.0**-52)


INFINITE: list[tuple[list[float], list[float], float, list[float]]] = [
    ([np.inf, 0, 1], [1, 0, 0], 0.0, [0, 0, 0]),
    ([np.inf, 0, np.inf], [0.5, 0, 0.5], math.log(2), [0, 0, 0]),
    ([-np.inf, 0, 0], [0, 1, 0], math.log(2), [0, -0.5, 0.5]),
]


@pytest.mark.parametrize("agg", ["sum", "mean"])
@pytest.mark.parametrize(("z", "t", "value", "slope"), INFINITE, ids=str)
def test_infinite_logits_share_their_lane(
    z: Any, t: Any, value: float, slope: Any, agg: str, differentiating: Any
) -> None:
    loss = CrossEntropyLoss(logits=True, agg=agg)
    arrays = differentiating.array([z]), differentiating.array([t])
    found = polylux.value_and_gradient(loss, differentiating.selector, *arrays)
    np.testing.assert_allclose(differentiating.host(found[0]), value, rtol=2.0**-51)
    np.testing.assert_allclose(differentiating.host(found[1]), [slope], rtol=2.0**-51)
    assert float(loss(np.asarray([z]), np.asarray([t]))) == pytest.approx(value)  # no warning


def test_masks_that_hardly_overlap_keep_the_digits_of_the_slope(differentiating: Any) -> None:
    p, t = differentiating.array([1.0, 1.0]), differentiating.array([3e-10, 1e-10])
    found = polylux.gradient(DiceCoeffLoss(smooth=0), differentiating.selector, p, t)
    # 2 * (c * p - t) / total, with the coefficient c = 8e-10 / total and a total of 2 + 1e-19
    np.testing.assert_allclose(differentiating.host(found), [1e-10, 3e-10], rtol=8 * 2.0**-52)


def test_a_limit_beyond_the_dtype_is_none(library: Any) -> None:
    p, t = library.array([3.0, -4.0], np.float32), library.array([1.0, 1.0], np.float32)
    for agg in (None, "mean"):
        found = library.host(HuberLoss(delta=1e300, agg=agg)(p, t))
        np.testing.assert_array_equal(found, [2.0, 12.5] if agg is None else 7.25)
