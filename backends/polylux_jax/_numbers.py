"""The floats of coming updates on the device, many at a time: each transfer costs 5 us or more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core.primitives import convert_element_type_p

from polylux.backend import Numbers
from polylux_jax._arrays import is_wide

_MOST = 256
"""Rows of a table: a step's share of filling it is then a microsecond. Places below it are exact in
every floating-point dtype, bfloat16 included."""


class Table(NamedTuple):
    """The numbers of a few updates that follow each other, on the device.

    Attributes
    ----------
    function : callable
        Where they come from.
    end : int
        The first update that has no row.
    rows : array
        Each in the place of its update, with a 1 at its end.
    is_wide : bool
        Whether they are float64, as inside a precision scope.
    size : int
        How many were asked for.
    """

    function: Callable[[int], tuple[float, ...]]
    end: int
    rows: Any
    is_wide: bool
    size: int

    @classmethod
    def of(cls, numbers: Numbers, size: int) -> Self:
        """A table of these numbers and those that follow."""
        size = min(size, _MOST)
        rows = numbers.ahead(size)
        padded = np.ones((_MOST, len(rows[0]) + 1))  # one shape, so that no length is traced anew
        padded[: len(rows), :-1] = rows
        placed = np.roll(padded, place_of(numbers.update), axis=0)
        end = numbers.update + len(rows)
        return cls(numbers.function, end, jnp.asarray(placed), is_wide(), size)


def place_of(update: int) -> int:
    """Where an update has its row, in any table."""
    return update % _MOST


def place_after(place: Any) -> Any:
    """The place of the next update, traced."""
    return jnp.where(place < _MOST - 1, place + 1, 0)


def row(rows: Any, place: Any, after: Sequence[Any] = ()) -> tuple[Any, ...]:
    """A row as floats, weakly typed as Python's own: float16 times one of them stays so.

    Each is divided by the 1 at the end, which XLA does once: the row alone it would look up anew at
    each entry of each array. A step of ten small leaves took 1.4 times as long, as its threads kept
    waiting for each other. Nor can it divide before the arrays of `after` are there.
    """
    vector = jax.lax.dynamic_index_in_dim(rows, place, keepdims=False)
    weak = convert_element_type_p.bind(
        vector, new_dtype=vector.dtype, weak_type=True, sharding=None
    )
    *numbers, one = [weak[i] for i in range(weak.shape[0])]
    one = _one_after(one, after)
    return tuple([number / one for number in numbers])


def _one_after(one: Any, arrays: Sequence[Any]) -> Any:
    """`one`, which XLA does not know to be 1, in a form for which it needs all these arrays."""
    if not arrays:
        return one
    is_one = one == 1
    for array in arrays:
        first = jax.lax.slice(array, (0,) * array.ndim, (1,) * array.ndim)
        is_one |= jnp.reshape(first == first, ())  # a NaN is not, which does not matter
    return jnp.where(is_one, one, -one)
