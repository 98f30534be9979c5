"""Dropout: entries set to zero at random, the others scaled so that the mean stays."""

from __future__ import annotations

import math
from typing import Any

from polylux.arrays import array_namespace
from polylux.dtypes import kind_of
from polylux.ops._libraries import one_library
from polylux.ops._native import native
from polylux.ops._random import high_bits, random_words


@native(check=one_library("dropout"))
def dropout(x: Any, key: Any, count: Any, rate: float, /) -> Any:
    """`x` with each entry zero with probability `rate`, and divided by `1 - rate` otherwise.

    Which entries are zero is decided by the key and the count alone, in integers: it is the same
    on every backend and in every dtype.

    Parameters
    ----------
    x : array of a real floating dtype
    key : int32 array of shape (2,)
        Of the same library.
    count : int32 array of shape (1,)
        How often the key was used before.
    rate : float
        From 0 up to, but not including, 1; rounded up to a multiple of 2**-24.

    Returns
    -------
    array of the same shape and dtype
        float16 and bfloat16 are divided in float32 and rounded once.

    Raises
    ------
    ArrayMixError
        If the arrays belong to different libraries.

    Examples
    --------
    >>> import numpy as np
    >>> key, count = np.asarray([1, 2], dtype=np.int32), np.asarray([0], dtype=np.int32)
    >>> sorted({float(v) for v in dropout(np.ones(100), key, count, 0.5)})
    [0.0, 2.0]
    """
    xp = array_namespace(x)
    wide = xp.astype(x, xp.float32) if kind_of(x) == "low" else x
    dropped = high_bits(random_words(key, count, math.prod(x.shape))) < math.ceil(rate * 2**24)
    y = xp.where(xp.reshape(dropped, x.shape), xp.zeros_like(wide), wide * (1 / (1 - rate)))
    return xp.astype(y, x.dtype, copy=False)
