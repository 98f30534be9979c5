"""Threefry-2x32: random words from a key and a counter, in integer operators of any array library.

Words of 32 bits are kept in int32, whose additions wrap around in every array library; torch has
no shifts of uint32, and JAX no int64 outside of its 64-bit mode. An int32 shift to the right
copies the sign bit into the gap, so it is followed by a mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_GROUPS = 5  # of four rounds: 20 are the authors' choice, of which 13 pass every test they know


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


def host_words(key: NDArray[np.int32], count: NDArray[np.int32], length: int) -> NDArray[np.int32]:
    """The words of `polylux.ops.random_words` for host arrays, with half of the work.

    Examples
    --------
    >>> key, count = np.asarray([1, 2], dtype=np.int32), np.zeros(1, dtype=np.int32)
    >>> left, right = threefry((key[:1], key[1:]), (np.arange(2, dtype=np.int32), count))
    >>> bool((host_words(key, count, 4) == np.concatenate([left, right])).all())
    True
    """
    half = (length + 1) // 2
    words = np.empty((2, half), dtype=np.uint32)
    left, right = words
    spare = np.empty(half, dtype=np.uint32)
    first, second = key.view(np.uint32)[:, None]
    schedule = (first, second, first ^ second ^ np.uint32(_PARITY))
    np.add(np.arange(half, dtype=np.uint32), first, out=left)
    right[:] = count.view(np.uint32) + second
    for group in range(1, _GROUPS + 1):
        for bits in _ROTATIONS[(group - 1) % 2]:
            left += right
            np.left_shift(right, bits, out=spare)
            right >>= 32 - bits
            right |= spare
            right ^= left
        left += schedule[group % 3]
        right += schedule[(group + 1) % 3] + np.uint32(group)
    return words.reshape(-1)[:length].view(np.int32)
