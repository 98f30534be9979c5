"""DiceCoeffLoss: how little two masks overlap."""

from __future__ import annotations

import dataclasses
from typing import Any

from polylux.arrays import array_namespace
from polylux.losses import _options
from polylux.losses._base import Loss
from polylux.rules import custom_rule

Arrays = tuple[Any, ...]


def _pullback(residuals: Arrays, g: Any, **_: Any) -> tuple[Any, None]:
    slope, axes = _slope(residuals)
    xp = array_namespace(slope)
    return xp.reshape(g, (-1,) + (1,) * len(axes) if g.ndim else ()) * slope, None


def _pushforward(residuals: Arrays, change: Any, *_: Any, **__: Any) -> Any:
    slope, axes = _slope(residuals)
    xp = array_namespace(slope)
    return xp.sum(xp.zeros_like(slope) if change is None else slope * change, axis=axes)


def _slope(residuals: Arrays) -> tuple[Any, tuple[int, ...]]:
    p, t, kept, lost, total = residuals
    return 2 * (p * kept - t - p * lost) / total, _axes(p)


def _axes(p: Any) -> tuple[int, ...]:
    """Those of one sample: all but the first, or the only one."""
    return tuple(range(min(1, p.ndim - 1), p.ndim)) if p.ndim else ()


@custom_rule(pullback=_pullback, pushforward=_pushforward)
def dice(p: Any, t: Any, *, smooth: float) -> tuple[Any, Arrays]:
    """1 - (2 sum p t + s) / (sum p**2 + sum t**2 + s) of each sample, with nothing that cancels."""
    xp = array_namespace(p)
    axes = _axes(p)
    difference = p - t
    total = xp.sum(p * p + t * t, axis=axes, keepdims=True) + smooth
    value = xp.sum(difference * difference, axis=axes, keepdims=True) / total
    items = xp.reshape(value, p.shape[:1] if p.ndim > 1 else ())
    # The slope is p - t less the loss's share of p, or the coefficient's share of p less t: the
    # first of two masks that are nearly equal, the second of two that hardly overlap.
    coefficient = (2 * xp.sum(p * t, axis=axes, keepdims=True) + smooth) / total
    is_close = value < 0.5
    kept, lost = xp.where(is_close, 1.0, coefficient), xp.where(is_close, value, 0.0)
    return items, (p, t, kept, lost, total)


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

    def _items(self, xp: Any, prediction: Any, target: Any, epsilon: float) -> Any:
        return dice(prediction, target, smooth=self.smooth)
