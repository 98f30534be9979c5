"""Random words and uniform numbers: the same bits everywhere, with the right frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polylux import ops
from polylux.threefry import host_words

KEY = np.asarray([123456789, -987654321], dtype=np.int32)
COUNT = np.asarray([5], dtype=np.int32)


def _run(library: Any, function: Any, *arrays: Any) -> Any:
    """`function` of these int32 arrays; compiled by JAX, which else compiles 120 operations."""
    moved = [library.array(array, np.int32) for array in arrays]
    if library.name != "jax":
        return library.host(function(*moved))
    import jax

    with jax.enable_x64(True):
        return library.host(jax.jit(function)(*moved))


def _words(library: Any, count: Any = COUNT) -> Any:
    return _run(library, lambda key, count: ops.random_words(key, count, 1001), KEY, count)


def test_words_are_the_same_in_every_library(library: Any) -> None:
    words = _words(library)
    assert words.dtype == np.int32
    np.testing.assert_array_equal(words, host_words(KEY, COUNT, 1001))


def test_each_count_gives_other_words(library: Any) -> None:
    first, second = _words(library), _words(library, COUNT + 1)
    # Of 1001 pairs of words one or more are equal with probability 2e-7.
    assert not (first == second).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_numbers_are_the_same_in_every_library_and_dtype(dtype: Any, library: Any) -> None:
    kind = getattr(library.dtypes, np.dtype(dtype).name)

    def draw(key: Any, count: Any) -> Any:
        return ops.uniform(key, count, (7, 11), kind)

    found = _run(library, draw, KEY, COUNT)
    assert found.dtype == dtype
    # The upper 24 bits of each word, in numpy's unsigned integers.
    bits = host_words(KEY, COUNT, 77).view(np.uint32) >> np.uint32(8)
    np.testing.assert_array_equal(found, bits.reshape(7, 11) / 2.0**24)


def test_uniform_numbers_are_uniform_and_independent() -> None:
    u = ops.uniform(KEY, COUNT, (200_000,), np.float64)
    assert u.min() >= 0
    assert u.max() < 1
    # Mean and variance, and the correlation of neighbours: 5 standard errors.
    np.testing.assert_allclose(u.mean(), 0.5, atol=5 * np.sqrt(1 / 12 / u.size))
    np.testing.assert_allclose(u.var(), 1 / 12, atol=5 * np.sqrt(1 / 180 / u.size))
    for lag in (1, 2, 100_000):  # a block's two words are 100,000 apart
        product = (u[:-lag] - 0.5) * (u[lag:] - 0.5)
        assert abs(product.mean()) < 5 / 12 / np.sqrt(product.size)
    # Pearson's statistic of 256 equal bins: mean 255, variance 510.
    counts = np.bincount((u * 256).astype(int), minlength=256)
    expected = u.size / 256
    assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 5 * np.sqrt(510)
