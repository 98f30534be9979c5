"""Normalisations: values and derivatives against their formulas in wider numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import ops

EPSILON = 1e-5

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5))
SCALE, BIAS = RNG.normal(size=(4, 5)), RNG.normal(size=(4, 5))
BY_CHANNEL = {"scale": RNG.normal(size=4), "bias": RNG.normal(size=4)}
MEAN, VARIANCE = RNG.normal(size=4), RNG.uniform(1, 2, size=4)


def _standardized(x: Any, axes: Any) -> Any:
    """(x - mean) / sqrt(variance + epsilon) in long doubles, over axes of one length."""
    x = np.asarray(x, dtype=np.longdouble)
    centered = x - x.mean(axis=axes, keepdims=True)
    return centered / np.sqrt((centered**2).mean(axis=axes, keepdims=True) + EPSILON)


def _layer(x: Any) -> Any:
    return _standardized(x, (1, 2)) * SCALE + BIAS


def _rms(x: Any) -> Any:
    x = np.asarray(x, dtype=np.longdouble)
    return x / np.sqrt((x**2).mean(axis=(1, 2), keepdims=True) + EPSILON) * SCALE


def _group(x: Any) -> Any:
    y = _standardized(np.reshape(x, (3, 2, 10)), 2).reshape(3, 4, 5)
    return y * BY_CHANNEL["scale"][:, None] + BY_CHANNEL["bias"][:, None]


def _batch(x: Any) -> Any:
    return _standardized(x, (0, 2)) * BY_CHANNEL["scale"][:, None] + BY_CHANNEL["bias"][:, None]


def _given(x: Any) -> Any:
    x = np.asarray(x, dtype=np.longdouble)
    y = (x - MEAN[:, None]) / np.sqrt(VARIANCE.astype(np.longdouble)[:, None] + EPSILON)
    return y * BY_CHANNEL["scale"][:, None] + BY_CHANNEL["bias"][:, None]


# (name of the op, its parameters, the call, the formula)
NORMS: dict[str, Any] = {
    "layer_norm": (
        {"scale": SCALE, "bias": BIAS},
        lambda op, x, ps: op(x, ps["scale"], ps["bias"], 2, EPSILON),
        _layer,
    ),
    "rms_norm": ({"scale": SCALE}, lambda op, x, ps: op(x, ps["scale"], 2, EPSILON), _rms),
    "group_norm": (
        BY_CHANNEL,
        lambda op, x, ps: op(x, ps["scale"], ps["bias"], 2, EPSILON),
        _group,
    ),
    "batch_norm": (
        BY_CHANNEL,
        lambda op, x, ps: op(x, ps["scale"], ps["bias"], None, None, 0.1, EPSILON)[0],
        _batch,
    ),
    "normalize": (
        {**BY_CHANNEL, "mean": MEAN, "variance": VARIANCE},
        lambda op, x, ps: op(x, ps["scale"], ps["bias"], ps["mean"], ps["variance"], EPSILON),
        _given,
    ),
}
every_norm = pytest.mark.parametrize("name", NORMS)


@every_norm
def test_value_is_that_of_the_formula(name: str, library: Any) -> None:
    parameters, call, formula = NORMS[name]
    moved = {key: library.array(value) for key, value in parameters.items()}
    found = library.host(call(getattr(ops, name), library.array(X), moved))
    # A mean and a mean of squares of up to 20 numbers of size 1, and five operations more.
    np.testing.assert_allclose(found, formula(X).astype(float), rtol=1e-14, atol=1e-14)


@every_norm
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_low_precision_is_rounded_once(name: str, dtype: Any, library: Any) -> None:
    if library.name == "strict" and dtype == np.float16:
        pytest.skip("the standard has no float16")
    parameters, call, formula = NORMS[name]
    x = (X * 100 + 1000).astype(dtype)  # squares above float16's largest number
    if name == "normalize":
        x = X.astype(dtype)
    moved = {
        key: library.array(np.float64(value).astype(dtype), dtype)
        for key, value in parameters.items()
    }
    found = library.host(call(getattr(ops, name), library.array(x, dtype), moved))
    assert found.dtype == dtype
    # Parameters are rounded to the dtype too, and the mean of numbers of size 1000 to float32.
    epsilon = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(
        found.astype(float),
        formula(x.astype(float)).astype(float),
        rtol=4 * epsilon,
        atol=max(4 * epsilon, 1000 / 100 * 8 * 2.0**-23),
    )


def _differences(formula: Any, t: Any, v: Any) -> Any:
    """Derivative along `v` of the sum of t * formula(x)**2, in long doubles: off by 1e-12."""
    h = np.longdouble(1e-6)
    up, down = (np.sum(t * formula(X + s * v) ** 2) for s in (h, -h))
    return float((up - down) / (2 * h))


@every_norm
@pytest.mark.parametrize("form", ["kernel", "neutral"])
def test_gradient_and_its_gradient_agree_with_the_formula(
    name: str, form: str, differentiating: Any
) -> None:
    if (form, differentiating.name) == ("neutral", "jax"):
        pytest.skip("the kernels of JAX are the neutral definitions, compiled")
    parameters, call, formula = NORMS[name]
    selector = differentiating.selector
    op = getattr(ops, name) if form == "kernel" else getattr(ops, name).neutral
    rng = np.random.default_rng(1)
    t, v = rng.normal(size=X.shape), rng.normal(size=X.shape)
    x_, t_, v_, ps = polylux.to_backend((X, t, v, parameters), selector)

    def total(x: Any) -> Any:
        y = call(op, x, ps)
        return polylux.array_namespace(y).sum(y * y * t_)

    def slope(x: Any) -> Any:
        found = polylux.gradient(total, selector, x)
        return polylux.array_namespace(found).sum(found * v_)

    found = polylux.to_host(polylux.gradient(total, selector, x_))
    np.testing.assert_allclose(np.sum(found * v), _differences(formula, t, v), rtol=1e-9, atol=1e-9)
    second = polylux.to_host(polylux.gradient(slope, selector, x_))
    w = rng.normal(size=X.shape)
    # d/dh of the slope at x + h w, by the slopes of the formula.
    h = np.longdouble(1e-4)

    def slope_at(s: Any) -> Any:
        k = np.longdouble(1e-4)
        up, down = (np.sum(t * formula(X + s * w + q * v) ** 2) for q in (k, -k))
        return (up - down) / (2 * k)

    expected = float((slope_at(h) - slope_at(-h)) / (2 * h))
    np.testing.assert_allclose(np.sum(second * w), expected, rtol=1e-5, atol=1e-5)


@every_norm
def test_parameters_have_the_gradients_of_the_formula(name: str, selector: Any) -> None:
    parameters, call, formula = NORMS[name]
    x_, ps = polylux.to_backend((X, parameters), selector)
    t = np.random.default_rng(1).normal(size=X.shape)
    t_ = polylux.to_backend(t, selector)

    def total(ps: Any) -> Any:
        y = call(getattr(ops, name), x_, {**ps_all, **ps})
        return polylux.array_namespace(y).sum(y * t_)

    ps_all = ps
    trained = {key: ps[key] for key in ("scale", "bias") if key in ps}
    found = polylux.to_host(polylux.gradient(total, selector, trained))
    lanes = (0,) if name in ("layer_norm", "rms_norm") else (0, 2)
    scale = parameters["scale"] if lanes == (0,) else parameters["scale"][:, None]
    bias = parameters.get("bias", np.zeros(()))
    bias = bias if lanes == (0,) else bias[:, None]
    unit = ((formula(X) - bias) / scale).astype(float)
    np.testing.assert_allclose(found["scale"], (t * unit).sum(axis=lanes), rtol=1e-12, atol=1e-13)
    if "bias" in found:
        np.testing.assert_allclose(found["bias"], t.sum(axis=lanes), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("kept", [np.float32, np.float64])
def test_running_statistics_move_towards_the_unbiased_ones_of_the_batch(
    kept: Any, library: Any
) -> None:
    mean, variance = MEAN.astype(kept), VARIANCE.astype(kept)
    _, new_mean, new_variance = ops.batch_norm(
        library.array(X),
        None,
        None,
        library.array(mean, kept),
        library.array(variance, kept),
        0.25,
        EPSILON,
    )
    new_mean, new_variance = library.host(new_mean), library.host(new_variance)
    assert new_mean.dtype == new_variance.dtype == kept
    by_channel = X.swapaxes(0, 1).reshape(4, -1)
    tolerance = 2 * float(np.finfo(kept).eps)  # two products and a sum
    np.testing.assert_allclose(
        new_mean, 0.75 * mean + 0.25 * by_channel.mean(axis=1), rtol=tolerance, atol=tolerance
    )
    np.testing.assert_allclose(
        new_variance, 0.75 * variance + 0.25 * by_channel.var(axis=1, ddof=1), rtol=tolerance
    )


def test_running_statistics_given_are_left_as_they_are(library: Any) -> None:
    mean, variance = library.array(MEAN), library.array(VARIANCE)
    ops.batch_norm(library.array(X), None, None, mean, variance, 0.25, EPSILON)
    np.testing.assert_array_equal(library.host(mean), MEAN)
    np.testing.assert_array_equal(library.host(variance), VARIANCE)


def test_running_statistics_are_constants_of_a_derivative(selector: Any) -> None:
    x, mean, variance = polylux.to_backend((X, MEAN, VARIANCE), selector)

    def total(x: Any) -> Any:
        _, new_mean, new_variance = ops.batch_norm(x, None, None, mean, variance, 0.25, EPSILON)
        return polylux.array_namespace(x).sum(new_mean + new_variance)

    np.testing.assert_array_equal(polylux.to_host(polylux.gradient(total, selector, x)), 0 * X)
