"""Arrays one after another in a vector: put in and taken out, in a trace or on the host."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Shape = tuple[int, ...]

_barrier: Any = jax.lax.optimization_barrier

EXACT = 2**24
"""Entries of a vector that float32 can count."""

_ALIKE = 3
"""Parts of one shape up to which each is better read where XLA knows it begins."""


def join(arrays: Sequence[Any]) -> Any:
    """A vector of the entries of all arrays, traced."""
    # Behind a barrier: XLA would else make it part of each loop that reads it, which then asks at
    # every entry whose it is, and may work out a whole array anew for it.
    vector: Any = _barrier(jnp.concatenate([jnp.reshape(array, (-1,)) for array in arrays]))
    return vector


def cut(vector: Any, shapes: Sequence[Shape], place: Any) -> list[Any]:
    """The arrays in a vector, traced; `place` is a number that XLA does not know, and not negative.

    Where a part begins is written in each loop that reads it. XLA compiles such a loop for every
    part, 10 to 30 ms each; of arrays that are apart, one for all of a shape. So where parts of one
    shape begin is kept from it: each as many entries after the one before as it is told.
    """
    one = jnp.where(place < 0, np.float32(2), np.float32(1))
    counts, last = collections.Counter(shapes), dict[Shape, tuple[Any, int]]()
    parts, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        if counts[shape] <= _ALIKE:
            part = vector[start:stop]
        else:
            hidden, known = last.get(shape, (np.float32(0), 0))
            # A quotient XLA works out once, and a sum alone anew in each loop.
            hidden = (hidden + np.float32(start - known)) / one
            last[shape] = hidden, start
            part = jax.lax.dynamic_slice(vector, [hidden.astype(np.int32)], [stop - start])
        parts.append(part.reshape(shape))
        start = stop
    return parts


def join_on_host(arrays: Sequence[Any]) -> Any:
    """A vector of numpy's: XLA would have to compile it anew for each kind of carry."""
    return np.concatenate([np.asarray(array).reshape(-1) for array in arrays])


def cut_on_host(vector: Any, shapes: Sequence[Shape]) -> list[Any]:
    """The arrays in a vector, as views of numpy's."""
    return split(np.asarray(vector), shapes)


def split(vector: Any, shapes: Sequence[Shape]) -> list[Any]:
    """The arrays in a vector of JAX's or of numpy's."""
    parts, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        parts.append(vector[start:stop].reshape(shape))
        start = stop
    return parts
