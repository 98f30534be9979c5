"""The floats of coming updates on the device, many at a time: each transfer costs 5 us or more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core.primitives import convert_element_type_p

from polylux.backend import Numbers
from polylux_jax._arrays import is_wide

_MOST = 256
"""Rows of a table; one step's share of filling it is then well below a microsecond's transfer."""


class Table(NamedTuple):
    """The numbers of a few updates that follow each other, on the device.

    Attributes
    ----------
    function : callable
        Where they come from.
    end : int
        The first update that has no row.
    rows : array
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
        """A table that begins with these numbers."""
        size = min(size, _MOST)
        rows = numbers.ahead(size)
        padded = np.zeros((_MOST, len(rows[0])))  # one shape, so that no length is traced anew
        padded[: len(rows)] = rows
        end = numbers.update + len(rows)
        return cls(numbers.function, end, jnp.asarray(padded), is_wide(), size)


def row(rows: Any, place: Any) -> tuple[Any, ...]:
    """A row as floats, weakly typed as Python's own: float16 times one of them stays so."""
    vector = jax.lax.dynamic_index_in_dim(rows, place, keepdims=False)
    weak = convert_element_type_p.bind(
        vector, new_dtype=vector.dtype, weak_type=True, sharding=None
    )
    return tuple(weak[i] for i in range(weak.shape[0]))
