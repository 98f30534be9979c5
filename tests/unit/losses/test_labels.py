"""Integer class labels: their range, what is ignored, and weights of classes and of samples."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import polylux
from polylux import AutoJax, AutoTorch
from polylux.errors import ArrayMixError, DomainError, DTypeError, OptionError, ShapeError
from polylux.losses import (
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    DiceCoeffLoss,
    FocalLoss,
    KLDivergenceLoss,
    MSELoss,
)

EPS = 2.0**-52
P = np.asarray([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.25, 0.5, 0.25]])
LABELS = np.asarray([1, 2, 1, 0])
WEIGHT = (0.5, 1.0, 3.0)

label_losses = pytest.mark.parametrize(
    "loss", [CrossEntropyLoss, FocalLoss], ids=lambda loss: loss.__name__
)


# --- range ---------------------------------------------------------------------------------------


@label_losses
@pytest.mark.parametrize("label", [-1, 3])
def test_label_of_no_class_is_an_error_that_names_it(label: int, loss: Any, library: Any) -> None:
    labels = library.array([0, label, 1, 2], np.int64)
    with pytest.raises(DomainError, match=rf"labels of 0 .. 2 .*; got {label}; .*ignore_index"):
        loss()(library.array(P), labels)


@label_losses
@pytest.mark.parametrize("selector", [AutoTorch(), AutoJax(jit=False)], ids=repr)
def test_label_of_no_class_is_an_error_inside_an_eager_gradient(loss: Any, selector: Any) -> None:
    with pytest.raises(DomainError, match="got 3"):
        polylux.gradient(loss(), selector, P, np.asarray([0, 3, 1, 2]))


@label_losses
def test_label_of_no_class_gives_nan_under_jit(loss: Any) -> None:
    value, gradient = polylux.value_and_gradient(loss(), AutoJax(), P, np.asarray([0, 3, 1, 2]))
    assert np.isnan(polylux.to_host(value))
    assert np.isnan(polylux.to_host(gradient)[1]).all()


@label_losses
def test_labels_of_no_item_are_in_range(loss: Any, library: Any) -> None:
    p, labels = library.array(np.ones((0, 3))), library.array(np.ones(0), np.int64)
    assert library.host(loss(agg="sum")(p, labels)) == 0


def test_floats_one_axis_short_are_an_error(library: Any) -> None:
    with pytest.raises(ShapeError, match=r"shape \(4, 3\) and a target of shape \(4,\)"):
        CrossEntropyLoss()(library.array(P), library.array(LABELS, np.float64))


def test_divergence_takes_no_labels(library: Any) -> None:
    with pytest.raises(ShapeError, match=r"target of shape \(4,\)"):
        KLDivergenceLoss()(library.array(P), library.array(LABELS, np.int64))


# --- ignored labels ------------------------------------------------------------------------------


@label_losses
@pytest.mark.parametrize("agg", ["mean", "sum", None])
def test_ignored_labels_count_as_absent(agg: Any, loss: Any, library: Any) -> None:
    labels = np.where(np.arange(4) % 2, LABELS, -100)
    made = loss(ignore_index=-100, agg=agg)
    found = library.host(made(library.array(P), library.array(labels, np.int64)))
    expected = library.host(
        loss(agg=agg)(library.array(P[1::2]), library.array(LABELS[1::2], np.int64))
    )
    if agg is None:
        assert found[::2].tolist() == [0.0, 0.0]
        found = found[1::2]
    np.testing.assert_array_equal(found, expected)


def test_mean_is_nan_if_all_labels_are_ignored() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(CrossEntropyLoss(ignore_index=1)(P, np.ones(4, int)))


def test_gradient_of_ignored_items_is_zero(differentiating: Any) -> None:
    labels = np.asarray([1, 9, 1, 0])
    loss = CrossEntropyLoss(ignore_index=9, label_smoothing=0.1, logits=True)
    p, t = differentiating.array(P), differentiating.array(labels, np.int64)
    found = differentiating.host(polylux.gradient(loss, differentiating.selector, p, t))
    assert found[1].tolist() == [0.0, 0.0, 0.0]
    assert (found[0] != 0).all()


# --- weights of classes: torch is the reference ------------------------------------------------


@pytest.mark.parametrize("agg", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("ignored", [-100, 1])
def test_weighted_classes_are_those_of_torch(
    ignored: int, smoothing: float, agg: str, library: Any
) -> None:
    z = np.log(P) * 2
    loss = CrossEntropyLoss(
        logits=True, weight=WEIGHT, label_smoothing=smoothing, ignore_index=ignored, agg=agg
    )
    expected = F.cross_entropy(
        torch.asarray(z),
        torch.asarray(LABELS),
        torch.asarray(WEIGHT, dtype=torch.float64),
        ignore_index=ignored,
        label_smoothing=smoothing,
        reduction=agg,
    )
    found = library.host(loss(library.array(z), library.array(LABELS, np.int64)))
    np.testing.assert_allclose(found, expected.numpy(), rtol=16 * EPS)


@pytest.mark.parametrize("agg", ["mean", "sum", "none"])
def test_weighted_soft_targets_are_those_of_torch(agg: str, library: Any) -> None:
    z, t = np.log(P), np.roll(P, 1, axis=0)
    expected = F.cross_entropy(
        torch.asarray(z),
        torch.asarray(t),
        torch.asarray(WEIGHT, dtype=torch.float64),
        reduction=agg,
    )
    for logits, p in ((True, z), (False, P)):
        loss = CrossEntropyLoss(logits=logits, epsilon=0, weight=WEIGHT, agg=agg)
        found = library.host(loss(library.array(p), library.array(t)))
        np.testing.assert_allclose(found, expected.numpy(), rtol=16 * EPS)


@pytest.mark.parametrize("library", ["numpy", "torch"], indirect=True)
def test_weights_become_a_tuple(library: Any) -> None:
    loss = CrossEntropyLoss(weight=library.array(WEIGHT))
    assert loss == CrossEntropyLoss(weight=list(WEIGHT)) == CrossEntropyLoss(weight=WEIGHT)  # type: ignore[arg-type]
    assert hash(loss) == hash(CrossEntropyLoss(weight=WEIGHT))


def test_number_of_weights_is_that_of_the_classes() -> None:
    loss = CrossEntropyLoss(weight=(1.0, 2.0))
    for target in (LABELS, P):
        with pytest.raises(ShapeError, match=r"weight=...\) has 2 numbers, .*3 classes along dim"):
            loss(P, target)


def test_weights_outside_their_domain_are_an_error() -> None:
    with pytest.raises(DomainError, match=r"weight=...\) must be at least 0"):
        CrossEntropyLoss(weight=(1.0, -1.0))
    with pytest.raises(OptionError, match=r"weight=...\) takes one number for each class, got 3"):
        CrossEntropyLoss(weight=3)  # type: ignore[arg-type]


# --- weights of two classes: the definition in many digits, and torch ----------------------------

SHARES = [0.0, 1.0, 0.25, 1.0, 0.0, 0.9]
CHANCES = [1e-30, 0.999999, 0.3, 1e-3, 0.5, 0.9]
LOGITS = [-1000.0, 40.0, 0.0, -3.0, 0.125, 700.0]


def binary_by_definition(z: float, t: float, smoothing: float, logits: bool) -> tuple[Any, Any]:
    """Value and derivative of one item with the weights 0.5 and 3."""
    with mp.workdps(400):  # of exp(-1000)
        y = mp.mpf(t) * (1 - mp.mpf(smoothing)) + mp.mpf(smoothing) / 2
        p = 1 / (1 + mp.exp(-mp.mpf(z))) if logits else mp.mpf(z)
        terms = [(mp.mpf(3) * y, p, 1), (mp.mpf(0.5) * (1 - y), 1 - p, -1)]
        value = -mp.fsum(share * mp.log(q) for share, q, _ in terms if share)
        slope = -mp.fsum(share * sign / q for share, q, sign in terms if share)
        return value, slope * p * (1 - p) if logits else slope


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("logits", [False, True])
def test_weighted_binary_cross_entropy_is_its_definition(
    logits: bool, smoothing: float, differentiating: Any
) -> None:
    points = LOGITS if logits else CHANCES
    loss = BinaryCrossEntropyLoss(
        logits=logits, epsilon=0, label_smoothing=smoothing, weight=(0.5, 3), agg="sum"
    )
    for z, t in zip(points, SHARES, strict=True):
        p, y = (differentiating.array([x], np.float64) for x in (z, t))
        found = polylux.value_and_gradient(loss, differentiating.selector, p, y)
        value, slope = (float(np.squeeze(differentiating.host(a))) for a in found)
        # smoothing is a number of float64 that is no tenth
        true, true_slope = binary_by_definition(z, t, smoothing, logits)
        assert value == pytest.approx(float(true), rel=8 * EPS, abs=0)
        assert slope == pytest.approx(float(true_slope), rel=8 * EPS, abs=4 * EPS)


@pytest.mark.parametrize("agg", ["mean", "sum", "none"])
def test_weight_of_the_positive_class_is_that_of_torch(agg: str, library: Any) -> None:
    z, t = np.log(P) * 2, np.roll(P, 1, axis=0)
    expected = F.binary_cross_entropy_with_logits(
        torch.asarray(z), torch.asarray(t), pos_weight=torch.asarray(3.0), reduction=agg
    )
    chances = 1 / (1 + np.exp(-z))
    for logits, p in ((True, z), (False, chances)):
        loss = BinaryCrossEntropyLoss(logits=logits, epsilon=0, weight=(1, 3), agg=agg)
        found = library.host(loss(library.array(p), library.array(t)))
        np.testing.assert_allclose(found, expected.numpy(), rtol=16 * EPS)


def test_weights_of_two_classes_are_two() -> None:
    with pytest.raises(OptionError, match=r"weight=...\) takes two numbers, .* got 3"):
        BinaryCrossEntropyLoss(weight=(1.0, 2.0, 3.0))  # type: ignore[arg-type]  # what is tested
    with pytest.raises(DomainError, match=r"weight=...\) must be at least 0"):
        BinaryCrossEntropyLoss(weight=(1.0, -2.0))


# --- weights of samples ---------------------------------------------------------------------------

SAMPLES = [
    (MSELoss, (4, 3)),
    (BinaryCrossEntropyLoss, (4, 3)),
    (CrossEntropyLoss, (4,)),
    (KLDivergenceLoss, (4,)),
    (DiceCoeffLoss, (4,)),
]
samples = pytest.mark.parametrize(
    ("loss", "shape"), SAMPLES, ids=[loss.__name__ for loss, _ in SAMPLES]
)


@samples
def test_sample_weights_multiply_the_items(loss: Any, shape: Any, library: Any) -> None:
    t = np.roll(P, 1, axis=0)
    w = np.random.default_rng(0).uniform(0.5, 2, shape)
    arrays = library.array(P), library.array(t)
    items = library.host(loss(agg=None)(*arrays))

    def found(agg: Any) -> Any:
        return library.host(loss(agg=agg)(*arrays, sample_weight=library.array(w)))

    np.testing.assert_array_equal(found(None), w * items)
    np.testing.assert_allclose(found("sum"), (w * items).sum(), rtol=8 * EPS)
    np.testing.assert_allclose(found("mean"), (w * items).sum() / w.sum(), rtol=8 * EPS)
    np.testing.assert_array_equal(found(lambda x: x[0, ...]), (w * items)[0])


def test_sample_weights_and_class_weights_multiply(library: Any) -> None:
    w = np.asarray([1.0, 2.0, 0.5, 0.25])
    loss = CrossEntropyLoss(epsilon=0, weight=WEIGHT)
    found = library.host(
        loss(library.array(P), library.array(LABELS, np.int64), sample_weight=library.array(w))
    )
    both = w * np.asarray(WEIGHT)[LABELS]
    expected = -(both * np.log(P[np.arange(4), LABELS])).sum() / both.sum()
    np.testing.assert_allclose(found, expected, rtol=8 * EPS)


def test_objective_takes_sample_weights() -> None:
    w = np.asarray([1.0, 0.0, 0.0, 0.0])
    value, st, stats = CrossEntropyLoss(epsilon=0)(
        lambda x, ps, st: (x, st), {}, {}, (P, LABELS), sample_weight=w
    )
    assert (value, st, stats) == (-np.log(0.5), {}, {})


def test_sample_weight_is_a_constant_of_the_prediction_dtype(differentiating: Any) -> None:
    p, t = differentiating.array(P, np.float32), differentiating.array(P[::-1].copy(), np.float32)
    w = differentiating.array(np.full((4, 3), 2.0), np.float32)
    selector = differentiating.selector

    def both(x: Any) -> Any:
        return MSELoss()(x[0], t, sample_weight=x[1])

    found = polylux.gradient(both, selector, [p, w])
    assert not np.any(differentiating.host(found[1]))
    assert np.any(differentiating.host(found[0]))
    wide = differentiating.array(np.full((4, 3), 2), np.int64)
    value = differentiating.host(MSELoss()(p, t, sample_weight=wide))
    assert value == differentiating.host(MSELoss()(p, t, sample_weight=w))
    assert value.dtype == np.float32


@pytest.mark.parametrize("shape", [(), (3,), (4, 1), (1, 3), (4,)], ids=str)
def test_sample_weight_of_another_shape_is_an_error(shape: Any, library: Any) -> None:
    w = library.array(np.ones(shape))
    with pytest.raises(ShapeError, match=r"sample_weight of the items' shape \(4, 3\), got"):
        MSELoss()(library.array(P), library.array(P), sample_weight=w)


def test_sample_weight_that_is_no_real_array_is_an_error() -> None:
    with pytest.raises(ArrayMixError, match=r"sample_weight=...\) takes an array, got 2.0"):
        MSELoss()(P, P, sample_weight=2.0)
    with pytest.raises(DTypeError, match="real sample_weight, got complex128"):
        MSELoss()(P, P, sample_weight=P + 1j)
    with pytest.raises(ArrayMixError, match="arrays of different libraries"):
        MSELoss()(P, P, sample_weight=torch.ones(4, 3))
