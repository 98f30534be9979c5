"""Threefry-2x32: random words from a key and a counter, in integer operators of any array library.

Words of 32 bits are kept in int32, whose additions wrap around in every array library; torch has
no shifts of uint32, and JAX no int64 outside of its 64-bit mode. An int32 shift to the right
copies the sign bit into the gap, so it is followed by a mask.
"""

from __future__ import annotations

import functools
import math
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
    """The words of `polylux.ops.random_words` for host arrays, with half of the work or less.

    The result must not be written to.

    Examples
    --------
    >>> key, count = np.asarray([1, 2], dtype=np.int32), np.zeros(1, dtype=np.int32)
    >>> left, right = threefry((key[:1], key[1:]), (np.arange(2, dtype=np.int32), count))
    >>> bool((host_words(key, count, 4) == np.concatenate([left, right])).all())
    True
    """
    half = (length + 1) // 2
    first, second = key.view(np.uint32).tolist()
    (use,) = count.view(np.uint32).tolist()
    words: NDArray[np.int32]
    if half <= _SHORT:
        block, place = divmod(use, _USES)
        words = _words_of_uses(first, second, block * _USES, _USES, half)[place]
    else:
        (words,) = _words_of_uses.__wrapped__(first, second, use, 1, half)
    return words[:length]


def host_below(
    key: NDArray[np.int32], count: NDArray[np.int32], length: int, rate: float
) -> NDArray[np.bool_]:
    """Whether each of the numbers of `polylux.ops.uniform` is below `rate`, from 0 to 1.

    Examples
    --------
    >>> key, count = np.asarray([1, 2], dtype=np.int32), np.zeros(1, dtype=np.int32)
    >>> host_below(key, count, 3, 0.0), host_below(key, count, 3, 1.0)
    (array([False, False, False]), array([ True,  True,  True]))
    """
    bound = math.ceil(rate * 2**24) * 2**8  # of the whole word: its lower 8 bits decide nothing
    words = host_words(key, count, length).view(np.uint32)
    return words < bound if bound < 2**32 else np.ones(length, dtype=bool)


# A short array costs numpy's calls and not its arithmetic: the words of the next uses of the key,
# which come as a rule, cost next to nothing at the same time. At most 4 MB are kept.
_SHORT, _USES = 1024, 16


@functools.lru_cache(maxsize=32)
def _words_of_uses(first: int, second: int, use: int, uses: int, half: int) -> NDArray[np.int32]:
    """The words of several uses of a key in a row, of shape (uses, 2 * half)."""
    words = np.empty((uses, 2, half), dtype=np.uint32)
    left, right = words[:, 0], words[:, 1]
    spare = np.empty((uses, half), dtype=np.uint32)
    keys = np.asarray([first, second], dtype=np.uint32)[:, None]
    schedule = (keys[0], keys[1], keys[0] ^ keys[1] ^ np.uint32(_PARITY))
    left[:] = np.arange(half, dtype=np.uint32) + schedule[0]
    right[:] = (np.arange(use, use + uses, dtype=np.uint32) + schedule[1])[:, None]
    for group in range(1, _GROUPS + 1):
        for bits in _ROTATIONS[(group - 1) % 2]:
            left += right
            np.left_shift(right, bits, out=spare)
            right >>= 32 - bits
            right |= spare
            right ^= left
        left += schedule[group % 3]
        right += schedule[(group + 1) % 3] + np.uint32(group)
    words.flags.writeable = False
    return words.reshape(uses, -1).view(np.int32)
