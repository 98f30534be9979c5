"""ClipNorm and ClipValue: gradients no larger than a bound, as a whole or entry by entry."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import Arrays, EntryRule, Rule
from polylux.optimizers._checks import check_nonnegative
from polylux.optimizers._schedules import Value


@dataclasses.dataclass(frozen=True, repr=False)
class ClipNorm(Rule):
    """Scale all gradients by `min(1, max_norm / norm)`, with the norm taken over all of them.

    The norm is the Euclidean one of all trainable leaves together, as in
    `optax.clip_by_global_norm`; `torch.nn.utils.clip_grad_norm_` adds 1e-6 to it, we do not.
    Meant as the first rule of a chain.

    Parameters
    ----------
    max_norm : float or Schedule
        Largest norm, in the gradients' unit; not below 0.

    References
    ----------
    Pascanu, Mikolov, Bengio (2013), On the difficulty of training recurrent neural networks,
    algorithm 1.

    Examples
    --------
    >>> from polylux.optimizers import Adam, chain
    >>> chain(ClipNorm(0.5), Adam(1e-2))
    chain(ClipNorm(max_norm=0.5), Adam(learning_rate=0.01))
    """

    kind: ClassVar[str] = "clip_norm"
    scheduled: ClassVar[tuple[str, ...]] = ("max_norm",)
    max_norm: Value = 1.0

    def __post_init__(self) -> None:
        check_nonnegative(self, "max_norm")

    @property
    def slots(self) -> tuple[str, ...]:
        return ()

    @property
    def can_join(self) -> bool:
        return True  # the norm is that of all entries

    def scalars(self, count: int) -> tuple[float, ...]:
        return (self.value("max_norm", count),)

    def update(
        self,
        xp: Any,
        scalars: Sequence[Any],
        gradients: Arrays,
        parameters: Arrays,
        slots: tuple[Arrays, ...],
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        (max_norm,) = scalars
        if not gradients:
            return (), ()
        # In the widest dtype among the leaves: one float16 leaf must not overflow the norm.
        wide = xp.result_type(*{g.dtype for g in gradients})
        # The largest entry is divided out, so that squares neither overflow nor vanish.
        peaks = [xp.max(xp.abs(xp.astype(g, wide))) for g in gradients if 0 not in g.shape]
        if not peaks:
            return gradients, ()
        peak = xp.max(xp.stack(peaks))
        safe = xp.where(peak > 0, peak, xp.ones_like(peak))
        squares = [xp.sum((xp.astype(g, wide) / safe) ** 2) for g in gradients]
        norm = safe * xp.sqrt(sum(squares[1:], squares[0]))
        # Where the norm is small the factor is exactly 1: a gradient that fits is not touched.
        fits, one = norm <= max_norm, xp.ones_like(norm)
        factor = xp.where(fits, one, max_norm / xp.where(fits, one, norm))
        return tuple(g * xp.astype(factor, g.dtype) for g in gradients), ()


@dataclasses.dataclass(frozen=True, repr=False)
class ClipValue(EntryRule):
    """Clip each entry of the gradient to `[-max_value, max_value]`.

    As `torch.nn.utils.clip_grad_value_` and `optax.clip`; a NaN stays one. Meant as the first rule
    of a chain.

    Parameters
    ----------
    max_value : float or Schedule
        Largest size of an entry, in the gradients' unit; not below 0.

    Examples
    --------
    >>> from polylux.optimizers import Adam, chain
    >>> chain(ClipValue(0.5), Adam(1e-2))
    chain(ClipValue(max_value=0.5), Adam(learning_rate=0.01))
    """

    kind: ClassVar[str] = "clip_value"
    scheduled: ClassVar[tuple[str, ...]] = ("max_value",)
    max_value: Value = 1.0

    def __post_init__(self) -> None:
        check_nonnegative(self, "max_value")

    @property
    def slots(self) -> tuple[str, ...]:
        return ()

    def scalars(self, count: int) -> tuple[float, ...]:
        return (self.value("max_value", count),)

    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        bound = xp.zeros_like(g) + scalars[0]
        return (xp.minimum(xp.maximum(g, -bound), bound),)
