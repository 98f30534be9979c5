"""Functions with kinks, with the project's derivatives there: abs, sign, maximum, minimum, clip.

Names and arguments are the array API standard's. Frameworks differ at these points: the derivative
of abs at 0 is 1 in one of them and 0 in the others, that of clip at a bound 0, 0.5 or 1.
"""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.ops._operands import operand, operands
from polylux.rules import custom_rule


@custom_rule(derivative=lambda y, x: None, name="sign")
def _sign(x: Any) -> Any:
    xp = array_namespace(x)
    one = xp.ones_like(x)
    # Not the namespace's: NaN becomes 0 in some. What is neither above nor below 0 stays itself.
    return xp.where(x > 0, one, xp.where(x < 0, -one, x))


@custom_rule(derivative=lambda y, x: _sign(x), name="abs")
def _abs(x: Any) -> Any:
    return array_namespace(x).abs(x)


def _shares(y: Any, x1: Any, x2: Any) -> tuple[Any, Any]:
    """Slopes of the larger one by each: half at a tie."""
    xp = array_namespace(y)
    half = xp.full_like(y, 0.5)
    zero, one = xp.zeros_like(y), xp.ones_like(y)
    share = xp.where(x1 > x2, one, xp.where(x1 == x2, half, zero))
    return share, one - share


@custom_rule(derivative=_shares, name="maximum")
def _maximum(x1: Any, x2: Any) -> Any:
    return array_namespace(x1, x2).maximum(x1, x2)


@custom_rule(derivative=lambda y, x1, x2: _shares(y, x2, x1), name="minimum")
def _minimum(x1: Any, x2: Any) -> Any:
    return array_namespace(x1, x2).minimum(x1, x2)


def sign(x: Any, /) -> Any:
    """The sign of each number: 1, 0 or -1; NaN for NaN. Its derivative is 0 everywhere.

    Parameters
    ----------
    x : array of a real dtype

    Returns
    -------
    array of the same shape and dtype

    Examples
    --------
    >>> import numpy as np
    >>> sign(np.asarray([-2.0, 0.0, np.inf]))
    array([-1.,  0.,  1.])
    """
    return _sign(operand("sign", x))


def abs(x: Any, /) -> Any:
    """The absolute value; the derivative is the sign, 0 at 0.

    Parameters
    ----------
    x : array of a real dtype

    Returns
    -------
    array of the same shape and dtype

    Examples
    --------
    >>> import numpy as np
    >>> abs(np.asarray([-2.0, 0.0]))
    array([2., 0.])
    """
    return _abs(operand("abs", x))


def maximum(x1: Any, x2: Any, /) -> Any:
    """The larger of two numbers, elementwise; at a tie each has half of the derivative.

    Parameters
    ----------
    x1, x2 : arrays or numbers
        At least one array; shapes that broadcast. An integer array with a floating one takes its
        dtype.

    Returns
    -------
    array
        NaN where either is.

    Examples
    --------
    >>> import numpy as np
    >>> maximum(np.asarray([-1.0, 2.0]), 0.0)
    array([0., 2.])
    """
    return _maximum(*operands("maximum", x1, x2))


def minimum(x1: Any, x2: Any, /) -> Any:
    """The smaller of two numbers, elementwise; at a tie each has half of the derivative.

    Parameters
    ----------
    x1, x2 : arrays or numbers
        At least one array; shapes that broadcast. An integer array with a floating one takes its
        dtype.

    Returns
    -------
    array
        NaN where either is.

    Examples
    --------
    >>> import numpy as np
    >>> minimum(np.asarray([-1.0, 2.0]), 0.0)
    array([-1.,  0.])
    """
    return _minimum(*operands("minimum", x1, x2))


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """`x` limited to [min, max]: `minimum(maximum(x, min), max)`, with the derivatives of that.

    Parameters
    ----------
    x : array of a real dtype
    min, max : arrays or numbers, optional
        No bound where None. Where `min` exceeds `max`, the result is `max`.

    Returns
    -------
    array
        The derivative by `x` is 1 inside, 0 outside and 0.5 at a bound.

    Examples
    --------
    >>> import numpy as np
    >>> clip(np.asarray([-2.0, 0.5, 3.0]), 0.0, 1.0)
    array([0. , 0.5, 1. ])
    """
    x = operand("clip", x)
    if min is not None:
        x = maximum(x, min)
    return x if max is None else minimum(x, max)
