"""Splitting a number into a bounded part and the rest, so that no product meets an infinity."""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace


def split_at(bound: float, x: Any) -> tuple[Any, Any]:
    """`x` limited to [-bound, bound], and what exceeds `bound` above (0 below it).

    A function that is `x` times a share, 0 or 1 beyond the bounds, is the sum of the second and
    the first times its share: with the limits as its values at the infinities, derivatives of all
    orders included, where `inf * 0` would be NaN. NaN stays NaN in both.
    """
    xp = array_namespace(x)
    top = xp.full_like(x, bound)
    near = xp.where(x > bound, top, x)
    near = xp.where(near < -bound, -top, near)
    return near, xp.where(x > bound, x - top, xp.zeros_like(x))
