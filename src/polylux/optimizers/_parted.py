"""Parted: the abstract rule whose parts each act on some of the leaves."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from polylux.optimizers._base import Arrays, Places, Rule, fresh


@dataclasses.dataclass(frozen=True)
class Part:
    """A rule, the leaves that it acts on, and where its slots lie.

    Attributes
    ----------
    rule : Rule
        For these leaves only.
    scalars : slice
        Of the scalars of the whole.
    places : tuple of int
        Of its leaves among all.
    slots : tuple of (int, tuple of int)
        For each slot of the rule the number of a slot of the whole, and which of its arrays.
    """

    rule: Rule
    scalars: slice
    places: Places
    slots: tuple[tuple[int, Places], ...]

    def slots_in(self, slots: Sequence[Arrays]) -> tuple[Arrays, ...]:
        """The slots of this part's rule among those of the whole."""
        return tuple(tuple(slots[number][i] for i in places) for number, places in self.slots)


class Parted(Rule):
    """A rule made of rules, each for some of the leaves; what no part covers stays as it is."""

    kind: ClassVar[str] = "parted"

    @abstractmethod
    def make_parts(self, size: int) -> tuple[Part, ...]:
        """The parts, for a tree of `size` leaves. No leaf is in two of them."""

    def parts(self, size: int) -> tuple[Part, ...]:
        """The parts, made once."""
        # Kept by each object, not by value: where the leaves lie is not part of a rule's equality.
        found = self._made.get(size)
        if found is None:
            found = self._made[size] = self.make_parts(size)
        return found

    @cached_property
    def _made(self) -> dict[int, tuple[Part, ...]]:
        return {}

    def update(
        self,
        xp: Any,
        scalars: Sequence[Any],
        gradients: Arrays,
        parameters: Arrays,
        slots: tuple[Arrays, ...],
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        steps: list[Any] = [None] * len(parameters)
        updated: list[list[Any]] = [[None] * len(slot) for slot in slots]
        for part in self.parts(len(parameters)):
            own, new = part.rule.update(
                xp,
                scalars[part.scalars],
                tuple(gradients[i] for i in part.places),
                tuple(parameters[i] for i in part.places),
                part.slots_in(slots),
            )
            for i, step in zip(part.places, own, strict=True):
                steps[i] = step
            for (number, places), arrays in zip(part.slots, new, strict=True):
                for i, array in zip(places, arrays, strict=True):
                    updated[number][i] = array
        for i, step in enumerate(steps):
            if step is None:
                steps[i] = xp.zeros_like(parameters[i])
        for old, slot in zip(slots, updated, strict=True):
            for i, array in enumerate(slot):
                if array is None:
                    (slot[i],) = fresh(xp, (old[i],))
        return tuple(steps), tuple(map(tuple, updated))
