"""Task: what an operator's kernel is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from polylux.operators._levels import Arrays, Level


class Task(NamedTuple):
    """One run of an operator's kernel.

    Attributes
    ----------
    outer, inner : Level
        The same where derivatives are of first order.
    function : callable
        Of the leaves: `(outputs, aux)`.
    leaves : tuple of arrays
    directions : tuple of arrays
        Tangents, one for each leaf; empty where the operator takes none.
    cotangents : callable
        Of the outputs: one for each.
    several : bool
        Whether directions have a leading axis.
    xp : namespace
    """

    outer: Level
    inner: Level
    function: Callable[..., tuple[Arrays, Arrays]]
    leaves: Arrays
    directions: Arrays
    cotangents: Callable[[Arrays], Arrays]
    several: bool
    xp: Any

    def scalar(self, *leaves: Any) -> tuple[Any, Arrays]:
        """The function, whose one output is a 0-d array."""
        (value,), aux = self.function(*leaves)
        return value, aux
