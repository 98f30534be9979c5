"""The mean cross entropy of large arrays: the short formula, and the definition where it is not."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from polylux import AutoJax, gradient, hvp, to_backend, to_host, value_and_gradient
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


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("scale", "lead"), [(1.0, None), (30.0, None), (1.0, 25.0), (8.0, 0.0)],
    ids=["uncertain", "far", "certain", "mixed"],
)  # fmt: skip
def test_value_and_gradient_are_exact_on_both_ways(
    scale: float, lead: float | None, dtype: Any, selector: AutoJax
) -> None:
    z, t = case(scale, dtype, lead)
    value, slope = value_and_gradient(LOSS, selector, *to_backend((z, t), selector))
    true_value, true_slope = true_mean(z, t)
    eps = np.finfo(dtype).eps
    assert abs(to_host(value) - true_value) <= 8 * eps * abs(true_value)
    largest = np.max(np.abs(true_slope))
    assert np.max(np.abs(to_host(slope) - true_slope)) <= 8 * eps * largest


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
    value = across(*map(jax.numpy.asarray, (z.T, t.T)))
    assert float(value) == pytest.approx(float(true_mean(z, t)[0]), rel=1e-6)
    several = jax.numpy.stack([z, 60 * z])
    shares = jax.numpy.asarray(t)
    found = jax.vmap(jax.grad(lambda z: LOSS(z, shares)))(several)
    for mine, point in zip(found, (z, 60 * z), strict=True):
        expected = true_mean(point, t)[1]
        np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-6 * np.max(np.abs(expected)))
