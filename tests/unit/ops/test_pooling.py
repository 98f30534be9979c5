"""Pools: values, gradients at ties, second derivatives, and how padding counts."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import polylux
from polylux import ops
from polylux.errors import ShapeError

# (shape, window, stride, padding)
CASES: dict[str, Any] = {
    "1-d": ((2, 2, 7), (3,), (2,), ((1, 1),)),
    "2-d, overlapping": ((1, 2, 4, 5), (3, 2), (2, 1), ((1, 0), (1, 1))),
    "2-d": ((2, 1, 5, 4), (2, 2), (2, 2), ((0, 0), (0, 0))),
    "3-d": ((1, 1, 3, 3, 2), (2, 2, 1), (1, 2, 1), ((1, 0), (1, 1), (0, 0))),
}
parametrized = pytest.mark.parametrize(
    ("case", "dtype"),
    [(case, np.float64) for case in CASES.values()] + [(CASES["1-d"], np.float32)],
    ids=[*CASES, "1-d, float32"],
)

forms = pytest.mark.parametrize(
    ("name", "form"), [("1-d", "kernel"), ("1-d", "neutral"), ("2-d, overlapping", "kernel")]
)


def _numbers(shape: Any) -> Any:
    """Few different whole numbers, so that most windows have ties."""
    return np.random.default_rng(0).integers(-2, 2, shape).astype(float)


def _windows(x: Any, window: Any, stride: Any, padding: Any, value: float) -> Any:
    """(place of the output, slices of the padded array, the window's entries), one by one."""
    x = np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value)
    lengths = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], window, stride, strict=True)]
    for b, c in np.ndindex(x.shape[:2]):
        for place in itertools.product(*map(range, lengths)):
            corner = tuple(
                slice(t * s, t * s + k) for t, s, k in zip(place, stride, window, strict=True)
            )
            yield (b, c, *place), (b, c, *corner), x[(b, c, *corner)]


def _shape(case: Any) -> Any:
    places = [place for place, _, _ in _windows(np.zeros(case[0]), *case[1:], 0.0)]
    return tuple(np.max(places, axis=0) + 1)


def _max(x: Any, case: Any) -> Any:
    y = np.empty(_shape(case))
    for place, _, entries in _windows(x, *case[1:], -np.inf):
        y[place] = entries.max()
    return y


def _mean(x: Any, case: Any) -> Any:
    y = np.empty(_shape(case))
    for place, _, entries in _windows(x, *case[1:], 0.0):
        y[place] = entries.sum() / entries.size
    return y


def _to_first(x: Any, g: Any, case: Any) -> Any:
    """Each entry of `g` added at the first largest entry of its window."""
    _, window, _, padding = case
    lengths = [n + low + high for n, (low, high) in zip(x.shape[2:], padding, strict=True)]
    slope = np.zeros((*x.shape[:2], *lengths))
    for place, at, entries in _windows(x, *case[1:], -np.inf):
        first = np.unravel_index(np.argmax(entries), window)
        slope[at][first] += g[place]
    inside = tuple(slice(low, low + n) for n, (low, _) in zip(x.shape[2:], padding, strict=True))
    return slope[(..., *inside)]


def _from_first(x: Any, v: Any, case: Any) -> Any:
    """Of each window the entry of `v` at its first largest entry."""
    padding = ((0, 0), (0, 0), *case[3])
    v = np.pad(v, padding)
    y = np.empty(_shape(case))
    for place, at, entries in _windows(x, *case[1:], -np.inf):
        y[place] = v[at].flat[np.argmax(entries)]
    return y


@parametrized
def test_max_is_the_largest_entry_of_each_window(case: Any, dtype: Any, library: Any) -> None:
    x = _numbers(case[0])
    y = library.host(ops.max_pool(library.array(x, dtype), *case[1:]))
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, _max(x, case))


@parametrized
def test_mean_counts_the_padding(case: Any, dtype: Any, library: Any) -> None:
    x = _numbers(case[0])
    y = library.host(ops.mean_pool(library.array(x, dtype), *case[1:]))
    assert y.dtype == dtype
    # Exact sums and one division, or a product with a rounded reciprocal: 1 ulp.
    np.testing.assert_allclose(y, _mean(x, case), rtol=np.finfo(dtype).eps)


