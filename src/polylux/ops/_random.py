"""Random numbers from a key and a count, bit for bit the same on every backend."""

from __future__ import annotations

import math
from typing import Any

import array_api_compat

from polylux.arrays import array_namespace
from polylux.threefry import threefry


def random_words(key: Any, count: Any, length: int, /) -> Any:
    """Random words for one use of a key.

    Parameters
    ----------
    key : int32 array of shape (2,)
    count : int32 array of shape (1,)
        How often the key was used before: another count gives other words.
    length : int
        How many words; less than 2**32.

    Returns
    -------
    int32 array of shape (length,)
        All 2**32 values with the same probability.

    Examples
    --------
    >>> import numpy as np
    >>> key, count = np.asarray([1, 2], dtype=np.int32), np.asarray([0], dtype=np.int32)
    >>> random_words(key, count, 3)
    array([...], dtype=int32)
    """
    xp = array_namespace(key)
    half = (length + 1) // 2
    index = xp.arange(half, dtype=xp.int32, device=array_api_compat.device(key))
    return xp.concat(threefry((key[:1], key[1:]), (index, count)))[:length]


def uniform(key: Any, count: Any, shape: tuple[int, ...], dtype: Any, /) -> Any:
    """Random numbers, uniform on [0, 1), of 24 random bits each.

    Parameters
    ----------
    key : int32 array of shape (2,)
    count : int32 array of shape (1,)
        How often the key was used before.
    shape : tuple of int
    dtype : dtype of the key's library
        float32 or float64: the numbers are the same in both, and on every backend.

    Returns
    -------
    array of that shape and dtype
        Multiples of 2**-24.

    Examples
    --------
    >>> import numpy as np
    >>> key, count = np.asarray([1, 2], dtype=np.int32), np.asarray([0], dtype=np.int32)
    >>> numbers = uniform(key, count, (1000,), np.float32)
    >>> bool(0 <= numbers.min()), bool(numbers.max() < 1), bool(abs(numbers.mean() - 0.5) < 0.05)
    (True, True, True)
    """
    xp = array_namespace(key)
    words = random_words(key, count, math.prod(shape))
    return xp.reshape(xp.astype(high_bits(words), dtype) * 2.0**-24, shape)


def high_bits(words: Any, /) -> Any:
    """The upper 24 bits of each word, as a number from 0 to 2**24 - 1."""
    return (words >> 8) & 0xFFFFFF
