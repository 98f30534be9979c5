"""RMSProp: gradients over the root of their running mean square."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import EntryRule
from polylux.optimizers._checks import check_decay_rate, check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class RMSProp(EntryRule):
    """Gradients over the root of their running mean square.

    With `v <- decay v + (1 - decay) g**2` from zero the direction is `d = g / (sqrt(v) + epsilon)`.
    Centered, it is `d = g / (sqrt(v - a**2) + epsilon)` with `a <- decay a + (1 - decay) g`; where
    rounding makes `v - a**2` negative it counts as 0 (torch and optax give NaN there). With
    momentum `b <- momentum b + d` takes the place of `d`. Then `p <- p - eta d`.

    The `epsilon` is outside the root as in `torch.optim.RMSprop`; `optax.rmsprop` has it inside
    unless told `eps_in_sqrt=False`. The learning rate is outside the momentum buffer as in torch;
    optax has it inside, which differs only when it changes.

    Parameters
    ----------
    learning_rate : float or Schedule
        `eta`, not below 0.
    decay : float
        In [0, 1).
    epsilon : float
        Not below 0.
    momentum : float
        Not below 0; 0 keeps no buffer.
    centered : bool
        Whether the variance stands in for the mean square.

    References
    ----------
    Tieleman, Hinton (2012), Neural networks for machine learning, lecture 6e; centered: Graves
    (2013), Generating sequences with recurrent neural networks, equations 38 to 41.

    Examples
    --------
    >>> RMSProp(1e-2, centered=True)
    RMSProp(learning_rate=0.01, centered=True)
    """

    kind: ClassVar[str] = "rmsprop"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)
    learning_rate: Value = 1e-3
    decay: float = 0.9
    epsilon: float = 1e-8
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate", "epsilon", "momentum")
        check_decay_rate(self, "decay")

    @property
    def slots(self) -> tuple[str, ...]:
        mean = ("mean",) if self.centered else ()
        return ("mean_square", *mean, *(("momentum",) if self.momentum else ()))

    def scalars(self, count: int) -> tuple[float, ...]:
        return (self.value("learning_rate", count),)

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (eta,), kept = scalars, self.decay
        named = dict(zip(self.slots, slots, strict=True))
        v = named["mean_square"] = kept * named["mean_square"] + (1 - kept) * (g * g)
        if self.centered:
            a = named["mean"] = kept * named["mean"] + (1 - kept) * g
            v = xp.maximum(v - a * a, xp.zeros_like(v))
        d = g / (xp.sqrt(v) + self.epsilon)
        if self.momentum:
            d = named["momentum"] = self.momentum * named["momentum"] + d
        return eta * d, *named.values()
