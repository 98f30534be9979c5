"""RAdam: Adam whose variance is rectified while few gradients have been seen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import EntryRule
from polylux.optimizers._checks import check_betas, check_nonnegative
from polylux.optimizers._schedules import Value

_TRACTABLE = 5.0
"""The paper rectifies above 4; torch and optax above 5, where the root is further from 0."""


@dataclasses.dataclass(frozen=True, repr=False)
class RAdam(EntryRule):
    """Rectified Adam.

    With `m`, `v` of `Adam`, `n = 2 / (1 - b2) - 1` and `k = n - 2 t b2**t / (1 - b2**t)`, the
    `t`-th update is `p <- p - eta * m / (1 - b1**t)` while `k <= 5`, and then
    `p <- p - eta * r / (1 - b1**t) * m / (sqrt(v / (1 - b2**t)) + epsilon)` with
    `r = sqrt((k - 4) (k - 2) n / ((n - 4) (n - 2) k))`. The `epsilon` is added after the bias
    correction, as in `optax.radam` and in our `Adam`; `torch.optim.RAdam` adds it to `sqrt(v)`
    before. The threshold 5 is that of both.

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
    Liu et al. (2020), On the variance of the adaptive learning rate and beyond, algorithm 2.

    Examples
    --------
    >>> RAdam(3e-4)
    RAdam(learning_rate=0.0003)
    """

    kind: ClassVar[str] = "radam"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)
    learning_rate: Value = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate", "epsilon")
        check_betas(self)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("first_moment", "second_moment")

    def scalars(self, count: int) -> tuple[float, ...]:
        b1, b2 = self.betas
        step_size = self.value("learning_rate", count) / (1 - b1**count)
        kept = b2**count
        n = 2 / (1 - b2) - 1
        k = n - 2 * count * kept / (1 - kept)
        if k <= _TRACTABLE:
            return step_size, 0.0, 1.0  # the denominator is 0 * sqrt(v) + 1
        r = math.sqrt((k - 4) * (k - 2) * n / ((n - 4) * (n - 2) * k))
        return step_size * r, 1 / math.sqrt(1 - kept), self.epsilon

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (b1, b2), (step_size, factor, summand) = self.betas, scalars
        m, v = slots
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * (g * g)
        return step_size * m / (factor * xp.sqrt(v) + summand), m, v
