"""Kernels of losses: value and gradient against formulas in 80 bits, small and large, and edges."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch

from polylux import AutoTorch, gradient, hvp, jacobian, losses, to_backend, value_and_gradient
from polylux.errors import DomainError
from polylux.losses._kernels import softmax_cross_entropy_labels_mean

SELECTOR = AutoTorch()
Wide: TypeAlias = Any
"""An array of long doubles, 11 bits more than float64 has."""


def random() -> np.random.Generator:
    return np.random.default_rng(11)


def squares(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    return (p - t) ** 2, 2 * (p - t)


def sizes(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    return abs(p - t), np.sign(p - t)


def huber(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    d, size = p - t, abs(p - t)
    return np.where(size <= 0.5, d * d / 2, (size - 0.25) / 2), np.clip(d, -0.5, 0.5)


def halves(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    return (p - t) ** 2 / 2, p - t


def squared_log(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    ratio = np.log1p((p - t) / (t + e))
    return ratio**2, 2 * ratio / (p + e)


def poisson(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    return p - t * np.log(p + e), (p + e - t) / (p + e)


def hinge(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    return np.maximum(1 - t * p, 0), np.where(t * p < 1, -t, 0)


def squared_hinge(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    missing = np.maximum(1 - t * p, 0)
    return missing**2, -2 * t * missing


def binary_chances(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    value = -t * np.log(p + e) - (1 - t) * np.log1p(e - p)
    return value, (1 - t) / (1 - p + e) - t / (p + e)


def binary(z: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    likely, less = np.exp(-np.logaddexp(0, -z)), np.exp(-np.logaddexp(0, z))
    value = t * np.logaddexp(0, -z) + (1 - t) * np.logaddexp(0, z)
    return value, (1 - t) * likely - t * less


def divergence(p: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    # p and t have common entries; log1p of the rest keeps what the 11 bits would not.
    terms = -t * np.log1p((p - t + e) / t)
    return terms.sum(-1), -t / (p + e)


def cross_entropy(z: Wide, t: Wide, e: Wide) -> tuple[Wide, Wide]:
    surprise = np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True))
    surprise = surprise + z.max(-1, keepdims=True) - z
    return (t * surprise).sum(-1), np.exp(-surprise) * t.sum(-1, keepdims=True) - t


def real(shape: tuple[int, ...]) -> tuple[Any, Any]:
    first, second = random().normal(size=(2, *shape))
    return first, second


def positive(shape: tuple[int, ...]) -> tuple[Any, Any]:
    p, t = real(shape)
    return np.exp(p), np.exp(t)


def signs(shape: tuple[int, ...]) -> tuple[Any, Any]:
    p, t = real(shape)
    return p, np.sign(t)


def logits(shape: tuple[int, ...]) -> tuple[Any, Any]:
    return 8 * real(shape)[0], random().choice([0.0, 0.25, 1.0], size=shape)


def chances(shape: tuple[int, ...]) -> tuple[Any, Any]:
    z, t = logits(shape)
    return 1 / (1 + np.exp(-z / 8)), t


def lanes(shape: tuple[int, ...]) -> tuple[Any, Any]:
    return 4 * real(shape)[0], random().dirichlet(np.ones(shape[-1]), size=shape[:-1])


def shares(shape: tuple[int, ...]) -> tuple[Any, Any]:
    p = np.exp(real(shape)[0]) / shape[-1]
    return p, random().dirichlet(np.full(shape[-1], 4.0), size=shape[:-1])


Reference: TypeAlias = Callable[[Wide, Wide, Wide], tuple[Wide, Wide]]
Points: TypeAlias = Callable[[tuple[int, ...]], tuple[Any, Any]]
CASES: dict[str, tuple[losses.Loss, Reference, Points]] = {
    "squares": (losses.MSELoss(), squares, real),
    "sizes": (losses.MAELoss(), sizes, real),
    "huber": (losses.HuberLoss(delta=0.5), huber, real),
    "squared log": (losses.MSLELoss(), squared_log, positive),
    "squared log, epsilon 1": (losses.MSLELoss(epsilon=1), squared_log, positive),
    "poisson": (losses.PoissonLoss(), poisson, positive),
    "huber, no limit": (losses.HuberLoss(delta=1e300), halves, real),
    "hinge": (losses.HingeLoss(), hinge, signs),
    "squared hinge": (losses.SquaredHingeLoss(), squared_hinge, signs),
    "binary": (losses.BinaryCrossEntropyLoss(), binary_chances, chances),
    "binary logits": (losses.BinaryCrossEntropyLoss(logits=True), binary, logits),
    "divergence": (losses.KLDivergenceLoss(), divergence, shares),
    "cross entropy": (losses.CrossEntropyLoss(logits=True), cross_entropy, lanes),
}


def in_ulps(got: Any, true: Any, dtype: Any) -> float:
    """Largest error, in units in the last place of the largest entry."""
    largest = np.max(np.abs(true))
    unit = np.spacing(largest.astype(dtype)).astype(np.longdouble)
    return float(np.max(np.abs(np.asarray(got, np.longdouble) - true)) / unit)


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4), (70, 5), (130, 128)], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("loss", "reference", "points"), CASES.values(), ids=CASES)
def test_value_and_gradient_are_those_of_the_formula(
    loss: losses.Loss, reference: Reference, points: Points, dtype: Any, shape: tuple[int, ...]
) -> None:
    p, t = (array.astype(dtype) for array in points(shape))
    epsilon = getattr(loss, "epsilon", None)
    e = np.longdouble(np.finfo(dtype).eps if epsilon is None else epsilon)
    items, slopes = reference(p.astype(np.longdouble), t.astype(np.longdouble), e)
    value, slope = value_and_gradient(loss, SELECTOR, *to_backend((p, t), SELECTOR))
    # The mean's rounding is one of its terms': a divergence has terms of both signs.
    floor = 4 * np.finfo(dtype).eps * np.mean(np.abs(items))
    assert abs(float(value) - items.mean()) <= max(
        8 * np.spacing(abs(items.mean()).astype(dtype)), floor
    )
    assert in_ulps(slope, slopes / items.size, dtype) <= 8
    # Without a derivative, the same value.
    assert float(loss(*to_backend((p, t), SELECTOR))) == float(value)


@pytest.mark.parametrize("dim", [-1, 0])
def test_lanes_by_themselves_keep_their_digits(dim: int) -> None:
    z, t = lanes((6, 5))
    z[0] = [40.0, 0.0, 1.0, -3.0, 2.0]  # all but certain
    t[0] = [1.0, 0.0, 0.0, 0.0, 0.0]
    g = np.asarray([1.0, -2.0, 0.5, 3.0, 1.0, -1.0])
    items, slopes = cross_entropy(z.astype(np.longdouble), t.astype(np.longdouble), 0)
    others = np.exp(z[0, 1:].astype(np.longdouble) - 40)
    items[0], slopes[0, 0] = np.log1p(others.sum()), -others.sum() / (1 + others.sum())
    point, target, weight = (torch.from_numpy(a) for a in (z, t, g))
    if dim == 0:
        point, target = point.T.contiguous(), target.T.contiguous()
    point.requires_grad_()
    found = losses.CrossEntropyLoss(logits=True, agg=None, dim=dim)(point, target)
    (slope,) = torch.autograd.grad((found * weight).sum(), point)
    slope = slope if dim else slope.T
    for i in range(6):  # each by itself
        assert in_ulps(found[i].detach(), items[i], np.float64) <= 8
        assert in_ulps(slope[i], g[i] * slopes[i], np.float64) <= 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_small_rates_beside_an_epsilon_of_one_keep_their_digits(dtype: torch.dtype) -> None:
    # p - t log(1 + p) = p**2 / 2 - p**3 / 3 + ... for t = 1: of that size, and no rounding of 1.
    p = torch.tensor([1e-9, 2e-9], dtype=dtype)
    value = losses.PoissonLoss(epsilon=1)(p, torch.full_like(p, 3.0))
    assert float(value) == pytest.approx(-3e-9, rel=8 * torch.finfo(dtype).eps + 3e-9)


@pytest.mark.parametrize("size", [1, 4096], ids=["small", "large"])
def test_lanes_that_are_all_but_certain_keep_their_digits(size: int) -> None:
    # With others = exp(-40): log1p(others) and, for the certain class, -others / (1 + others).
    z = torch.tensor([[40.0, 0.0, -100.0, -100.0]] * size, dtype=torch.float64)
    others = np.exp(np.longdouble(-40))
    loss = losses.CrossEntropyLoss(logits=True)
    share = others / (1 + others)
    for target in (torch.eye(4, dtype=torch.float64)[[0] * size], torch.zeros(size).long()):
        value, slope = value_and_gradient(loss, SELECTOR, z, target)
        assert float(value) == pytest.approx(float(np.log1p(others)), rel=8 * 2**-52)
        assert float(slope[0, 0]) * size == pytest.approx(float(-share), rel=8 * 2**-52)
        assert float(slope[0, 1]) * size == pytest.approx(float(share), rel=8 * 2**-52)


@pytest.mark.parametrize("labels", [[0, 1, 1], [2, 0, 2]])
@pytest.mark.parametrize("repeats", [1, 2**13], ids=["small", "large"])
def test_labels_are_as_one_hot_targets(labels: list[int], repeats: int) -> None:
    z = torch.tensor([[1.0, 1.0, 1.0], [5.0, 5.0, -1.0], [0.0, -2.0, 9.0]] * repeats)
    loss, places = losses.CrossEntropyLoss(logits=True), torch.tensor(labels * repeats)
    value, slope = value_and_gradient(loss, SELECTOR, z, places)
    items, slopes = cross_entropy(
        z.numpy().astype(np.longdouble), np.eye(3)[labels * repeats].astype(np.longdouble), 0
    )
    assert float(value) == pytest.approx(float(items.mean()), rel=4 * 2**-23)
    assert in_ulps(slope, slopes / len(items), np.float32) <= 8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("below", [3.0, 95.0, 700.0], ids=["likely", "subnormal", "underflowed"])
@pytest.mark.parametrize("by_label", [False, True], ids=["shares", "label"])
def test_a_large_mean_is_exact_for_classes_of_any_chance(
    by_label: bool, below: float, dtype: Any
) -> None:
    rng = random()
    z = rng.normal(size=(512, 40)).astype(dtype)
    labels = rng.integers(0, 40, 512)
    np.put_along_axis(z, labels[:, None], dtype(-below), axis=1)
    t = np.eye(40, dtype=dtype)[labels]
    items, slopes = cross_entropy(z.astype(np.longdouble), t.astype(np.longdouble), 0)
    target = torch.from_numpy(labels if by_label else t)
    value, slope = value_and_gradient(
        losses.CrossEntropyLoss(logits=True), SELECTOR, torch.from_numpy(z), target
    )
    assert abs(float(value) - items.mean()) <= 8 * np.spacing(items.mean().astype(dtype))
    assert in_ulps(slope, slopes / 512, dtype) <= 8


WRONG = [(torch.uint8, 200), (torch.int32, -1), (torch.int64, 40), (torch.int64, -(2**63))]


@pytest.mark.parametrize("lanes", [3, 512], ids=["small", "large"])
@pytest.mark.parametrize("z_dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("dtype", "wrong"), WRONG)
def test_a_label_of_no_class_is_named(
    dtype: torch.dtype, wrong: int, z_dtype: torch.dtype, lanes: int
) -> None:
    z = torch.linspace(-1, 1, 40 * lanes, dtype=z_dtype).reshape(lanes, 40)
    labels = torch.zeros(lanes, dtype=dtype)
    labels[1] = wrong
    loss = losses.CrossEntropyLoss(logits=True)
    with pytest.raises(DomainError, match=f"got {wrong}"):
        loss(z, labels)
    with pytest.raises(DomainError, match=f"got {wrong}"):
        gradient(loss, SELECTOR, z, labels)
    # The function below the loss, which nobody checks for: not a number.
    value = softmax_cross_entropy_labels_mean(z, labels)
    assert torch.isnan(value)


def test_what_torch_raises_beside_good_labels_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exhausted(*_: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(torch, "softmax", exhausted)
    z, labels = torch.ones(512, 40), torch.zeros(512, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="out of memory"):
        losses.CrossEntropyLoss(logits=True)(z, labels)


def test_classes_may_come_first() -> None:
    z, t = lanes((6, 5))
    loss = losses.CrossEntropyLoss(logits=True, dim=0)
    slope = gradient(loss, SELECTOR, *to_backend((z.T.copy(), t.T.copy()), SELECTOR))
    _, slopes = cross_entropy(z.astype(np.longdouble), t.astype(np.longdouble), 0)
    assert in_ulps(slope.T, slopes / 6, np.float64) <= 8


EDGES: dict[str, tuple[losses.Loss, list[float], list[float], float, list[float]]] = {
    # Infinite logits of the right class: the terms are 0.
    "binary": (
        losses.BinaryCrossEntropyLoss(logits=True),
        [np.inf, -np.inf, 0.0], [1.0, 0.0, 1.0], np.log(2) / 3, [0.0, 0.0, -1 / 6],
    ),
    "cross entropy": (
        losses.CrossEntropyLoss(logits=True),
        [-np.inf, 0.0, 0.0], [0.0, 1.0, 0.0], np.log(2), [0.0, -0.5, 0.5],
    ),
    "chances of 0 and 1": (
        losses.BinaryCrossEntropyLoss(epsilon=0),
        [0.0, 1.0, 0.5], [0.0, 1.0, 1.0], np.log(2) / 3, [1 / 3, -1 / 3, -2 / 3],
    ),
    # A rate of 0 where the target is 0, without epsilon.
    "poisson": (losses.PoissonLoss(epsilon=0), [0.0, 2.0], [0.0, 2.0], 1 - np.log(2), [0.5, 0.0]),
    # The logarithm of a ratio of two negative numbers.
    "squared log": (
        losses.MSLELoss(epsilon=0), [-2.0, 3.0], [-1.0, 3.0], np.log(2) ** 2 / 2,
        [-np.log(2) / 2, 0.0],
    ),
    "divergence": (
        losses.KLDivergenceLoss(epsilon=0), [0.0, 0.5], [0.0, 1.0], np.log(2), [0.0, -2.0],
    ),
    "hinge at the margin": (losses.HingeLoss(), [1.0, 0.0], [1.0, -1.0], 0.5, [0.0, 0.5]),
    "sizes at 0": (losses.MAELoss(), [1.0, 4.0], [1.0, 2.0], 1.0, [0.0, 0.5]),
}  # fmt: skip


@pytest.mark.parametrize(("loss", "p", "t", "value", "slope"), EDGES.values(), ids=EDGES)
def test_edges_are_those_of_the_definition(
    loss: losses.Loss, p: list[float], t: list[float], value: float, slope: list[float]
) -> None:
    point = torch.tensor(p, dtype=torch.float64)
    found = value_and_gradient(loss, SELECTOR, point, torch.tensor(t, dtype=torch.float64))
    assert float(found[0]) == pytest.approx(value, rel=4 * 2**-52)
    assert found[1].tolist() == pytest.approx(slope, rel=4 * 2**-52)


def test_one_negative_number_of_a_ratio_is_nan() -> None:
    value = losses.MSLELoss()(torch.tensor([-1.0, 2.0]), torch.tensor([1.0, 2.0]))
    assert torch.isnan(value)


@pytest.mark.parametrize("name", CASES)
def test_a_second_backward_pass_finds_the_same(name: str) -> None:
    loss, _, points = CASES[name]
    p, t = to_backend(points((3, 4)), SELECTOR)
    leaf = p.clone().requires_grad_()
    value = loss(leaf, t)
    (first,) = torch.autograd.grad(value, leaf, retain_graph=True)
    (second,) = torch.autograd.grad(value, leaf, torch.tensor(3.0, dtype=p.dtype))
    torch.testing.assert_close(second, 3 * first, rtol=32 * 2**-52, atol=0)


@pytest.mark.parametrize("name", CASES)
def test_curvature_is_the_difference_of_gradients(name: str) -> None:
    loss, _, points = CASES[name]
    p, t = to_backend(points((3, 4)), SELECTOR)
    v = torch.cos(torch.arange(12.0, dtype=p.dtype)).reshape(3, 4)
    h = 2.0**-17
    high, low = (gradient(loss, SELECTOR, p + step * v, t) for step in (h, -h))
    # Central: h**2 of the fourth derivative, and rounding by eps / h.
    torch.testing.assert_close(
        hvp(loss, SELECTOR, p, v, t), (high - low) / (2 * h), rtol=1e-7, atol=1e-9
    )


def test_jacobian_of_lanes_takes_many_cotangents_at_once() -> None:
    z, t = to_backend(lanes((3, 4)), SELECTOR)
    loss = losses.CrossEntropyLoss(logits=True, agg=None)
    found = jacobian(lambda z: loss(z, t), SELECTOR, z)
    expected = torch.zeros(3, 3, 4, dtype=z.dtype)
    expected[range(3), range(3)] = torch.softmax(z, -1) - t  # the shares of each lane add up to 1
    torch.testing.assert_close(found, expected, rtol=0, atol=8 * 2**-52)
    vectorized = torch.autograd.functional.jacobian(lambda z: loss(z, t), z, vectorize=True)
    torch.testing.assert_close(vectorized, expected, rtol=0, atol=8 * 2**-52)


@pytest.mark.parametrize("is_second", [False, True], ids=["first pass", "second pass"])
def test_a_mean_takes_many_cotangents_at_once(is_second: bool) -> None:
    z, t = to_backend(lanes((3, 4)), SELECTOR)
    leaf = z.requires_grad_()
    value = losses.CrossEntropyLoss(logits=True)(leaf, t)
    (slope,) = torch.autograd.grad(value, leaf, retain_graph=True)
    if not is_second:
        value = losses.CrossEntropyLoss(logits=True)(leaf, t)
    cotangents = torch.tensor([1.0, -2.0], dtype=z.dtype)
    (found,) = torch.autograd.grad(value, leaf, cotangents, is_grads_batched=True)
    torch.testing.assert_close(found, torch.stack([slope, -2 * slope]), rtol=32 * 2**-52, atol=0)


# --- memory that is kept between calls -----------------------------------------------------------

LARGE: dict[str, losses.Loss] = {
    "absolute": losses.MAELoss(),
    "squared log": losses.MSLELoss(),
    "poisson": losses.PoissonLoss(),
    "hinge": losses.HingeLoss(),
    "binary": losses.BinaryCrossEntropyLoss(),
    "binary logits": losses.BinaryCrossEntropyLoss(logits=True),
    "divergence": losses.KLDivergenceLoss(),
}


def large(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    p, t = rng.uniform(0.1, 0.9, size=(2, 300, 100))
    return torch.from_numpy(p), torch.from_numpy(t)


@pytest.mark.parametrize("loss", LARGE.values(), ids=LARGE)
def test_what_is_returned_is_not_the_kept_memory(loss: losses.Loss) -> None:
    value, slope = value_and_gradient(loss, SELECTOR, *large(0))
    value_before, slope_before = value.clone(), slope.clone()
    value_and_gradient(loss, SELECTOR, *large(1))
    assert torch.equal(value, value_before)
    assert torch.equal(slope, slope_before)


@pytest.mark.parametrize("loss", LARGE.values(), ids=LARGE)
def test_threads_do_not_disturb_each_other(loss: losses.Loss) -> None:
    def found(seed: int) -> list[torch.Tensor]:
        return [value_and_gradient(loss, SELECTOR, *large(seed))[1] for _ in range(8)]

    alone = [found(seed)[0] for seed in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for slopes, expected in zip(pool.map(found, range(2)), alone, strict=True):
            assert all(torch.equal(slope, expected) for slope in slopes)


@pytest.mark.parametrize("loss", LARGE.values(), ids=LARGE)
def test_memory_kept_in_inference_mode_serves_derivatives(loss: losses.Loss) -> None:
    p, t = large(2)

    def both() -> tuple[torch.Tensor, torch.Tensor]:
        with torch.inference_mode():
            value = loss(p, t)
        return value, value_and_gradient(loss, SELECTOR, p, t)[0]

    with ThreadPoolExecutor(1) as pool:  # a thread that has kept nothing yet
        value, same = pool.submit(both).result()
    assert float(value) == float(same)


def test_memory_is_kept_where_the_arrays_are() -> None:
    p, t = large(3)

    def found() -> torch.Tensor:
        with torch.device("meta"):  # where others make their arrays meanwhile
            return value_and_gradient(losses.MAELoss(), SELECTOR, p, t)[0]

    with ThreadPoolExecutor(1) as pool:  # a thread that has kept nothing yet
        value = pool.submit(found).result()
    assert float(value) == pytest.approx(float((p - t).abs().mean()), rel=8 * 2**-52)
