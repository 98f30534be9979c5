"""SGD, and its two variants with momentum by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.errors import OptionError
from polylux.optimizers._base import EntryRule
from polylux.optimizers._checks import check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class SGD(EntryRule):
    """Gradient descent, `p <- p - eta * d`.

    The direction `d` is the gradient `g`; with momentum the buffer `b <- momentum * b + g`
    (starting at zero); with Nesterov's variant `g + momentum * b`. These are the conventions of
    `torch.optim.SGD` (dampening 0) and `optax.sgd`. `Descent` is another name for it.

    Parameters
    ----------
    learning_rate : float or Schedule
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
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)
    learning_rate: Value = 1e-2
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_nonnegative(self, "learning_rate", "momentum")
        if self.nesterov and self.momentum == 0:
            name = type(self).__name__
            shown = f"{name}(nesterov=True)" if name == "SGD" else name
            raise OptionError(f"{shown} needs a momentum above 0, such as momentum=0.9")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def scalars(self, count: int) -> tuple[float, ...]:
        return (self.value("learning_rate", count),)

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        (eta,) = scalars
        if not self.momentum:
            return (eta * g,)
        b = self.momentum * slots[0] + g
        return eta * (g + self.momentum * b if self.nesterov else b), b


Descent = SGD


@dataclasses.dataclass(frozen=True, repr=False)
class Momentum(SGD):
    """Gradient descent with momentum: `b <- momentum * b + g`, `p <- p - eta * b`.

    The same as `SGD(learning_rate, momentum=...)`. With the learning rate outside the buffer, as in
    `torch.optim.SGD`, a new learning rate holds at once; where it is inside, as in Polyak's own
    form, it holds for new gradients only. At a constant learning rate the two are the same.

    Parameters
    ----------
    learning_rate : float or Schedule
        `eta`, not below 0.
    momentum : float
        Not below 0.

    References
    ----------
    Polyak (1964), Some methods of speeding up the convergence of iteration methods, equation 9.

    Examples
    --------
    >>> Momentum(0.1)
    Momentum(learning_rate=0.1)
    """

    momentum: float = 0.9
    nesterov: bool = dataclasses.field(default=False, init=False, repr=False)


@dataclasses.dataclass(frozen=True, repr=False)
class Nesterov(SGD):
    """Nesterov's momentum: `b <- momentum * b + g`, `p <- p - eta * (g + momentum * b)`.

    The same as `SGD(learning_rate, momentum=..., nesterov=True)`, so the form of `torch.optim.SGD`
    and `optax.sgd`: the parameters are those at which the gradient is taken.

    Parameters
    ----------
    learning_rate : float or Schedule
        `eta`, not below 0.
    momentum : float
        Above 0.

    References
    ----------
    Nesterov (1983), A method of solving a convex programming problem with convergence rate
    O(1/k**2); in the form of Bengio, Boulanger-Lewandowski, Pascanu (2013), Advances in optimizing
    recurrent networks, equation 7.

    Examples
    --------
    >>> Nesterov(0.1, momentum=0.5)
    Nesterov(learning_rate=0.1, momentum=0.5)
    """

    momentum: float = 0.9
    nesterov: bool = dataclasses.field(default=True, init=False, repr=False)
