"""xlogx and xlogy: products with a logarithm that are 0 where the factor is."""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.ops._operands import operands
from polylux.rules import custom_rule


def _xlogx_slope(y: Any, x: Any) -> Any:
    xp = array_namespace(x)
    safe = xp.where(x == 0, xp.ones_like(x), x)
    return xp.where(x == 0, xp.zeros_like(x), xp.log(safe) + 1)


@custom_rule(derivative=_xlogx_slope, name="xlogx")
def _xlogx(x: Any) -> Any:
    xp = array_namespace(x)
    safe = xp.where(x == 0, xp.ones_like(x), x)
    return xp.where(x == 0, xp.zeros_like(x), x * xp.log(safe))


def _xlogy_slopes(out: Any, x: Any, y: Any) -> tuple[Any, Any]:
    xp = array_namespace(x, y)
    # Where both derivatives are 0 by decision; elsewhere at x = 0 they are log(y) and 0 / y.
    absent = xp.logical_and(x == 0, xp.logical_not(y > 0))
    safe = xp.where(absent, xp.ones_like(y), y)
    return xp.log(safe), x / safe


@custom_rule(derivative=_xlogy_slopes, name="xlogy")
def _xlogy(x: Any, y: Any) -> Any:
    xp = array_namespace(x, y)
    safe = xp.where(x == 0, xp.ones_like(y), y)
    return xp.where(x == 0, xp.zeros_like(x), x * xp.log(safe))


def xlogx(x: Any, /) -> Any:
    """`x * log(x)`, and 0 where `x` is 0.

    Parameters
    ----------
    x : array of a real dtype
        Integers and booleans are taken as float64.

    Returns
    -------
    array of the same shape
        NaN below 0, inf at inf. The derivative is `log(x) + 1`, and 0 at 0.

    References
    ----------
    `xlogx` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> xlogx(np.asarray([0.0, 1.0, np.e]))
    array([0.        , 0.        , 2.71828183])
    """
    return _xlogx(operands("xlogx", x, x, floating=True)[0])


def xlogy(x: Any, y: Any, /) -> Any:
    """`x * log(y)`, and 0 where `x` is 0, whatever `y` is.

    Parameters
    ----------
    x, y : arrays or numbers
        At least one array; shapes that broadcast. Integers take the other's floating dtype, or
        float64 where both are integers.

    Returns
    -------
    array
        0 where `x` is 0, also if `y` is 0, inf or NaN; -inf at `y = 0` for `x > 0`. The
        derivatives are `log(y)` and `x / y`; where `x` is 0 and `y` is not above 0 both are 0.

    References
    ----------
    `xlogy` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> xlogy(np.asarray([0.0, 2.0]), np.asarray([0.0, np.e]))
    array([0., 2.])
    """
    return _xlogy(*operands("xlogy", x, y, floating=True))
