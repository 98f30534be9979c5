"""The mean cross entropy of large arrays: the short formulas, and what is done where they fail."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from polylux import AutoJax, gradient, hvp, to_backend, to_host, value_and_gradient
from polylux.errors import DomainError
from polylux.losses import CrossEntropyLoss
from polylux.losses._kernels import softmax_cross_entropy_mean

LOSS = CrossEntropyLoss(logits=True)
SELECTORS = [AutoJax(), AutoJax(jit=False)]
LANES, CLASSES = 4096, 8
"""As many entries as take the short formula, and more."""


def case(scale: float, dtype: Any, lead: float | None = None) -> tuple[Any, Any]:
    """Logits and shares, or the largest logit of each lane, larger by `lead`, as its class."""
    rng = np.random.default_rng(3)
    z = (scale * rng.normal(size=(LANES, CLASSES))).astype(dtype)
    if lead is not None:
        t = np.eye(CLASSES, dtype=dtype)[np.argmax(z, axis=-1)]
        return z + dtype(lead) * t, t
    t = rng.uniform(size=(LANES, CLASSES)).astype(dtype)
    return z, t / t.sum(-1, keepdims=True)


def true_mean(z: Any, t: Any) -> tuple[Any, Any]:
    """Mean and gradient in extended precision, by the classes that are not the largest."""
    z, t = z.astype(np.longdouble), t.astype(np.longdouble)
    top = np.argmax(z, axis=-1)[:, None]
    shifted = z - z.max(-1, keepdims=True)
    weights = np.exp(shifted)
    np.put_along_axis(weights, top, 0, axis=-1)
    others = weights.sum(-1, keepdims=True)
    total = t.sum(-1, keepdims=True)
    value = (total * np.log1p(others) - (shifted * t).sum(-1, keepdims=True)).mean()
    slope = weights * total / (1 + others) - t
    rest = total - np.take_along_axis(t, top, axis=-1)
    np.put_along_axis(slope, top, rest - total * others / (1 + others), axis=-1)
    return value, slope / len(z)


def assert_exact(z: Any, t: Any, target: Any, selector: AutoJax) -> None:
    """Value and gradient of a target, whose shares are `t`, are right but for a few ulp."""
    value, slope = value_and_gradient(LOSS, selector, *to_backend((z, target), selector))
    true_value, true_slope = true_mean(z, t)
    eps = np.finfo(z.dtype).eps
    assert abs(to_host(value) - true_value) <= 8 * eps * abs(true_value)
    largest = np.max(np.abs(true_slope))
    assert np.max(np.abs(to_host(slope) - true_slope)) <= 8 * eps * largest


POINTS = pytest.mark.parametrize(
    ("scale", "lead"), [(1.0, None), (30.0, None), (1.0, 25.0), (8.0, 0.0)],
    ids=["uncertain", "far", "certain", "mixed"],
)  # fmt: skip


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@POINTS
def test_value_and_gradient_are_exact_on_both_ways(
    scale: float, lead: float | None, dtype: Any, selector: AutoJax
) -> None:
    z, t = case(scale, dtype, lead)
    assert_exact(z, t, t, selector)


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@POINTS
def test_value_and_gradient_by_labels_are_exact(
    scale: float, lead: float | None, dtype: Any, selector: AutoJax
) -> None:
    z, t = case(scale, dtype, lead)
    labels = np.argmax(t, axis=-1)
    if lead is None:
        labels = np.roll(labels, 1)  # any class, not the likeliest
    assert_exact(z, np.eye(CLASSES)[labels], labels.astype(np.int8), selector)


def test_both_ways_are_taken() -> None:
    for lead, is_short in ((None, True), (25.0, False)):
        assert bool(true_mean(*case(1.0, np.float32, lead))[0] >= 0.5) == is_short


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
def test_infinite_logits_share_their_lane(selector: AutoJax) -> None:
    z, t = case(1.0, np.float32)
    z[0, :2], t[0] = np.inf, np.eye(CLASSES)[0]
    z[1, 2:] = -np.inf
    t[1] = np.eye(CLASSES)[0]
    value, slope = value_and_gradient(LOSS, selector, *to_backend((z, t), selector))
    assert np.isfinite(to_host(value))
    found = LANES * to_host(slope)
    np.testing.assert_allclose(found[0], [-0.5, 0.5] + [0.0] * (CLASSES - 2))
    assert np.all(np.isfinite(found))


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
def test_infinite_logits_share_their_lane_by_labels(selector: AutoJax) -> None:
    z, _ = case(1.0, np.float32)
    labels = np.zeros(LANES, np.int32)
    z[0, :2], z[1, 2:] = np.inf, -np.inf
    without, _ = true_mean(z[1:, :2], np.eye(2)[labels[1:]])
    value, slope = value_and_gradient(LOSS, selector, *to_backend((z, labels), selector))
    assert np.isfinite(to_host(value))
    assert float(to_host(value)) > float(without) / 2
    found = LANES * to_host(slope)
    np.testing.assert_allclose(found[0], [-0.5, 0.5] + [0.0] * (CLASSES - 2))
    share = np.exp(z[1, 0] - np.logaddexp(z[1, 0], z[1, 1]))
    np.testing.assert_allclose(
        found[1], [share - 1, 1 - share] + [0.0] * (CLASSES - 2), rtol=1e-6
    )
    z[2, 3] = np.inf  # another class than the label's has all there is
    assert to_host(LOSS(*to_backend((z, labels), selector))) == np.inf


@pytest.mark.parametrize("wrong", [-1, CLASSES, np.iinfo(np.int32).min])
def test_a_label_of_no_class_is_nan_under_a_trace_and_an_error_else(wrong: int) -> None:
    z, _ = case(1.0, np.float32)
    labels = np.zeros(LANES, np.int32)
    labels[5] = wrong
    arguments = to_backend((z, labels), AutoJax())
    value, slope = value_and_gradient(LOSS, AutoJax(), *arguments)
    assert np.isnan(to_host(value))
    is_nan = np.isnan(to_host(slope))
    assert is_nan[5].all()
    assert is_nan.sum() == CLASSES
    with pytest.raises(DomainError, match=f"got {wrong}"):
        LOSS(*arguments)


@pytest.mark.parametrize("lead", [None, 25.0])
def test_curvature_by_labels(lead: float | None) -> None:
    z, t = case(1.0, np.float64, lead)
    point, labels = to_backend((z, np.argmax(t, axis=-1)), AutoJax())
    v = np.cos(np.arange(z.size, dtype=np.longdouble)).reshape(z.shape)
    direction = to_backend(v.astype("d"), AutoJax())
    found = to_host(hvp(lambda z: LOSS(z, labels), AutoJax(), point, direction))
    weights = np.exp(z.astype(np.longdouble) - z.max(-1, keepdims=True))
    q = weights / weights.sum(-1, keepdims=True)
    curved = q * (v - (q * v).sum(-1, keepdims=True)) / LANES
    np.testing.assert_allclose(found, curved, rtol=0, atol=8 * 2**-52 / LANES)


def test_curvature_by_labels_beside_infinite_logits() -> None:
    z, _ = case(1.0, np.float64)
    z[0, :2], z[1, 2:] = np.inf, -np.inf
    direction = np.cos(np.arange(z.size)).reshape(z.shape)
    point, labels, v = to_backend((z, np.zeros(LANES, np.int32), direction), AutoJax())
    found = LANES * to_host(hvp(lambda z: LOSS(z, labels), AutoJax(), point, v))
    np.testing.assert_array_equal(found[0], np.zeros(CLASSES))  # shares that no change moves
    q = np.exp(z[1, :2] - np.logaddexp(*z[1, :2]))
    curved = q[0] * q[1] * (direction[1, 0] - direction[1, 1])
    np.testing.assert_allclose(found[1], [curved, -curved] + [0.0] * (CLASSES - 2), rtol=1e-13)


@pytest.mark.parametrize("lead", [None, 25.0])
def test_derivatives_by_the_shares_and_of_second_order(lead: float | None) -> None:
    z, t = to_backend(case(1.0, np.float64, lead), AutoJax())
    host = to_host(z).astype(np.longdouble)
    # The losses take their targets for constants, and the function below them does not.
    by_shares = to_host(gradient(lambda t: softmax_cross_entropy_mean(z, t, -1), AutoJax(), t))
    weights = np.exp(host - host.max(-1, keepdims=True))
    surprise = np.log(weights.sum(-1, keepdims=True)) - (host - host.max(-1, keepdims=True))
    np.testing.assert_allclose(by_shares, surprise / LANES, rtol=1e-13, atol=1e-18)

    v = np.cos(np.arange(z.size, dtype=np.longdouble)).reshape(z.shape)
    found = to_host(hvp(lambda z: LOSS(z, t), AutoJax(), z, to_backend(v.astype("d"), AutoJax())))
    q = weights / weights.sum(-1, keepdims=True)
    total = to_host(t).astype(np.longdouble).sum(-1, keepdims=True)
    curved = total * q * (v - (q * v).sum(-1, keepdims=True)) / LANES
    # Beside a class that is all but certain v less its mean is rounded as v is.
    np.testing.assert_allclose(found, curved, rtol=0, atol=8 * 2**-52 / LANES)


def test_forward_mode_is_the_gradient() -> None:
    z, t = map(jax.numpy.asarray, case(1.0, np.float32))
    v = jax.numpy.cos(z)
    value, change = jax.jvp(lambda z: LOSS(z, t), (z,), (v,))
    true_value, slope = true_mean(np.asarray(z), np.asarray(t))
    assert float(value) == pytest.approx(float(true_value), rel=1e-6)
    assert float(change) == pytest.approx(float((slope * np.asarray(v)).sum()), rel=1e-4)


def test_other_axes_and_several_means_at_once() -> None:
    z, t = case(1.0, np.float32)
    across = CrossEntropyLoss(logits=True, dim=0)
    labels = np.argmax(t, axis=-1)
    for shares, target in ((t, t.T), (np.eye(CLASSES)[labels], labels)):
        value = across(*map(jax.numpy.asarray, (z.T, target)))
        assert float(value) == pytest.approx(float(true_mean(z, shares)[0]), rel=1e-6)
    several = jax.numpy.stack([z, 60 * z])
    shares = jax.numpy.asarray(t)
    found = jax.vmap(jax.grad(lambda z: LOSS(z, shares)))(several)
    for mine, point in zip(found, (z, 60 * z), strict=True):
        expected = true_mean(point, t)[1]
        np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-6 * np.max(np.abs(expected)))
