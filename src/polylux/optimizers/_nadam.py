"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import EntryRule
from polylux.optimizers._checks import check_betas, check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class NAdam(EntryRule):
    """Adam with Nesterov's momentum.

    With `m`, `v` of `Adam`, the momentum `u_t = b1 (1 - 0.96**(t momentum_decay) / 2)` and
    `U_t = u_1 ... u_t`, the direction of the `t`-th update is
    `d = (1 - u_t) / (1 - U_t) * g + u_{t+1} / (1 - U_{t+1}) * m`, and the update is
    `p <- p - eta * d / (sqrt(v / (1 - b2**t)) + epsilon)`. This is `torch.optim.NAdam`, whose
    `momentum_decay` is 0.004 too. `momentum_decay=None` keeps `u_t = b1` at all steps, which is
    `optax.nadam`.

    Parameters
    ----------
    learning_rate : float or Schedule
        `eta`, not below 0.
    betas : tuple of two floats
        Decay rates `b1` and `b2` in [0, 1).
    epsilon : float
        Not below 0.
    momentum_decay : float or None
        How fast the momentum rises from `b1 / 2` to `b1`; not below 0.

    References
    ----------
    Dozat (2016), Incorporating Nesterov momentum into Adam, algorithm 2; the schedule of the
    momentum is that of Sutskever et al. (2013) as Dozat's implementation has it.

    Examples
    --------
    >>> NAdam(1e-2, momentum_decay=None)
    NAdam(learning_rate=0.01, momentum_decay=None)
    """

    kind: ClassVar[str] = "nadam"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)
    learning_rate: Value = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    momentum_decay: float | None = 4e-3

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate", "epsilon")
        if self.momentum_decay is not None:
            check_nonnegative(self, "momentum_decay")
        check_betas(self)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("first_moment", "second_moment")

    def scalars(self, count: int) -> tuple[float, ...]:
        b1, b2 = self.betas
        eta = self.value("learning_rate", count)
        momenta = _momenta(b1, self.momentum_decay)
        now, after, product = momenta.at(count), momenta.at(count + 1), momenta.product(count)
        return (
            eta * (1 - now) / (1 - product),
            eta * after / (1 - product * after),
            math.sqrt(1 - b2**count),
        )

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (b1, b2), (of_gradient, of_moment, root_of_correction) = self.betas, scalars
        m, v = slots
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * (g * g)
        direction = of_gradient * g + of_moment * m
        return direction / (xp.sqrt(v) / root_of_correction + self.epsilon), m, v


class _Momenta:
    """The momentum of each step, and the product of those so far."""

    def __init__(self, limit: float, decay: float | None) -> None:
        self._limit = limit
        self._decay = decay
        # In one tuple, so that two threads never see a count with another one's product.
        self._latest = (0, 1.0)

    def at(self, count: int) -> float:
        if self._decay is None:
            return self._limit
        return self._limit * (1 - 0.5 * math.pow(0.96, count * self._decay))

    def product(self, count: int) -> float:
        done, product = self._latest
        if done > count:
            done, product = 0, 1.0
        while done < count and product > 0:
            done += 1
            product *= self.at(done)
        self._latest = (count, product)
        return product


@functools.lru_cache(maxsize=64)
def _momenta(limit: float, decay: float | None) -> _Momenta:
    return _Momenta(limit, decay)
