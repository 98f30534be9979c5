"""Logarithms of sums with epsilon and of ratios, right to the last digits where they are small.

The order of the operations is what keeps the digits, and XLA changes it: under jit it turns
`(p - 1) + e` into `p + (e - 1)`, `(1 - p) + e` into `(1 + e) - p` and `(1 - p) - e` into
`(1 - e) - p`, for constants 1 and `e`. It leaves `e - (1 - p)` and `e - (p - 1)` alone.
"""

from __future__ import annotations

from typing import Any

from polylux.dtypes import MACHINE_EPSILON, dtype_name


def log_ratio(xp: Any, a: Any, b: Any, difference: Any) -> Any:
    """log(a / b) from a - b, which the caller knows better than `a` and `b` tell.

    The argument of log1p is at least 0 for positive numbers: below 0, XLA's is off by 100 units in
    the last place.
    """
    up = difference >= 0
    magnitude = xp.log1p(xp.where(up, difference / b, -difference / a))
    return xp.where(up, magnitude, -magnitude)


def log_above(xp: Any, a: Any, above: Any) -> Any:
    """log(a) from a - 1."""
    up = above >= 0
    magnitude = xp.log1p(xp.where(up, above, -above / a))
    return xp.where(up, magnitude, -magnitude)


def log_shifted(xp: Any, p: Any, epsilon: float) -> Any:
    """log(p + epsilon)."""
    shifted = p + epsilon if epsilon else p
    # Near 1 the sum is exact for these two: multiples of half the machine epsilon are.
    if epsilon == 0 or epsilon == MACHINE_EPSILON[dtype_name(p.dtype)]:
        return xp.log(shifted)
    return log_above(xp, shifted, above_one(p, epsilon))


def log_rest(xp: Any, p: Any, epsilon: float) -> Any:
    """log(1 - p + epsilon)."""
    return log_above(xp, rest(p, epsilon), epsilon - p if epsilon else -p)


def above_one(p: Any, epsilon: float) -> Any:
    """p + epsilon - 1, from the difference that is exact where the result is small."""
    return epsilon - (1 - p) if epsilon < 0.5 else p - (1 - epsilon)


def rest(p: Any, epsilon: float) -> Any:
    """1 - p + epsilon."""
    return epsilon - (p - 1) if epsilon else 1 - p
