"""DiceCoeffLoss: how little two masks overlap."""

from __future__ import annotations

import dataclasses
from typing import Any

from polylux.arrays import array_namespace
from polylux.losses import _options
from polylux.losses._base import Loss
from polylux.ops import detach, native
from polylux.rules import custom_rule

Arrays = tuple[Any, ...]


def _pullback(residuals: Arrays, g: Any, **_: Any) -> tuple[Any, None]:
    slope = _slope(residuals)
    return _along(g, slope) * slope, None


def _pushforward(residuals: Arrays, change: Any, *_: Any, **__: Any) -> Any:
    slope = _slope(residuals)
    xp = array_namespace(slope)
    return xp.sum(xp.zeros_like(slope) if change is None else slope * change, axis=_axes(slope))


def _slope(residuals: Arrays) -> Any:
    p, t, *numbers = residuals
    kept, lost, scale = [_along(number, p) for number in numbers]
    return (p * kept - t - p * lost) * scale


def _along(number: Any, p: Any) -> Any:
    """A number of each sample as an array that broadcasts along the samples."""
    shape = (-1,) + (1,) * (p.ndim - 1) if number.ndim else ()
    return array_namespace(p).reshape(number, shape)


def _axes(p: Any) -> tuple[int, ...]:
    """Those of one sample: all but the first, or the only one."""
    return tuple(range(min(1, p.ndim - 1), p.ndim)) if p.ndim else ()


@custom_rule(pullback=_pullback, pushforward=_pushforward)
def dice(p: Any, t: Any, *, smooth: float) -> tuple[Any, Arrays]:
    """1 - (2 sum p t + s) / (sum p**2 + sum t**2 + s) of each sample, with nothing that cancels."""
    xp = array_namespace(p)
    axes = _axes(p)
    difference = p - t
    total = xp.sum(p * p, axis=axes) + xp.sum(t * t, axis=axes) + smooth
    value = xp.sum(difference * difference, axis=axes) / total
    # The slope is p - t less the loss's share of p, or the coefficient's share of p less t: the
    # first of two masks that are nearly equal, the second of two that hardly overlap.
    coefficient = (2 * xp.sum(p * t, axis=axes) + smooth) / total
    is_close = value < 0.5
    kept, lost = xp.where(is_close, 1.0, coefficient), xp.where(is_close, value, 0.0)
    return value, (p, t, kept, lost, 2 / total)


@native()
def dice_mean(prediction: Any, target: Any, smooth: float, /) -> Any:
    """Mean of 1 minus the Dice coefficient over the samples, the entries of the first axis.

    Parameters
    ----------
    prediction, target : arrays of one shape and one real floating dtype
        The target is a constant for derivatives. An array of one axis is one sample.
    smooth : float

    Returns
    -------
    0-d array
        NaN where there is no sample.

    Examples
    --------
    >>> import numpy as np
    >>> float(dice_mean(np.asarray([[1.0, 1.0]]), np.asarray([[1.0, 0.0]]), 1.0))
    0.25
    """
    return array_namespace(prediction).mean(dice(prediction, detach(target), smooth=smooth))


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class DiceCoeffLoss(Loss):
    """1 minus the Dice coefficient of each sample, an entry of the first axis.

    An item is `1 - (2 * sum(p * t) + smooth) / (sum(p**2) + sum(t**2) + smooth)`, with sums over
    all axes but the first; an array of one axis is one sample.

    Parameters
    ----------
    smooth : float
        At least 0; with 0, two masks that are empty give NaN.
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each sample.

    References
    ----------
    F. Milletari, N. Navab and S.-A. Ahmadi, V-Net, arXiv:1606.04797, section 3: squares in the
    denominator, where other libraries have sums.
    Utilities page, DiceCoeffLoss.

    Examples
    --------
    >>> import numpy as np
    >>> p, t = np.asarray([1.1, 2.1, 3.1]), np.asarray([1, 2, 3])
    >>> round(float(DiceCoeffLoss()(p, t)), 15)
    0.00099239166391
    >>> round(float(DiceCoeffLoss()(p[None, :], t[None, :])), 15)
    0.00099239166391
    """

    smooth: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.at_least_zero(self, "smooth")
        object.__setattr__(self, "_fused", self.agg == "mean")

    def _mean(self, prediction: Any, target: Any) -> Any:
        return dice_mean(prediction, target, self.smooth)

    def _items(self, xp: Any, prediction: Any, target: Any, epsilon: float) -> Any:
        return dice(prediction, target, smooth=self.smooth)
