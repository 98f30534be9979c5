"""softmax, log_softmax and logsumexp, against multiprecision closed forms."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

import polylux
from polylux import ops
from polylux.arrays import precision_scope
from polylux.errors import OptionError, ShapeError

EPS = 2.0**-52
LOGITS = np.asarray(
    [[1.0, 2.0, 3.0, -4.0], [1e3, 999.0, -1e3, 0.0], [0.0, 0.0, 0.0, 0.0], [-800.0, 5.0, 5.5, 5.25]]
)


def _exact(what: str) -> np.ndarray[Any, Any]:
    rows = []
    with mp.workdps(50):
        for row in LOGITS:
            total = mp.log(mp.fsum(mp.exp(mp.mpf(v)) for v in row))
            if what == "logsumexp":
                rows.append(float(total))
            elif what == "log_softmax":
                rows.append([float(mp.mpf(v) - total) for v in row])
            else:
                rows.append([float(mp.exp(mp.mpf(v) - total)) for v in row])
    return np.asarray(rows)


@pytest.mark.parametrize("neutral", [True, False], ids=["neutral", "kernel"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_value_is_the_closed_form(name: str, neutral: bool, library: Any) -> None:
    function = getattr(ops, name).neutral if neutral else getattr(ops, name)
    exact = _exact(name)
    x = library.array(LOGITS)
    with precision_scope(x):  # the neutral definition does not enter one of its own
        computed = library.host(function(x))
    # The exponent's rounding is relative to the largest logit, 5.5 away from what is not tiny.
    np.testing.assert_allclose(computed, exact, rtol=16 * EPS, atol=16 * EPS)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize("dim", [0, 1, -3])
def test_dim_is_the_axis_that_is_reduced(name: str, dim: int, library: Any) -> None:
    function = getattr(ops, name)
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    computed = library.host(function(library.array(x), dim=dim))
    last = library.host(function(library.array(np.moveaxis(x, dim, -1))))
    if name != "logsumexp":
        last = np.moveaxis(last, -1, dim)
    np.testing.assert_allclose(computed, last, rtol=8 * EPS, atol=8 * EPS)


@pytest.mark.parametrize("neutral", [True, False], ids=["neutral", "kernel"])
def test_gradients_are_the_closed_forms(neutral: bool, differentiating: Any) -> None:
    weights = np.random.default_rng(1).normal(size=LOGITS.shape)
    p = _exact("softmax")

    def gradient(name: str, w: Any) -> Any:
        function = getattr(ops, name).neutral if neutral else getattr(ops, name)

        def total(x: Any, w: Any) -> Any:
            return polylux.array_namespace(x).sum(w * function(x, -1))

        x, w = differentiating.array(LOGITS), differentiating.array(w)
        return differentiating.host(polylux.gradient(total, differentiating.selector, x, w))

    inner = np.sum(weights * p, axis=1, keepdims=True)
    np.testing.assert_allclose(
        gradient("softmax", weights), p * (weights - inner), rtol=0, atol=16 * EPS
    )
    np.testing.assert_allclose(
        gradient("log_softmax", weights),
        weights - p * np.sum(weights, axis=1, keepdims=True),
        rtol=0,
        atol=16 * EPS,
    )
    lanes = weights[:, 0]
    np.testing.assert_allclose(
        gradient("logsumexp", lanes), lanes[:, None] * p, rtol=0, atol=16 * EPS
    )


def test_minus_infinity_is_a_class_without_probability(library: Any) -> None:
    x = library.array([[0.0, -np.inf, 0.0]])
    np.testing.assert_array_equal(library.host(ops.softmax(x)), [[0.5, 0.0, 0.5]])
    computed = library.host(ops.log_softmax(x))
    assert computed[0, 1] == -np.inf
    np.testing.assert_allclose(computed[0, [0, 2]], -np.log(2.0), rtol=2 * EPS)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_lane_of_minus_infinities_is_nan(name: str, library: Any) -> None:
    with np.errstate(invalid="ignore"):
        computed = library.host(getattr(ops, name)(library.array([-np.inf, -np.inf])))
    assert np.all(np.isnan(computed))


def test_infinite_entries_share_the_whole(library: Any) -> None:
    x = library.array([[np.inf, 1.0, -np.inf], [np.inf, 2.0, np.inf], [0.0, -np.inf, 0.0]])
    half = -float(np.log(2.0))
    with np.errstate(invalid="ignore"):
        shares, logarithms = library.host(ops.softmax(x)), library.host(ops.log_softmax(x))
    np.testing.assert_array_equal(shares, [[1, 0, 0], [0.5, 0, 0.5], [0.5, 0, 0.5]])
    minus = -np.inf
    np.testing.assert_allclose(
        logarithms, [[0, minus, minus], [half, minus, half], [half, minus, half]], rtol=EPS
    )


@pytest.mark.parametrize("name", ["softmax", "logsumexp"])
def test_gradient_beside_an_infinite_entry_is_the_limit(name: str, differentiating: Any) -> None:
    def first(x: Any) -> Any:
        y = getattr(ops, name)(x)
        return y if name == "logsumexp" else y[0]

    x = differentiating.array([np.inf, 1.0, 0.0])
    found = differentiating.host(polylux.gradient(first, differentiating.selector, x))
    np.testing.assert_array_equal(found, [1, 0, 0] if name == "logsumexp" else [0, 0, 0])


def test_logsumexp_has_the_limits_at_infinity(library: Any) -> None:
    x = library.array([[np.inf, 1.0], [-np.inf, -np.inf], [-np.inf, 2.0]])
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(library.host(ops.logsumexp(x)), [np.inf, -np.inf, 2.0])


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(name: str, dtype: Any, library: Any) -> None:
    assert library.host(getattr(ops, name)(library.array([[1.0, 2.0]], dtype))).dtype == dtype


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_float16_is_computed_in_float32_and_rounded_once(name: str) -> None:
    neutral = getattr(ops, name).neutral
    x = np.random.default_rng(0).normal(size=(20, 50)).astype(np.float16)
    expected = neutral(x.astype(np.float32)).astype(np.float16)
    np.testing.assert_array_equal(neutral(x), expected)
    assert neutral(x).dtype == np.float16


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_missing_axis_is_named(name: str, library: Any) -> None:
    with pytest.raises(ShapeError, match=r"an array of shape \(2, 3\) has no axis 2"):
        getattr(ops, name)(library.array(np.zeros((2, 3))), 2)


def test_axis_that_is_no_number_is_an_error(library: Any) -> None:
    with pytest.raises(OptionError, match="dim is the number of an axis, got 'batch'"):
        ops.softmax(library.array([1.0]), "batch")  # type: ignore[arg-type]
