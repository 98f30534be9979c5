"""Comparing what a backend gave with the truth, in units in the last place."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from polylux_conformance._tolerance import EPSILON, SMALLEST

Host = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One comparison of numbers, or of anything else (then without ulps).

    Attributes
    ----------
    what : str
        What was compared, such as `"gradient of w"`.
    point : str
        Where, by the scenario's name for it.
    passed : bool
    ulps : float
        Worst error in units in the last place; 0 where nothing numeric was compared, infinite
        where shapes, dtypes or kinds of number differ.
    units : float
        The same as a part of what is allowed: above 1 fails.
    expected, found : str
        At the worst entry.
    """

    what: str
    point: str
    passed: bool
    ulps: float
    units: float
    expected: str
    found: str


def errors_in_ulps(found: Host, expected: Host, dtype: str, floor: float) -> Host:
    """Error of each entry, in units in the last place of `dtype`.

    Parameters
    ----------
    found, expected : arrays of one shape
        `expected` in any wider precision.
    dtype : str
    floor : float
        The unit is that of the larger of `|expected|` and this number: 0 measures each entry by
        itself, the largest entry of a leaf measures them all alike.

    Returns
    -------
    array of float64
        Infinite where one is finite and the other is not, or infinities differ in sign; NaN is
        equal to NaN.

    Examples
    --------
    >>> one = np.asarray([1.0])
    >>> errors_in_ulps(np.nextafter(one, 2.0), one, "float64", 0.0)
    array([1.])
    """
    found = np.asarray(found).astype(np.longdouble)
    expected = np.asarray(expected).astype(np.longdouble)
    # What lies beyond the dtype's range has to come out as infinity.
    largest = _largest(dtype)
    expected = np.where(np.abs(expected) > largest, np.copysign(np.inf, expected), expected)
    with np.errstate(all="ignore"):
        scale = np.maximum(np.maximum(np.abs(expected), floor), SMALLEST[dtype])
        _, exponent = np.frexp(np.where(np.isfinite(scale), scale, 1))
        unit = np.ldexp(np.longdouble(EPSILON[dtype]), exponent - 1)
        ulps = np.abs(found - expected) / unit
    alike = (found == expected) | (np.isnan(found) & np.isnan(expected))
    broken = ~alike & ~(np.isfinite(found) & np.isfinite(expected))
    return np.where(alike, 0.0, np.where(broken, np.inf, ulps)).astype(np.float64)


def compare(
    what: str,
    found: Host,
    expected: Any,
    *,
    dtype: str,
    allowed: float,
    floor: float = 0.0,
    point: str = "",
) -> Comparison:
    """`found` against `expected`: dtype and shape first, then every number.

    `allowed` is in units in the last place; for the others see `errors_in_ulps`.
    """
    expected = np.asarray(expected)
    if str(found.dtype) != dtype:
        return mismatch(what, f"dtype {dtype}", f"dtype {found.dtype}", point)
    if found.shape != expected.shape:
        return mismatch(what, f"shape {expected.shape}", f"shape {found.shape}", point)
    if not found.size:
        return Comparison(what, point, True, 0.0, 0.0, "", "")
    errors = errors_in_ulps(found, expected, dtype, floor)
    place = np.unravel_index(int(np.argmax(errors)), errors.shape)
    worst = float(errors[place])
    units = worst / allowed if math.isfinite(worst) else math.inf
    at = f"[{', '.join(map(str, place))}] " if place else ""
    return Comparison(
        what,
        point,
        units <= 1.0,
        worst,
        units,
        at + shown(expected[place], dtype),
        at + shown(found[place], dtype),
    )


def shown(number: Any, dtype: str) -> str:
    """A number with the digits that its dtype holds."""
    digits = {"float64": 17, "float32": 9, "float16": 5, "bfloat16": 4}.get(dtype, 17)
    return f"{float(number):.{digits}g}"


def mismatch(what: str, expected: str, found: str, point: str = "") -> Comparison:
    """A failed comparison of something that is no number."""
    return Comparison(what, point, False, math.inf, math.inf, expected, found)


def _largest(dtype: str) -> Any:
    if dtype == "float64":
        return np.longdouble(np.finfo(np.float64).max)
    if dtype == "float16":
        return np.longdouble(np.finfo(np.float16).max)
    return np.longdouble(np.finfo(np.float32).max)  # bfloat16's is a little smaller
