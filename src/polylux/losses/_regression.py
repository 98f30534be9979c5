"""Losses of predicted numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

from polylux.losses._base import Loss
from polylux.losses._kernels import mse


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class MSELoss(Loss):
    """Mean squared error; an item is the square of one difference.

    Parameters
    ----------
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    Examples
    --------
    >>> import numpy as np
    >>> prediction, target = np.asarray([1.1, 1.9, 3.1]), np.asarray([1, 2, 3])
    >>> round(float(MSELoss()(prediction, target)), 12)
    0.01
    >>> round(float(MSELoss(agg="sum")(prediction, target)), 12)
    0.03
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_fused", self.agg == "mean")

    def _mean(self, prediction: Any, target: Any) -> Any:
        return mse(prediction, target)

    def _items(self, xp: Any, prediction: Any, target: Any, epsilon: float) -> Any:
        difference = prediction - target
        return difference * difference


L2Loss = MSELoss