@forms
def test_gradient_goes_to_the_first_maximum_in_any_order(
    name: str, form: str, differentiating: Any
) -> None:
    case, selector = CASES[name], differentiating.selector
    x = _numbers(case[0])
    function = ops.max_pool if form == "kernel" else ops.max_pool.neutral
    rng = np.random.default_rng(1)
    t, v = rng.integers(1, 4, _shape(case)) * 1.0, rng.integers(-2, 3, x.shape) * 1.0
    t_, v_ = polylux.to_backend((t, v), selector)

    def total(x: Any) -> Any:
        y = function(x, *case[1:])
        return polylux.array_namespace(y).sum(y * y * y * t_)

    def slope(x: Any) -> Any:
        found = polylux.gradient(total, selector, x)
        return polylux.array_namespace(found).sum(found * v_)

    moved = polylux.to_backend(x, selector)
    y = _max(x, case)
    np.testing.assert_array_equal(
        polylux.to_host(polylux.gradient(total, selector, moved)), _to_first(x, 3 * t * y**2, case)
    )
    np.testing.assert_array_equal(
        polylux.to_host(polylux.gradient(slope, selector, moved)),
        _to_first(x, 6 * t * y * _from_first(x, v, case), case),
    )


@forms
def test_gradient_of_the_mean_is_shared_equally(name: str, form: str, differentiating: Any) -> None:
    case, selector = CASES[name], differentiating.selector
    function = ops.mean_pool if form == "kernel" else ops.mean_pool.neutral
    t = np.random.default_rng(1).integers(-3, 4, _shape(case)) * 6.0  # divisible by each window
    t_ = polylux.to_backend(t, selector)

    def total(x: Any) -> Any:
        y = function(x, *case[1:])
        return polylux.array_namespace(y).sum(y * t_)

    x = polylux.to_backend(_numbers(case[0]), selector)
    units = np.eye(int(np.prod(case[0]))).reshape(-1, *case[0])
    expected = np.asarray([np.sum(t * _mean(u, case)) for u in units]).reshape(case[0])
    # A product with a rounded reciprocal, and sums of up to six of them: 6 ulp.
    np.testing.assert_allclose(
        polylux.to_host(polylux.gradient(total, selector, x)),
        expected,
        rtol=6 * 2.0**-52,
        atol=1e-14,
    )


def test_nan_stays_and_takes_the_gradient(selector: Any) -> None:
    x = polylux.to_backend(np.asarray([[[1.0, np.nan, 3.0, 2.0]]]), selector)

    def total(x: Any) -> Any:
        y = ops.max_pool(x, (2,), (2,), ((0, 0),))
        return polylux.array_namespace(y).sum(y)

    value, found = polylux.value_and_gradient(total, selector, x)
    assert np.isnan(polylux.to_host(value))
    np.testing.assert_array_equal(polylux.to_host(found), [[[0, 1, 1, 0]]])


def test_window_of_infinities_has_the_value_and_gradient_of_its_first(selector: Any) -> None:
    x = polylux.to_backend(np.full((1, 1, 3), -np.inf), selector)

    def total(x: Any) -> Any:
        y = ops.max_pool(x, (2,), (1,), ((0, 0),))
        return polylux.array_namespace(y).sum(y)

    found = polylux.to_host(polylux.gradient(total, selector, x))
    np.testing.assert_array_equal(found, [[[1, 1, 0]]])


def test_mean_of_float16_is_rounded_once(library: Any) -> None:
    if library.name == "strict":
        pytest.skip("the standard has no float16")
    x = np.full((1, 1, 4), 40_000.0)  # the sum is above float16's largest number
    y = library.host(ops.mean_pool(library.array(x, np.float16), (4,), (4,), ((0, 0),)))
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y, [[[40_000]]])


@pytest.mark.parametrize("pool", [ops.max_pool, ops.mean_pool], ids=["max", "mean"])
def test_input_that_does_not_fit_is_an_error(pool: Any, library: Any) -> None:
    x = library.array(np.ones((1, 1, 3)))
    with pytest.raises(ShapeError, match=r"a pool over 2 axes needs .* got shape \(1, 1, 3\)"):
        pool(x, (2, 2), (2, 2), ((0, 0), (0, 0)))
    with pytest.raises(ShapeError, match=r"padding \(\(2, 0\),\) must be less than the window"):
        pool(x, (2,), (2,), ((2, 0),))
    with pytest.raises(ShapeError, match=r"a window of \(4,\) .* does not fit"):
        pool(x, (4,), (2,), ((0, 0),))
