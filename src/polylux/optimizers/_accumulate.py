"""AccumulateGradients: a rule that acts on the mean of several gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

from polylux.errors import DomainError, OptionError
from polylux.optimizers._base import Arrays, Places, Rule, fresh
from polylux.optimizers._checks import check_rule


@dataclasses.dataclass(frozen=True, repr=False)
class AccumulateGradients(Rule):
    """Let a rule act at each `n`-th update, on the mean of the `n` latest gradients.

    In between the parameters and the rule's slots stay as they are. The rule counts its own
    actions, so its schedules and bias corrections see one step where the train state sees `n`. A
    compiled step holds both cases and is traced once. `optax.MultiSteps` does the same.

    Parameters
    ----------
    n : int
        At least 1. It cannot be changed in a run.
    rule : Rule
        Put a whole chain here, so that clipping sees the mean.

    Examples
    --------
    >>> from polylux.optimizers import Adam
    >>> AccumulateGradients(4, Adam(1e-2))
    AccumulateGradients(4, Adam(learning_rate=0.01))
    """

    kind: ClassVar[str] = "accumulate"
    fixed: ClassVar[tuple[str, ...]] = ("n", "rule")
    n: int
    rule: Rule

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, Integral):
            raise OptionError(
                f"AccumulateGradients(n, rule) takes a whole number first, got {self.n!r}"
            )
        if self.n < 1:
            raise DomainError(f"AccumulateGradients(n=...) must be at least 1, got {self.n!r}")
        object.__setattr__(self, "n", int(self.n))
        check_rule("AccumulateGradients", self.rule, Rule)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("sum", *(f"rule.{name}" for name in self.rule.slots))

    def acts(self, count: int) -> bool:
        """Whether the `count`-th update is one at which the rule acts."""
        return count % self.n == 0

    def actions(self, count: int) -> int:
        """The number of the action that the `count`-th update makes or prepares."""
        return -(-count // self.n)

    def scalars(self, count: int) -> tuple[float, ...]:
        return (float(self.acts(count)), *self.rule.scalars(self.actions(count)))

    def init(self, xp: Any, parameters: Arrays) -> tuple[Arrays, ...]:
        zeros = tuple(xp.zeros_like(p) for p in parameters)
        return (zeros, *self.rule.init(xp, parameters))

    def update(
        self,
        xp: Any,
        scalars: Sequence[Any],
        gradients: Arrays,
        parameters: Arrays,
        slots: tuple[Arrays, ...],
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        acts, *numbers = scalars
        total, *inner = slots
        # Each part is divided, so that a sum of float16 gradients does not overflow.
        total = tuple(t + g / self.n for t, g in zip(total, gradients, strict=True))
        zeros = tuple(xp.zeros_like(t) for t in total)
        if isinstance(acts, float) and not acts:
            return zeros, (total, *(fresh(xp, slot) for slot in inner))
        steps, new = self.rule.update(xp, numbers, total, parameters, tuple(inner))
        if isinstance(acts, float):
            return steps, (zeros, *new)

        def choose(yes: Arrays, no: Arrays) -> Arrays:
            return tuple(xp.where(acts > 0, a, b) for a, b in zip(yes, no, strict=True))

        kept = tuple(choose(a, b) for a, b in zip(new, inner, strict=True))
        return choose(steps, zeros), (choose(zeros, total), *kept)

    @property
    def can_join(self) -> bool:
        return self.rule.can_join

    @property
    def children(self) -> tuple[Rule, ...]:
        return (self.rule,)

    def with_children(self, children: tuple[Rule, ...]) -> AccumulateGradients:
        return AccumulateGradients(self.n, *children)

    def slot_places(self, size: int) -> tuple[Places, ...]:
        return (tuple(range(size)), *self.rule.slot_places(size))
