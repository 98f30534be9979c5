"""Activations of one number: relu, tanh, sigmoid, silu, softplus, log_sigmoid.

Each branch of a `where` is finite and smooth over the values that reach it, so that derivatives of
every order are those of the branch taken: at 0 that of `x >= 0`, except for relu, where it is 0.
Where the two branches meet they agree to all orders. NaN stays NaN.
"""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.ops._limits import split_at
from polylux.ops._native import native

_SATURATED = 800.0
"""From here exp(-x) is 0 in float64, and the logistic function is 0 or 1."""


@native()
def relu(x: Any, /) -> Any:
    """The larger of `x` and 0, elementwise; the derivative at 0 is 0.

    Parameters
    ----------
    x : array of a real floating dtype

    Returns
    -------
    array of the same shape and dtype

    Examples
    --------
    >>> import numpy as np
    >>> relu(np.asarray([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    xp = array_namespace(x)
    # Not `where(x > 0, x, 0)`, which turns NaN into 0 and so hides it.
    return xp.where(x <= 0, xp.zeros_like(x), x)


@native()
def tanh(x: Any, /) -> Any:
    """Hyperbolic tangent, elementwise.

    Parameters
    ----------
    x : array of a real floating dtype

    Returns
    -------
    array of the same shape and dtype
    """
    return array_namespace(x).tanh(x)


@native()
def sigmoid(x: Any, /) -> Any:
    """The logistic function 1 / (1 + exp(-x)), elementwise, to full relative precision.

    Parameters
    ----------
    x : array of a real floating dtype

    Returns
    -------
    array of the same shape and dtype
        In [0, 1]; 0 at -inf, 1 at inf.

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid(np.asarray([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    xp = array_namespace(x)
    positive = x >= 0
    decay = xp.exp(-_magnitude(xp, x, positive))
    return xp.where(positive, xp.ones_like(x), decay) / (1 + decay)


@native()
def silu(x: Any, /) -> Any:
    """`x * sigmoid(x)`, elementwise (also called swish).

    Parameters
    ----------
    x : array of a real floating dtype

    Returns
    -------
    array of the same shape and dtype
        0 at -inf, inf at inf.

    References
    ----------
    S. Elfwing, E. Uchibe and K. Doya, Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning, Neural Networks 107 (2018), equation 2.

    Examples
    --------
    >>> import numpy as np
    >>> silu(np.asarray([0.0, 1000.0]))
    array([   0., 1000.])
    """
    near, beyond = split_at(_SATURATED, x)
    return beyond + near * sigmoid.neutral(near)


@native()
def softplus(x: Any, /) -> Any:
    """log(1 + exp(x)), elementwise, without overflow.

    Parameters
    ----------
    x : array of a real floating dtype

    Returns
    -------
    array of the same shape and dtype
        0 at -inf, inf at inf; the derivative is `sigmoid(x)` everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> softplus(np.asarray([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    xp = array_namespace(x)
    positive = x >= 0
    decay = xp.exp(-_magnitude(xp, x, positive))
    return xp.where(positive, x, xp.zeros_like(x)) + xp.log1p(decay)


@native()
def log_sigmoid(x: Any, /) -> Any:
    """log(sigmoid(x)) = -softplus(-x), elementwise, without overflow.

    Parameters
    ----------
    x : array of a real floating dtype

    Returns
    -------
    array of the same shape and dtype
        At most 0; -inf at -inf, 0 at inf.

    Examples
    --------
    >>> import numpy as np
    >>> log_sigmoid(np.asarray([-1000.0, 0.0]))
    array([-1.00000000e+03, -6.93147181e-01])
    """
    return -softplus.neutral(-x)


def identity(x: Any, /) -> Any:
    """`x` itself.

    Parameters
    ----------
    x : any

    Returns
    -------
    the same object
    """
    return x


def _magnitude(xp: Any, x: Any, positive: Any) -> Any:
    """The absolute value, with derivative 1 at 0: that of the branch which the caller takes."""
    return xp.where(positive, x, -x)
