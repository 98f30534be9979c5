"""AdaBelief: Adam with the distance of the gradient from its mean as second moment."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import EntryRule
from polylux.optimizers._checks import check_betas, check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class AdaBelief(EntryRule):
    """Adam that takes large steps where the gradient is as expected.

    With `m <- b1 m + (1 - b1) g` and `s <- b2 s + (1 - b2) (g - m)**2 + epsilon`, both from zero,
    the `t`-th update is `p <- p - eta / (1 - b1**t) * m / (sqrt(s / (1 - b2**t)) + epsilon)`: as in
    the paper the `epsilon` stands at both places. `optax.adabelief` calls the first one `eps_root`
    and has the same default for both; torch has no such rule.

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
    Zhuang et al. (2020), AdaBelief optimizer: adapting stepsizes by the belief in observed
    gradients, algorithm 2.

    Examples
    --------
    >>> AdaBelief(3e-4)
    AdaBelief(learning_rate=0.0003)
    """

    kind: ClassVar[str] = "adabelief"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)
    learning_rate: Value = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-16

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate", "epsilon")
        check_betas(self)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("first_moment", "surprise")

    def scalars(self, count: int) -> tuple[float, ...]:
        b1, b2 = self.betas
        eta = self.value("learning_rate", count)
        return (eta / (1 - b1**count), math.sqrt(1 - b2**count))

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (b1, b2), (step_size, root_of_correction) = self.betas, scalars
        m, s = slots
        m = b1 * m + (1 - b1) * g
        away = g - m
        s = b2 * s + (1 - b2) * (away * away) + self.epsilon
        return step_size * m / (xp.sqrt(s) / root_of_correction + self.epsilon), m, s
