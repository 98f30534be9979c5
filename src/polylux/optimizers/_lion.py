"""Lion: the sign of an interpolated momentum."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import EntryRule
from polylux.optimizers._checks import check_betas, check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class Lion(EntryRule):
    """Steps of one length in every entry, along the sign of a momentum.

    `p <- p - eta * (sign(b1 m + (1 - b1) g) + weight_decay * p)`, and then
    `m <- b2 m + (1 - b2) g`, from zero. As `optax.lion`; torch has no such rule.

    Parameters
    ----------
    learning_rate : float or Schedule
        `eta`, not below 0.
    betas : tuple of two floats
        Rates `b1` and `b2` in [0, 1).
    weight_decay : float or Schedule
        Not below 0; it is multiplied by the learning rate.

    References
    ----------
    Chen et al. (2023), Symbolic discovery of optimization algorithms, algorithm 2.

    Examples
    --------
    >>> Lion(3e-5, weight_decay=0.1)
    Lion(learning_rate=3e-05, weight_decay=0.1)
    """

    kind: ClassVar[str] = "lion"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate", "weight_decay")
    learning_rate: Value = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: Value = 0.0

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate", "weight_decay")
        check_betas(self)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum",)

    def scalars(self, count: int) -> tuple[float, ...]:
        eta = self.value("learning_rate", count)
        return (eta, eta * self.value("weight_decay", count))

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (b1, b2), (eta, shrink), (m,) = self.betas, scalars, slots
        step = eta * xp.sign(b1 * m + (1 - b1) * g) + shrink * p
        return step, b2 * m + (1 - b2) * g
