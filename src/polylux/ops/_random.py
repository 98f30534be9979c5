"""Random numbers from a key and a counter, bit for bit the same on every backend.

Words of 32 bits are kept in int32, whose additions wrap around in every array library; torch has
no shifts of uint32, and JAX no int64 outside of its 64-bit mode. An int32 shift to the right
copies the sign bit into the gap, so it is followed by a mask.
"""

from __future__ import annotations

import math
from typing import Any

import array_api_compat

from polylux.arrays import array_namespace

_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_GROUPS = 5  # of four rounds each: the 20 that the authors recommend, 13 being enough by their tests


def threefry(key: Any, counter: Any, /) -> tuple[Any, Any]:
    """Two words that look random, from a key and a counter of two words each: Threefry-2x32-20.

    Parameters
    ----------
    key : pair of int32 arrays
        At least 1-d, as are the counter's.
    counter : pair of int32 arrays
        Broadcast against each other and the key. Equal ones give equal words, any others give
        words without any visible relation.

    Returns
    -------
    pair of int32 arrays

    References
    ----------
    J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, Parallel random numbers: as easy as
    1, 2, 3, SC11 (2011), section 3.3 and table 2; the Random123 library has known answers.

    Examples
    --------
    >>> import numpy as np
    >>> zero = np.zeros(1, dtype=np.int32)
    >>> [hex(int(word[0]) % 2**32) for word in threefry((zero, zero), (zero, zero))]
    ['0x6b200159', '0x99ba4efe']
    """
    first, second = key
    schedule = (first, second, first ^ second ^ _PARITY)
    left, right = counter[0] + first, counter[1] + second
    for group in range(1, _GROUPS + 1):
        for bits in _ROTATIONS[(group - 1) % 2]:
            left = left + right
            right = _rotated(right, bits) ^ left
        left = left + schedule[group % 3]
        right = right + (schedule[(group + 1) % 3] + group)
    return left, right


def _rotated(x: Any, bits: int) -> Any:
    return (x << bits) | ((x >> (32 - bits)) & ((1 << bits) - 1))


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
