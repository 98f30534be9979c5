"""GenericLossFunction: a loss from a function of the user's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

from polylux.arrays import is_array
from polylux.errors import OptionError, ShapeError
from polylux.losses._base import Loss


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class GenericLossFunction(Loss):
    """A loss of the items `f(prediction, target)`.

    Parameters
    ----------
    f : callable
        Called once with two arrays of one shape and one real floating dtype; returns an array of
        that shape. It is differentiated as any array code; the target is a constant in it.
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    Raises
    ------
    ShapeError
        At a call, if `f` returns anything but an array of that shape.

    References
    ----------
    Utilities page, GenericLossFunction.

    Examples
    --------
    >>> import numpy as np
    >>> loss = GenericLossFunction(lambda p, t: (p - t) ** 2)
    >>> round(float(loss(np.asarray([1.1, 1.9, 3.1]), np.asarray([1, 2, 3]))), 12)
    0.01
    """

    f: Callable[[Any, Any], Any] = dataclasses.field(kw_only=False)

    positional: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.f):
            raise OptionError(
                f"GenericLossFunction(f) takes a function of prediction and target, got {self.f!r}"
            )

    def _items(self, xp: Any, prediction: Any, target: Any, epsilon: float) -> Any:
        items = self.f(prediction, target)
        if not is_array(items) or items.shape != prediction.shape:
            got = f"one of shape {tuple(items.shape)}" if is_array(items) else repr(items)
            raise ShapeError(
                f"GenericLossFunction(f) needs f to return an array of the prediction's shape "
                f"{tuple(prediction.shape)}, got {got}; reduce with agg=... instead"
            )
        return xp.astype(items, prediction.dtype, copy=False)
