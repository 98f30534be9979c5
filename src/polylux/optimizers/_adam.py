"""Adam, and AdamW with decoupled weight decay."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from polylux.optimizers._base import Arrays, Rule, check_betas, check_nonnegative


@dataclasses.dataclass(frozen=True, repr=False)
class Adam(Rule):
    """Adaptive moments.

    With `m <- b1 m + (1 - b1) g` and `v <- b2 v + (1 - b2) g**2`, both from zero, the `t`-th update
    is `p <- p - eta / (1 - b1**t) * m / (sqrt(v / (1 - b2**t)) + epsilon)`. The `epsilon` is added
    outside the root and after the bias correction, as in `torch.optim.Adam` and `optax.adam`.

    Parameters
    ----------
    learning_rate : float
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
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate")
        check_nonnegative(self, "epsilon")
        check_betas(self)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("first_moment", "second_moment")

    def scalars(self, count: int) -> tuple[float, ...]:
        b1, b2 = self.betas
        return (self.learning_rate / (1 - b1**count), math.sqrt(1 - b2**count))

    @cached_property
    def signature(self) -> Adam:
        return dataclasses.replace(self, learning_rate=0.0)

    def update(
        self,
        xp: Any,
        scalars: Sequence[Any],
        gradients: Arrays,
        parameters: Arrays,
        slots: tuple[Arrays, ...],
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        (b1, b2), (step_size, root_of_correction) = self.betas, scalars[:2]
        first, second, steps = [], [], []
        for g, m, v in zip(gradients, *slots, strict=True):
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * (g * g)
            first.append(m)
            second.append(v)
            steps.append(step_size * m / (xp.sqrt(v) / root_of_correction + self.epsilon))
        return tuple(steps), (tuple(first), tuple(second))


@dataclasses.dataclass(frozen=True, repr=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: the parameter shrinks by `eta * weight_decay` first.

    The decay is multiplied by the learning rate, as in `torch.optim.AdamW` and `optax.adamw`.

    Parameters
    ----------
    learning_rate, betas, epsilon
        As for `Adam`.
    weight_decay : float
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
    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_nonnegative(self, "weight_decay")

    def scalars(self, count: int) -> tuple[float, ...]:
        return (*super().scalars(count), self.learning_rate * self.weight_decay)

    @cached_property
    def signature(self) -> AdamW:
        return dataclasses.replace(self, learning_rate=0.0, weight_decay=0.0)

    def update(
        self,
        xp: Any,
        scalars: Sequence[Any],
        gradients: Arrays,
        parameters: Arrays,
        slots: tuple[Arrays, ...],
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        steps, slots = super().update(xp, scalars, gradients, parameters, slots)
        shrink = scalars[2]
        steps = tuple(shrink * p + s for p, s in zip(parameters, steps, strict=True))
        return steps, slots
