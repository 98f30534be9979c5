"""What one step hands to the next: its arrays, and the coming numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polylux.backend import Numbers
from polylux_jax._form import Form
from polylux_jax._numbers import Table, place_of


class Carry(Sequence[Any]):
    """A carry as a step returns it; in nested tuples when someone looks into it.

    Attributes
    ----------
    content : array or tuple of nested tuples and an array
        The arrays and the place of the last row, as the form says.
    form : Form
    table : Table
        The numbers of the next updates.
    update : int
        Number of the update whose row is next.
    """

    __slots__ = ("_opened", "content", "form", "table", "update")

    def __init__(self, content: Any, form: Form, table: Table, update: int) -> None:
        self.content = content
        self.form = form
        self.table = table
        self.update = update
        self._opened: dict[int, Any] = {}

    @classmethod
    def at(cls, carry: Any, numbers: Numbers, can_join: bool) -> Carry:
        """A carry, of this class or in nested tuples, with a table that has `numbers`."""
        size = 1  # who knows whether another update follows
        if isinstance(carry, Carry):
            if carry.update == numbers.update and (can_join or carry.form.joining is None):
                if carry.table.function == numbers.function:
                    size = 2 * carry.table.size
                table = Table.of(numbers, size)
                return cls(carry.content, carry.form, table, numbers.update)
            carry = tuple(carry)
        place = np.asarray(place_of(numbers.update - 1), np.int32)
        form, content = Form.enclose(carry, place, can_join)
        return cls(content, form, Table.of(numbers, size), numbers.update)

    def __getitem__(self, index: Any) -> Any:
        part = range(len(self))[index]
        if part not in self._opened:
            self._opened[part] = self.form.open(self.content, part)
        return self._opened[part]

    def __len__(self) -> int:
        return 2  # parameters and slots
