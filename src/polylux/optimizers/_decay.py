"""WeightDecay and SignDecay: a pull of the parameters to zero, added to the gradient."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import EntryRule
from polylux.optimizers._checks import check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class WeightDecay(EntryRule):
    """Add `weight_decay * p` to the gradient: the gradient of an L2 penalty.

    Where it stands in a chain matters. Before a rule it is the classic regularisation, as
    `weight_decay` of `torch.optim.SGD` and `torch.optim.Adam`; after one it is added to the step
    itself and not multiplied by the learning rate. `AdamW` has a decoupled decay of its own.

    Parameters
    ----------
    weight_decay : float or Schedule
        Not below 0.

    References
    ----------
    Krogh, Hertz (1991), A simple weight decay can improve generalization, equation 4.

    Examples
    --------
    >>> from polylux.optimizers import SGD, chain
    >>> chain(WeightDecay(1e-4), SGD(0.1))
    chain(WeightDecay(weight_decay=0.0001), SGD(learning_rate=0.1))
    """

    kind: ClassVar[str] = "weight_decay"
    scheduled: ClassVar[tuple[str, ...]] = ("weight_decay",)
    weight_decay: Value = 5e-4

    def __post_init__(self) -> None:
        check_nonnegative(self, "weight_decay")

    @property
    def slots(self) -> tuple[str, ...]:
        return ()

    def scalars(self, count: int) -> tuple[float, ...]:
        return (self.value("weight_decay", count),)

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        return (g + scalars[0] * p,)


@dataclasses.dataclass(frozen=True, repr=False)
class SignDecay(EntryRule):
    """Add `sign_decay * sign(p)` to the gradient: a subgradient of an L1 penalty, 0 at 0.

    Where it stands in a chain matters, as for `WeightDecay`.

    Parameters
    ----------
    sign_decay : float or Schedule
        Not below 0.

    References
    ----------
    Tibshirani (1996), Regression shrinkage and selection via the lasso, for the penalty.

    Examples
    --------
    >>> from polylux.optimizers import SGD, chain
    >>> chain(SignDecay(1e-4), SGD(0.1))
    chain(SignDecay(sign_decay=0.0001), SGD(learning_rate=0.1))
    """

    kind: ClassVar[str] = "sign_decay"
    scheduled: ClassVar[tuple[str, ...]] = ("sign_decay",)
    sign_decay: Value = 1e-3

    def __post_init__(self) -> None:
        check_nonnegative(self, "sign_decay")

    @property
    def slots(self) -> tuple[str, ...]:
        return ()

    def scalars(self, count: int) -> tuple[float, ...]:
        return (self.value("sign_decay", count),)

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        return (g + scalars[0] * xp.sign(p),)
