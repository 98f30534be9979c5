"""Adam; AdamW with decoupled weight decay; AMSGrad with a second moment that never falls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import EntryRule
from polylux.optimizers._checks import check_betas, check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class Adam(EntryRule):
    """Adaptive moments.

    With `m <- b1 m + (1 - b1) g` and `v <- b2 v + (1 - b2) g**2`, both from zero, the `t`-th update
    is `p <- p - eta / (1 - b1**t) * m / (sqrt(v / (1 - b2**t)) + epsilon)`. The `epsilon` is added
    outside the root and after the bias correction, as in `torch.optim.Adam` and `optax.adam`.

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
    Kingma, Ba (2015), Adam: a method for stochastic optimization, algorithm 1.

    Examples
    --------
    >>> Adam(3e-4)
    Adam(learning_rate=0.0003)
    """

    kind: ClassVar[str] = "adam"
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
        eta = self.value("learning_rate", count)
        return (eta / (1 - b1**count), math.sqrt(1 - b2**count))

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (b1, b2), (step_size, root_of_correction) = self.betas, scalars[:2]
        m, v = slots
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * (g * g)
        return step_size * m / (xp.sqrt(v) / root_of_correction + self.epsilon), m, v


@dataclasses.dataclass(frozen=True, repr=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: the parameter shrinks by `eta * weight_decay` first.

    The decay is multiplied by the learning rate, as in `torch.optim.AdamW` and `optax.adamw`.

    Parameters
    ----------
    learning_rate, betas, epsilon
        As for `Adam`.
    weight_decay : float or Schedule
        Not below 0.

    References
    ----------
    Loshchilov, Hutter (2019), Decoupled weight decay regularization, algorithm 2 (with the
    schedule multiplier and the learning rate as one number).

    Examples
    --------
    >>> AdamW(1e-3, weight_decay=0.1)
    AdamW(weight_decay=0.1)
    """

    kind: ClassVar[str] = "adamw"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate", "weight_decay")
    weight_decay: Value = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_nonnegative(self, "weight_decay")

    def scalars(self, count: int) -> tuple[float, ...]:
        shrink = self.value("learning_rate", count) * self.value("weight_decay", count)
        return (*super().scalars(count), shrink)

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        step, *new = super().leaf(xp, scalars, g, p, *slots)
        return scalars[2] * p + step, *new


@dataclasses.dataclass(frozen=True, repr=False)
class AMSGrad(Adam):
    """Adam with the largest second moment so far in the denominator.

    With `u <- max(u, v)` for `m` and `v` of `Adam`, the `t`-th update is
    `p <- p - eta / (1 - b1**t) * m / (sqrt(u / (1 - b2**t)) + epsilon)`: the maximum is taken
    before the bias correction, as in `torch.optim.Adam(amsgrad=True)`. `optax.amsgrad` takes it
    after, and the paper corrects nothing.

    Parameters
    ----------
    learning_rate, betas, epsilon
        As for `Adam`.

    References
    ----------
    Reddi, Kale, Kumar (2018), On the convergence of Adam and beyond, algorithm 2 (with Adam's
    bias corrections).

    Examples
    --------
    >>> AMSGrad(1e-2)
    AMSGrad(learning_rate=0.01)
    """

    kind: ClassVar[str] = "amsgrad"

    @property
    def slots(self) -> tuple[str, ...]:
        return ("first_moment", "second_moment", "largest_second_moment")

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (b1, b2), (step_size, root_of_correction) = self.betas, scalars
        m, v, u = slots
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * (g * g)
        u = xp.maximum(u, v)
        return step_size * m / (xp.sqrt(u) / root_of_correction + self.epsilon), m, v, u
