"""SGD, with momentum and Nesterov's variant."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from polylux.errors import OptionError
from polylux.optimizers._base import Arrays, Rule, check_nonnegative


@dataclasses.dataclass(frozen=True, repr=False)
class SGD(Rule):
    """Gradient descent, `p <- p - eta * d`.

    The direction `d` is the gradient `g`; with momentum the buffer `b <- momentum * b + g`
    (starting at zero); with Nesterov's variant `g + momentum * b`. These are the conventions of
    `torch.optim.SGD` (dampening 0) and `optax.sgd`.

    Parameters
    ----------
    learning_rate : float
        `eta`, not below 0.
    momentum : float
        Not below 0; 0 keeps no buffer.
    nesterov : bool
        Needs a momentum above 0.

    Raises
    ------
    DomainError, OptionError
        For values outside these.

    References
    ----------
    Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum in
    deep learning, equations 3 and 4, with the learning rate outside the buffer as torch has it.

    Examples
    --------
    >>> SGD(0.1, momentum=0.9)
    SGD(learning_rate=0.1, momentum=0.9)
    """

    kind: ClassVar[str] = "sgd"
    learning_rate: float = 1e-2
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate")
        check_nonnegative(self, "momentum")
        if self.nesterov and self.momentum == 0:
            raise OptionError("SGD(nesterov=True) needs a momentum above 0, such as momentum=0.9")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def scalars(self, count: int) -> tuple[float, ...]:
        return (self.learning_rate,)

    @cached_property
    def signature(self) -> SGD:
        return dataclasses.replace(self, learning_rate=0.0)

    def update(
        self,
        xp: Any,
        scalars: Sequence[Any],
        gradients: Arrays,
        parameters: Arrays,
        slots: tuple[Arrays, ...],
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        (eta,) = scalars
        if not self.momentum:
            return tuple(eta * g for g in gradients), ()
        buffers = tuple(
            self.momentum * b + g for b, g in zip(slots[0], gradients, strict=True)
        )
        if not self.nesterov:
            return tuple(eta * b for b in buffers), (buffers,)
        steps = tuple(
            eta * (g + self.momentum * b) for g, b in zip(gradients, buffers, strict=True)
        )
        return steps, (buffers,)
