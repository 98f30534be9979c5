"""AdaDelta: steps in the unit of the parameters, by the ratio of two running mean squares."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import EntryRule
from polylux.optimizers._checks import check_decay_rate, check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class AdaDelta(EntryRule):
    """Steps in the unit of the parameters.

    With `v <- decay v + (1 - decay) g**2` and then `d = sqrt(a + epsilon) / sqrt(v + epsilon) * g`
    and `a <- decay a + (1 - decay) d**2`, both from zero, the update is `p <- p - eta d`. The
    `epsilon` is inside both roots, as in the paper, `torch.optim.Adadelta` and `optax.adadelta`.

    Parameters
    ----------
    learning_rate : float or Schedule
        `eta`, not below 0; the paper's is 1.
    decay : float
        In [0, 1).
    epsilon : float
        Not below 0.

    References
    ----------
    Zeiler (2012), ADADELTA: an adaptive learning rate method, algorithm 1.

    Examples
    --------
    >>> AdaDelta(decay=0.95)
    AdaDelta(decay=0.95)
    """

    kind: ClassVar[str] = "adadelta"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)
    learning_rate: Value = 1.0
    decay: float = 0.9
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate", "epsilon")
        check_decay_rate(self, "decay")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean_square", "mean_square_step")

    def scalars(self, count: int) -> tuple[float, ...]:
        return (self.value("learning_rate", count),)

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (eta,), kept = scalars, self.decay
        v, a = slots
        v = kept * v + (1 - kept) * (g * g)
        d = xp.sqrt(a + self.epsilon) / xp.sqrt(v + self.epsilon) * g
        return eta * d, v, kept * a + (1 - kept) * (d * d)
