"""Threefry: the known answers of its authors' library, in every array library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polylux.threefry import host_below, host_words, threefry

# counter, key and answer, from the file kat_vectors of Random123 1.14, lines "threefry2x32 20"
KNOWN = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


def _signed(words: Any) -> Any:
    return np.asarray(words, dtype=np.uint32).view(np.int32)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN, ids=["zeros", "ones", "pi"])
def test_known_answers(counter: Any, key: Any, answer: Any, library: Any) -> None:
    def words(pair: Any) -> Any:
        return tuple(library.array(_signed([word]), np.int32) for word in pair)

    found = threefry(words(key), words(counter))
    assert [library.host(word).dtype for word in found] == [np.int32, np.int32]
    assert tuple(int(library.host(word)[0]) % 2**32 for word in found) == answer


def test_known_answers_hold_under_jit() -> None:
    import jax

    (left, right), (first, second), answer = KNOWN[2]
    pairs = [jax.numpy.asarray(_signed([w])) for w in (first, second, left, right)]
    found = jax.jit(lambda a, b, c, d: threefry((a, b), (c, d)))(*pairs)
    assert tuple(int(word[0]) % 2**32 for word in found) == answer


@pytest.mark.parametrize("length", [0, 1, 2, 7, 1000, 5001])
@pytest.mark.parametrize("use", [0, 1, 17, 0xFFFFFFFE, 0xFFFFFFFF])
def test_host_words_are_those_of_the_operators(use: int, length: int) -> None:
    key, count = _signed([0x13198A2E, 0x83707344]), _signed([use])
    index = np.arange((length + 1) // 2, dtype=np.int32)
    expected = np.concatenate(threefry((key[:1], key[1:]), (index, count)))[:length]
    found = host_words(key, count, length)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)
    assert not found.flags.writeable


@pytest.mark.parametrize("rate", [0.0, 2.0**-25, 0.3, 1 - 2.0**-24, 1 - 2.0**-30, 1.0])
def test_host_below_compares_the_upper_bits_with_the_rate(rate: float) -> None:
    key, count = _signed([0x13198A2E, 0x83707344]), _signed([3])
    words = host_words(key, count, 5000)
    uniform = (words.view(np.uint32) >> np.uint32(8)) / 2.0**24
    found = host_below(key, count, 5000, rate)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, uniform < rate)
