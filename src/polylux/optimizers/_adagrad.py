"""AdaGrad: gradients over the root of the sum of their squares."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import Arrays, EntryRule
from polylux.optimizers._checks import check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class AdaGrad(EntryRule):
    """Gradients over the root of the sum of their squares.

    With `s <- s + g**2` the update is `p <- p - eta * g / (sqrt(s) + epsilon)`. The `epsilon` is
    outside the root and `s` starts at 0, as in `torch.optim.Adagrad`; `optax.adagrad` has its
    `eps` inside the root and starts at 0.1.

    Parameters
    ----------
    learning_rate : float or Schedule
        `eta`, not below 0.
    epsilon : float
        Not below 0.
    initial_accumulator : float
        Where `s` starts; not below 0. It cannot be changed in a run.

    References
    ----------
    Duchi, Hazan, Singer (2011), Adaptive subgradient methods for online learning and stochastic
    optimization, figure 1 (diagonal).

    Examples
    --------
    >>> AdaGrad(0.1)
    AdaGrad(learning_rate=0.1)
    """

    kind: ClassVar[str] = "adagrad"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)
    fixed: ClassVar[tuple[str, ...]] = ("initial_accumulator",)
    learning_rate: Value = 1e-2
    epsilon: float = 1e-10
    initial_accumulator: float = 0.0

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate", "epsilon", "initial_accumulator")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("sum_of_squares",)

    def init(self, xp: Any, parameters: Arrays) -> tuple[Arrays, ...]:
        return (tuple(xp.full_like(p, self.initial_accumulator) for p in parameters),)

    def scalars(self, count: int) -> tuple[float, ...]:
        return (self.value("learning_rate", count),)

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (eta,) = scalars
        s = slots[0] + g * g
        return eta * g / (xp.sqrt(s) + self.epsilon), s
