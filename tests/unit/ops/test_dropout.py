"""dropout: which entries it sets to zero, and how it scales the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import ops
from polylux.errors import ArrayMixError
from polylux.threefry import host_words

KEY = np.asarray([17, -4], dtype=np.int32)
COUNT = np.asarray([3], dtype=np.int32)


def _kept(shape: Any, rate: float) -> Any:
    """Where the upper 24 bits of a word, as a number in [0, 1), are at least the rate."""
    bits = host_words(KEY, COUNT, int(np.prod(shape))).view(np.uint32) >> np.uint32(8)
    return (bits / 2.0**24 >= rate).reshape(shape)


@pytest.mark.parametrize("rate", [0.25, 0.3, 0.9])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_value_is_zero_or_scaled_by_the_words_of_the_key(
    dtype: Any, rate: float, library: Any
) -> None:
    if library.name == "strict" and dtype == np.float16:
        pytest.skip("the standard has no float16")
    x = np.arange(1, 61).reshape(3, 20)
    y = ops.dropout(
        library.array(x, dtype), library.array(KEY, np.int32), library.array(COUNT, np.int32), rate
    )
    y = library.host(y)
    assert y.dtype == dtype
    wide = np.promote_types(dtype, np.float32).type  # float16 is rounded once
    scaled = (x.astype(wide) * wide(1 / (1 - rate))).astype(dtype)
    np.testing.assert_array_equal(y, np.where(_kept(x.shape, rate), scaled, 0))


def test_infinite_entries_that_are_dropped_are_zero(library: Any) -> None:
    x = library.array(np.full(50, np.inf))
    y = ops.dropout(x, library.array(KEY, np.int32), library.array(COUNT, np.int32), 0.5)
    np.testing.assert_array_equal(library.host(y), np.where(_kept(50, 0.5), np.inf, 0))


def test_gradient_has_the_same_zeros(selector: Any) -> None:
    key, count = polylux.to_backend((KEY, COUNT), selector)
    weight = polylux.to_backend(np.arange(1.0, 31), selector)

    def total(x: Any) -> Any:
        return polylux.array_namespace(x).sum(ops.dropout(x, key, count, 0.25) * weight)

    x = polylux.to_backend(np.ones(30), selector)
    found = polylux.to_host(polylux.gradient(total, selector, x))
    np.testing.assert_array_equal(found, _kept(30, 0.25) * np.arange(1.0, 31) * (1 / 0.75))


def test_zeros_are_as_frequent_as_the_rate() -> None:
    n, rate = 100_000, 0.3
    y = ops.dropout(np.ones(n), KEY, COUNT, rate)
    # 5 standard errors
    np.testing.assert_allclose((y == 0).mean(), rate, atol=5 * np.sqrt(rate * (1 - rate) / n))


def test_key_on_the_host_with_another_librarys_array_is_an_error(differentiating: Any) -> None:
    with pytest.raises(ArrayMixError, match="dropout got arrays of different libraries"):
        ops.dropout(differentiating.array(np.ones(3)), KEY, COUNT, 0.5)
