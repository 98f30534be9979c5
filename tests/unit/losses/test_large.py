"""Losses of large arrays, for which backends have kernels of their own, against 80 bits."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pytest

import polylux
from polylux.losses import (
    BinaryCrossEntropyLoss,
    BinaryFocalLoss,
    CrossEntropyLoss,
    DiceCoeffLoss,
    FocalLoss,
    HuberLoss,
    KLDivergenceLoss,
    MAELoss,
    MSLELoss,
)

SHAPE = (1024, 20)
"""Rows, and entries of each: more than 2**14 in all, which is large to every backend."""

Wide: TypeAlias = Any
"""An array of long doubles, 11 bits more than float64 has."""


def shares(rng: np.random.Generator, spread: float = 1.0) -> Wide:
    weights = np.exp(spread * rng.normal(size=SHAPE))
    return weights / weights.sum(-1, keepdims=True)


def absolute(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    return np.abs(p - t), np.sign(p - t)


def huber(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    size = np.abs(p - t)
    items = np.where(size <= 0.5, size**2 / 2, (size - 0.25) / 2)
    return items, np.clip(p - t, -0.5, 0.5)


def squared_log(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    ratio = np.log1p((p - t) / (t + e))
    return ratio**2, 2 * ratio / (p + e)


def binary_of_shares(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    items = -t * np.log(p + e) - (1 - t) * np.log1p(e - p)
    return items, (1 - t) / (1 - p + e) - t / (p + e)


def binary_focal(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    missing = t * (1 - p) + (1 - t) * p - e
    surprise = -np.log1p(-missing)
    slope = (1 - 2 * t) * (2 * missing * surprise + missing**2 / (1 - missing))
    return missing**2 * surprise, slope


def divergence(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    given = np.where(t == 0, 1, t)
    ratio = np.log1p((given - p - e) / (p + e))
    return np.sum(np.where(t == 0, 0, t * ratio), -1), -t / (p + e)


def focal(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    q, missing = p + e, 1 - p - e
    surprise = -np.log1p(-missing)
    slope = -t * (2 * missing * surprise + missing**2 / q)
    return np.sum(t * missing**2 * surprise, -1), slope


def dice(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    total = np.sum(p**2 + t**2, -1, keepdims=True)
    both = 2 * np.sum(p * t, -1, keepdims=True)
    items = np.sum((p - t) ** 2, -1) / total[:, 0]
    return items, 2 * (p * both / total - t) / total


def binary(z: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    size = np.abs(z)
    share = np.where(z >= 0, 1 - t, t)
    less = np.exp(-size) / (1 + np.exp(-size))
    return np.log1p(np.exp(-size)) + share * size, np.where(z >= 0, share - less, less - share)


def surprise(z: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    top = np.argmax(z, axis=-1)[:, None]
    shifted = z - z.max(-1, keepdims=True)
    weights = np.exp(shifted)
    np.put_along_axis(weights, top, 0, axis=-1)
    others = weights.sum(-1, keepdims=True)
    total = t.sum(-1, keepdims=True)
    slope = weights * total / (1 + others) - t
    rest = total - np.take_along_axis(t, top, axis=-1)
    np.put_along_axis(slope, top, rest - total * others / (1 + others), axis=-1)
    return (total * np.log1p(others) - np.sum(shifted * t, -1, keepdims=True))[:, 0], slope


def numbers(rng: np.random.Generator) -> tuple[Any, Any]:
    p, t = rng.normal(size=(2, *SHAPE))
    return np.where(rng.uniform(size=SHAPE) < 0.3, t, p), t  # many are met


def tiny_apart(rng: np.random.Generator) -> tuple[Any, Any]:
    t = rng.uniform(1, 2, size=SHAPE) * 1e-36
    return t * (1 + np.sign(rng.normal(size=SHAPE)) / 8), t


def positive(rng: np.random.Generator) -> tuple[Any, Any]:
    p, t = rng.uniform(size=(2, *SHAPE)) + 1e-3
    return p, t


def of_two_scales(rng: np.random.Generator) -> tuple[Any, Any]:
    # Large ratios of large numbers, beside which small ratios of small ones have larger slopes.
    is_small = rng.uniform(size=SHAPE) < 0.5
    t = np.where(is_small, 1e-2, 1e3) * rng.uniform(1, 2, size=SHAPE)
    return t * np.where(is_small, 1 + 1e-3 * rng.normal(size=SHAPE), 8.0), t


def alike_but_one(rng: np.random.Generator) -> tuple[Any, Any]:
    p, t = np.full(SHAPE, 1.3 * 1.013), np.full(SHAPE, 1.3)  # all rounded alike
    p[0, 0], t[0, 0] = 3e-2, 1e-2
    return p, t


def two_classes(rng: np.random.Generator) -> tuple[Any, Any]:
    return rng.uniform(size=SHAPE), np.asarray(rng.uniform(size=SHAPE) < 0.5, float)


def two_classes_certain(rng: np.random.Generator) -> tuple[Any, Any]:
    t = np.asarray(rng.uniform(size=SHAPE) < 0.5, float)
    return np.abs(t - 1e-3 * rng.uniform(size=SHAPE)), t


def never(rng: np.random.Generator) -> tuple[Any, Any]:
    return np.full(SHAPE, 4.7e-4), np.zeros(SHAPE)  # 1 - p all rounded alike


def two_numbers(rng: np.random.Generator) -> tuple[Any, Any]:
    return rng.uniform(size=SHAPE), rng.uniform(size=SHAPE)


def near(rng: np.random.Generator) -> tuple[Any, Any]:
    p = shares(rng)
    return p, p * (1 + 1e-3 * rng.normal(size=SHAPE))


def far(rng: np.random.Generator) -> tuple[Any, Any]:
    return shares(rng), shares(rng)


def with_zeros(rng: np.random.Generator) -> tuple[Any, Any]:
    t = shares(rng, 2.0)
    return shares(rng), np.where(t < 0.02, 0, t)


def heavy(rng: np.random.Generator) -> tuple[Any, Any]:
    return np.full(SHAPE, 4.7), np.full(SHAPE, 4.7 * 1.013)  # all rounded alike


def certain(rng: np.random.Generator) -> tuple[Any, Any]:
    t = np.eye(SHAPE[1])[rng.integers(0, SHAPE[1], SHAPE[0])]
    return t * (1 - 1e-4) + (1 - t) * 1e-5 * rng.uniform(size=SHAPE), t


def apart(rng: np.random.Generator) -> tuple[Any, Any]:
    return rng.uniform(0.5, 1, size=SHAPE), 1e-3 * rng.uniform(size=SHAPE)


def one_of_many(rng: np.random.Generator) -> tuple[Any, Any]:
    return 3 * rng.normal(size=SHAPE), shares(rng)


def all_but_certain(rng: np.random.Generator) -> tuple[Any, Any]:
    t = np.eye(SHAPE[1])[np.zeros(SHAPE[0], int)]
    return 8.1 * t, 100 * t  # all rounded alike


def certain_and_heavy_among_others(rng: np.random.Generator) -> tuple[Any, Any]:
    z, t = one_of_many(rng)
    z[0], t[0] = 12 * np.eye(SHAPE[1])[0], 300 * np.eye(SHAPE[1])[0]
    return z, t


def logits(rng: np.random.Generator) -> tuple[Any, Any]:
    return 3 * rng.normal(size=SHAPE), np.asarray(rng.uniform(size=SHAPE) < 0.5, float)


def confident(rng: np.random.Generator) -> tuple[Any, Any]:
    t = np.asarray(rng.uniform(size=SHAPE) < 0.5, float)
    return (2 * t - 1) * rng.uniform(8, 30, size=SHAPE), t


def even(rng: np.random.Generator) -> tuple[Any, Any]:
    signs = np.sign(rng.normal(size=SHAPE))
    return 1e-3 * signs, np.full(SHAPE, 0.25)


KL, DICE = KLDivergenceLoss(), DiceCoeffLoss(smooth=0)
BINARY, CROSS = BinaryCrossEntropyLoss(logits=True), CrossEntropyLoss(logits=True)
CASES: dict[str, tuple[Any, Any, Any]] = {
    "absolute": (MAELoss(), absolute, numbers),
    "absolute, tiny": (MAELoss(), absolute, tiny_apart),
    "huber": (HuberLoss(delta=0.5), huber, numbers),
    "squared log, far": (MSLELoss(), squared_log, positive),
    "squared log, near": (MSLELoss(), squared_log, near),
    "squared log, all but one alike": (MSLELoss(), squared_log, alike_but_one),
    "squared log, two scales": (MSLELoss(), squared_log, of_two_scales),
    "binary shares, uncertain": (BinaryCrossEntropyLoss(), binary_of_shares, two_classes),
    "binary shares, certain": (BinaryCrossEntropyLoss(), binary_of_shares, two_classes_certain),
    "binary shares, of class 0": (BinaryCrossEntropyLoss(), binary_of_shares, never),
    "binary shares, between": (BinaryCrossEntropyLoss(), binary_of_shares, two_numbers),
    "binary focal, uncertain": (BinaryFocalLoss(), binary_focal, two_classes),
    "binary focal, certain": (BinaryFocalLoss(), binary_focal, two_classes_certain),
    "divergence, far": (KL, divergence, far),
    "divergence, near": (KL, divergence, near),
    "divergence, zeros": (KL, divergence, with_zeros),
    "divergence, heavy targets": (KL, divergence, heavy),
    "focal, far": (FocalLoss(), focal, far),
    "focal, certain": (FocalLoss(), focal, certain),
    "cross entropy, uncertain": (CROSS, surprise, one_of_many),
    "cross entropy, certain": (CROSS, surprise, all_but_certain),
    "cross entropy, one certain": (CROSS, surprise, certain_and_heavy_among_others),
    "dice, far": (DICE, dice, far),
    "dice, near": (DICE, dice, near),
    "dice, apart": (DICE, dice, apart),
    "binary, uncertain": (BINARY, binary, logits),
    "binary, confident": (BINARY, binary, confident),
    "binary, even": (BINARY, binary, even),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("loss", "reference", "points"), CASES.values(), ids=CASES)
def test_value_and_gradient_are_those_of_the_formula(
    loss: Any, reference: Any, points: Any, dtype: Any, differentiating: Any
) -> None:
    p, t = points(np.random.default_rng(5))
    check(loss, reference, p.astype(dtype), t.astype(dtype), differentiating.selector)


FEW = [name for name in CASES if name.startswith("cross entropy")]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("loss", "reference", "points"), [CASES[n] for n in FEW], ids=FEW)
def test_so_they_are_of_few_rows(
    loss: Any, reference: Any, points: Any, dtype: Any, differentiating: Any
) -> None:
    p, t = (array[:32].astype(dtype) for array in points(np.random.default_rng(5)))
    # Ever more certain, and of ever larger shares: their product stays.
    for certainty, share in ((0, 1), (5, 150), (9, 1e4), (24, 1e4)):
        sharper = p + dtype(certainty) * (p == p.max(-1, keepdims=True))
        check(loss, reference, sharper, dtype(share) * t, differentiating.selector)


def check(loss: Any, reference: Any, p: Any, t: Any, selector: Any) -> None:
    """Hold value, gradient, and the value alone against the formula in long doubles."""
    dtype = p.dtype.type
    eps = np.finfo(dtype).eps
    items, slopes = reference(*(a.astype(np.longdouble) for a in (p, t)), np.longdouble(eps))
    value, slope = polylux.value_and_gradient(
        loss, selector, *polylux.to_backend((p, t), selector)
    )
    # The mean of terms of both signs is right to the largest of them.
    floor = 4 * eps * np.mean(np.abs(items))
    true = items.mean()
    assert abs(polylux.to_host(value) - true) <= max(8 * np.spacing(true.astype(dtype)), floor)
    slopes = slopes / items.size
    unit = np.spacing(np.max(np.abs(slopes)).astype(dtype))
    assert np.max(np.abs(polylux.to_host(slope) - slopes)) <= 8 * unit
    alone = loss(*polylux.to_backend((p, t), selector))
    assert abs(polylux.to_host(alone) - true) <= max(8 * np.spacing(true.astype(dtype)), floor)
