"""Losses of predicted numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

from polylux.losses import _options
from polylux.losses._base import Loss
from polylux.losses._elementwise import ElementwiseLoss
from polylux.losses._kernels import mse
from polylux.losses._pointwise import (
    absolute_error,
    huber_error,
    poisson_error,
    squared_log_error,
)
from polylux.rules import CustomRule


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class MSELoss(Loss):
    """Mean squared error; an item is the square of one difference.

    Parameters
    ----------
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    References
    ----------
    Utilities page, MSELoss.

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


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class MAELoss(ElementwiseLoss):
    """Mean absolute error; an item is the size of one difference.

    The derivative is the sign of the difference, and 0 where there is none.

    Parameters
    ----------
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    References
    ----------
    Utilities page, MAELoss.

    Examples
    --------
    >>> import numpy as np
    >>> prediction, target = np.asarray([1.1, 1.9, 3.1]), np.asarray([1, 2, 3])
    >>> round(float(MAELoss()(prediction, target)), 12)
    0.1
    """

    def _rule(self, epsilon: float) -> tuple[CustomRule, dict[str, Any]]:
        return absolute_error, {}


L1Loss = MAELoss


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class HuberLoss(ElementwiseLoss):
    """Huber loss: an item is half the square of a difference `d`, and linear in it from `delta` on.

    That is `d**2 / 2` for `|d| <= delta`, else `delta * (|d| - delta / 2)`; the derivative is `d`,
    limited to `delta` either way.

    Parameters
    ----------
    delta : float
        Where the two branches meet, in the target's unit; above 0.
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    References
    ----------
    P. J. Huber, Robust estimation of a location parameter, Ann. Math. Statist. 35 (1964) 73-101.
    Utilities page, HuberLoss.

    Examples
    --------
    >>> import numpy as np
    >>> prediction, target = np.asarray([1.1, 2.1, 3.1]), np.asarray([1, 2, 3])
    >>> round(float(HuberLoss()(prediction, target)), 12)
    0.005
    >>> round(float(HuberLoss(delta=0.05)(prediction, target)), 12)
    0.00375
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.above_zero(self, "delta")

    def _rule(self, epsilon: float) -> tuple[CustomRule, dict[str, Any]]:
        return huber_error, {"delta": self.delta}


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class MSLELoss(ElementwiseLoss):
    """Mean squared logarithmic error; an item is `log((p + epsilon) / (t + epsilon))**2`.

    With `epsilon=1` this is the one with `log1p` that other libraries have. NaN where just one of
    the two shifted numbers is negative.

    Parameters
    ----------
    epsilon : float, optional
        By default the machine epsilon of the prediction's dtype.
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    References
    ----------
    Utilities page, MSLELoss.

    Examples
    --------
    >>> import numpy as np
    >>> target = np.asarray([1, 2, 3])
    >>> round(float(MSLELoss()(np.asarray([1.1, 2.2, 3.3]), target)), 7)
    0.009084
    >>> round(float(MSLELoss()(np.asarray([0.9, 1.8, 2.7]), target)), 7)
    0.0111008
    """

    epsilon: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.at_least_zero(self, "epsilon", optional=True)

    def _rule(self, epsilon: float) -> tuple[CustomRule, dict[str, Any]]:
        return squared_log_error, {"epsilon": epsilon}


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class PoissonLoss(ElementwiseLoss):
    """Poisson loss of predicted rates; an item is `p - t * log(p + epsilon)`, and `p` for `t = 0`.

    That is the negative logarithm of the probability of the count `t`, but for a constant.

    Parameters
    ----------
    epsilon : float, optional
        By default the machine epsilon of the prediction's dtype.
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    References
    ----------
    Utilities page, PoissonLoss.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(PoissonLoss()(np.asarray([1, 3, 3]), np.asarray([1, 2, 3]))), 15)
    0.502312852219817
    """

    epsilon: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.at_least_zero(self, "epsilon", optional=True)

    def _rule(self, epsilon: float) -> tuple[CustomRule, dict[str, Any]]:
        return poisson_error, {"epsilon": epsilon}
