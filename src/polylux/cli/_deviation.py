"""Deviation: how far two runs' numbers are apart, relatively and in units in the last place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from polylux.errors import DTypeError, ShapeError

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]


@dataclasses.dataclass(frozen=True)
class Deviation:
    """A largest difference, by two measures.

    Attributes
    ----------
    relative : float
        Over the largest magnitude in the two arrays.
    ulps : float
        In units in the last place: over the spacing of the floating-point numbers of the arrays'
        dtype at that largest magnitude.
    """

    relative: float
    ulps: float


def deviation(a: Floats, b: Floats) -> Deviation:
    """The largest `|a - b|`, over the largest magnitude `m` of both, and over `spacing(m)`.

    Parameters
    ----------
    a, b : arrays of one shape and one dtype, float32 or float64

    Returns
    -------
    Deviation
        Zeros if they are equal; NaN if an entry of one of them is not finite, and they differ.

    Raises
    ------
    ShapeError, DTypeError
        If they are not of one shape and one dtype.

    Examples
    --------
    >>> deviation(np.asarray([0.5, 1.0]), np.asarray([0.5, np.nextafter(1.0, 2.0)])).ulps
    1.0
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ShapeError(f"two runs gave arrays of different shapes, {a.shape} and {b.shape}")
    if a.dtype != b.dtype:
        raise DTypeError(f"two runs gave arrays of different dtypes, {a.dtype} and {b.dtype}")
    if np.array_equal(a, b, equal_nan=True):
        return Deviation(0.0, 0.0)
    # float32 differences are taken in float64, where they are exact or nearly so.
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    if not (np.isfinite(wide_a).all() and np.isfinite(wide_b).all()):
        return Deviation(np.nan, np.nan)
    difference = float(np.max(np.abs(wide_a - wide_b)))
    largest = max(np.max(np.abs(a)), np.max(np.abs(b)))
    return Deviation(difference / float(largest), difference / float(np.spacing(largest)))


def of_leaves(reference: Iterable[Floats], leaves: Iterable[Floats]) -> Deviation:
    """The largest deviation over the leaves of two trees, each by its own largest entry."""
    return _largest([deviation(a, b) for a, b in zip(reference, leaves, strict=True)])


def of_curve(reference: Floats, curve: Floats) -> tuple[Deviation, Floats]:
    """The largest deviation over two loss curves, each step by its own magnitude.

    Returns
    -------
    largest : Deviation
    relative : array of shape (steps,)
        The relative deviation at each step.
    """
    steps = [deviation(a, b) for a, b in zip(reference, curve, strict=True)]
    return _largest(steps), np.asarray([step.relative for step in steps])


def _largest(deviations: list[Deviation]) -> Deviation:
    # Measure by measure: a leaf may be the worst by one and not by the other. `np.max` keeps NaN.
    return Deviation(
        float(np.max([d.relative for d in deviations], initial=0.0)),
        float(np.max([d.ulps for d in deviations], initial=0.0)),
    )
