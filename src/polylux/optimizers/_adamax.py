"""AdaMax: Adam with the largest gradient in place of the second moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import EntryRule
from polylux.optimizers._checks import check_betas, check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class AdaMax(EntryRule):
    """Adam in the infinity norm.

    With `m <- b1 m + (1 - b1) g` and `u <- max(b2 u, |g| + epsilon)`, both from zero, the `t`-th
    update is `p <- p - eta / (1 - b1**t) * m / u`. The `epsilon` stands inside the maximum, as in
    `torch.optim.Adamax` and `optax.adamax`; the paper has none.

    Parameters
    ----------
    learning_rate : float or Schedule
        `eta`, not below 0.
    betas : tuple of two floats
        Decay rates `b1` and `b2` in [0, 1).
    epsilon : float
        Not below 0.

    References
    ----------
    Kingma, Ba (2015), Adam: a method for stochastic optimization, algorithm 2.

    Examples
    --------
    >>> AdaMax(2e-3)
    AdaMax(learning_rate=0.002)
    """

    kind: ClassVar[str] = "adamax"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)
    learning_rate: Value = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate", "epsilon")
        check_betas(self)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("first_moment", "largest_gradient")

    def scalars(self, count: int) -> tuple[float, ...]:
        return (self.value("learning_rate", count) / (1 - self.betas[0] ** count),)

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (b1, b2), (step_size,) = self.betas, scalars
        m, u = slots
        m = b1 * m + (1 - b1) * g
        u = xp.maximum(b2 * u, xp.abs(g) + self.epsilon)
        return step_size * m / u, m, u
