"""chain: several rules, each working on what the one before it gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.errors import OptionError
from polylux.optimizers._base import Arrays, Places, Rule
from polylux.optimizers._checks import check_rule


@dataclasses.dataclass(frozen=True, repr=False)
class Chained(Rule):
    """Rules one after another; made by `chain`.

    Parameters
    ----------
    rules : tuple of Rule
        The first gets the gradients, each further one the step of the one before it, and the last
        one's step is subtracted from the parameters.
    """

    kind: ClassVar[str] = "chain"
    fixed: ClassVar[tuple[str, ...]] = ("rules",)
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for rule in self.rules:
            check_rule("chain", rule, Rule)
        if not self.rules:
            raise OptionError("chain needs at least one rule, such as chain(ClipNorm(1.0), Adam())")

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(f"{i}.{name}" for i, rule in enumerate(self.rules) for name in rule.slots)

    def scalars(self, count: int) -> tuple[float, ...]:
        return tuple(s for rule in self.rules for s in rule.scalars(count))

    def init(self, xp: Any, parameters: Arrays) -> tuple[Arrays, ...]:
        return tuple(slot for rule in self.rules for slot in rule.init(xp, parameters))

    @property
    def can_join(self) -> bool:
        return all(rule.can_join for rule in self.rules)

    @property
    def children(self) -> tuple[Rule, ...]:
        return self.rules

    def with_children(self, children: tuple[Rule, ...]) -> Chained:
        return Chained(children)

    def slot_places(self, size: int) -> tuple[Places, ...]:
        return tuple(places for rule in self.rules for places in rule.slot_places(size))

    def update(
        self,
        xp: Any,
        scalars: Sequence[Any],
        gradients: Arrays,
        parameters: Arrays,
        slots: tuple[Arrays, ...],
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        steps = gradients
        updated: list[Arrays] = []
        numbers, groups = list(scalars), list(slots)
        for rule in self.rules:
            taken = len(rule.scalars(1))
            own, numbers = numbers[:taken], numbers[taken:]
            mine, groups = groups[: len(rule.slots)], groups[len(rule.slots) :]
            steps, new = rule.update(xp, own, steps, parameters, tuple(mine))
            updated.extend(new)
        return steps, tuple(updated)

    def __repr__(self) -> str:
        return f"chain({', '.join(map(repr, self.rules))})"


def chain(*rules: Rule) -> Chained:
    """Rules one after another.

    Parameters
    ----------
    *rules : Rule
        The first gets the gradients, each further one the step of the one before it.

    Returns
    -------
    Chained

    Raises
    ------
    OptionError
        If one of them is no rule, or there is none.

    Examples
    --------
    >>> from polylux.optimizers import SGD, ClipNorm
    >>> chain(ClipNorm(0.5), SGD(0.1))
    chain(ClipNorm(max_norm=0.5), SGD(learning_rate=0.1))
    """
    return Chained(rules)
