"""The floats of coming updates on the device, many at a time: each transfer costs 5 us or more."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core.primitives import convert_element_type_p

from polylux.backend import Numbers

_MOST = 256
"""Rows of a table; one step's share of filling it is then well below a microsecond's transfer."""


class Table(NamedTuple):
    """Rows of numbers on the device, and which of them is next.

    The place is on the device too: a step takes it and returns the next one.
    """

    source: Any
    update: int
    """Number of the one whose row is next."""
    left: int
    rows: Any
    place: Any
    size: int


class Ahead:
    """The tables of one staged function, the latest one kept."""

    __slots__ = ("_table",)

    def __init__(self) -> None:
        # Replaced as a whole, and nothing in it is ever donated: several threads may step.
        self._table: Table | None = None

    def table(self, numbers: Numbers) -> Table:
        """A table whose next row is that of `numbers`."""
        table = self._table
        if table is not None and table.source is numbers.source and table.update == numbers.update:
            if table.left and table.rows.dtype == _float():
                return table
            size = min(2 * table.size, _MOST)
        else:
            size = 1  # who knows whether another one follows
        rows = numbers.ahead(size)
        padded = np.zeros((_MOST, len(rows[0])))  # one shape, so that no length is traced anew
        padded[: len(rows)] = rows
        return Table(
            numbers.source, numbers.update, len(rows), jnp.asarray(padded), _zero(), size
        )

    def advance(self, table: Table, place: Any) -> None:
        """Remember that the table's next row was used, and that the one at `place` comes then."""
        self._table = Table(
            table.source, table.update + 1, table.left - 1, table.rows, place, table.size
        )


def row(rows: Any, place: Any) -> tuple[Any, ...]:
    """A row as floats, weakly typed as Python's own: float16 times one of them stays so."""
    vector = jax.lax.dynamic_index_in_dim(rows, place, keepdims=False)
    weak = convert_element_type_p.bind(
        vector, new_dtype=vector.dtype, weak_type=True, sharding=None
    )
    return tuple(weak[i] for i in range(weak.shape[0]))


def _float() -> Any:
    """The dtype in which numbers of the host arrive now: float64 inside a precision scope."""
    return np.float64 if jax.config.jax_enable_x64 else np.float32  # type: ignore[attr-defined]


def _zero() -> Any:
    return jnp.zeros((), dtype=jnp.int32)
