"""compare: a gradient's slope along a line next to what the function's values say, with a bound."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from polylux.checking._line import Line

_RADII = tuple(0.1 / 8**k for k in range(10))
"""Distances from the point, relative to its size, over which the function is looked at."""

_POINTS = 16
# One in each of equal parts, and irregular: rounding errors at equidistant points can be all alike.
_PLACES = (np.arange(_POINTS) + np.random.default_rng(0).random(_POINTS)) * 2 / _POINTS - 1
# A quartic with a kink at the origin; the slope is its second coefficient, the kink's its last.
_BASIS = np.stack([*(_PLACES**k for k in range(5)), np.abs(_PLACES)], axis=-1)
_FIT = np.linalg.pinv(_BASIS)

_SLOPE_BY_RESIDUAL = 5.0
"""How much the fitted slope is off, at most, for a largest residual of 1, beside a kink's share.

A term `t**5` gives 3, one of a higher order less, independent errors 1.1 in 99 of 100 cases, and a
kink at whatever distance 4.4.
"""

_KINK_BY_RESIDUAL = 100.0
"""From where on the fit's kink is one of the function: `t**6` gives 23, and rounding less."""


class Slope(NamedTuple):
    """What the function's values say of the slope along one line.

    Attributes
    ----------
    mismatch : float
        The slope less that by the gradient.
    bound : float
        By how much it may be off, together with the rounding of the gradient.
    jump : float
        Slope ahead less slope behind, where there is a kink at the point; else 0.
    """

    mismatch: float
    bound: float
    jump: float


def compare(line: Line, epsilon: float, *, measure: bool = False) -> Slope:
    """The mismatch along a line, and its bound.

    Two calls, a central difference with the step `epsilon**(1/3)`, suffice where the mismatch is
    below the bound for a well-scaled function. Else, or with `measure`, the function is fitted.
    """
    if measure:
        return _fitted(line, epsilon)
    h = epsilon ** (1 / 3)
    mismatch = line.mismatch(h)
    scale = max(line.largest(), abs(line.slope))
    bound = h * h / 6 * scale + epsilon * line.largest() / h
    if abs(mismatch) <= bound < math.inf:
        return Slope(mismatch, bound, 0.0)
    return _fitted(line, epsilon)


def _fitted(line: Line, epsilon: float) -> Slope:
    """By the fit whose bound is least: nearer there is more rounding, farther more curvature."""
    rounded = 4 * epsilon * line.weight  # a gradient's entries: a few units in the last place each
    best = Slope(math.nan, math.inf, 0.0)
    worse = 0
    for radius in _RADII:
        excesses = np.asarray([line.excess(float(place) * radius) for place in _PLACES])
        if not np.all(np.isfinite(excesses)):
            continue  # out of the function's domain, perhaps
        found = _fit(excesses, radius, epsilon / 2 * line.largest())
        if found.bound < best.bound:
            best = found
            worse = 0
        else:
            worse += 1
            if worse == 2:
                break
    if best.bound == math.inf:
        return Slope(math.nan, math.nan, 0.0)
    return best._replace(bound=best.bound + rounded)


def _fit(excesses: Any, radius: float, least: float) -> Slope:
    """The slope within a radius; `least` is what rounding of the values alone may hide."""
    coefficients = _FIT @ excesses
    residual = float(np.max(np.abs(excesses - _BASIS @ coefficients))) + least
    slope, kink = float(coefficients[1]) / radius, float(coefficients[-1]) / radius
    bound = _SLOPE_BY_RESIDUAL * residual / radius
    if abs(kink) * radius > _KINK_BY_RESIDUAL * residual:
        return Slope(slope, bound, 2 * kink)
    # A kink beside the point, perhaps: the slope is that of either side.
    return Slope(slope, bound + abs(kink), 0.0)
