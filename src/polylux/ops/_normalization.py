"""Normalisations: entries made of mean 0 and variance 1, over the axes that each one names.

Means and variances are sums over what may be many entries: float16 and bfloat16 are computed in
float32 and rounded once. The variance is the mean of squared differences from the mean, in two
passes: the difference of two means of squares would lose its digits.
"""

from __future__ import annotations

import math
from typing import Any

from polylux.arrays import array_namespace
from polylux.dtypes import kind_of
from polylux.ops._libraries import one_library
from polylux.ops._native import detach, native
from polylux.rules import custom_rule


@native(check=one_library("layer_norm"))
def layer_norm(x: Any, scale: Any, bias: Any, axes: int, epsilon: float, /) -> Any:
    """Each sample less its mean, over its standard deviation, both over the last axes.

    Parameters
    ----------
    x : array of a real floating dtype
    scale, bias : array of the shape of the last axes, or None
        Of the same dtype; the result is multiplied by the one, and the other is added.
    axes : int
        How many axes, from the last one, are normalised together.
    epsilon : float
        Added to the variance.

    Returns
    -------
    array of the same shape and dtype

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, Layer normalization, arXiv:1607.06450, equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> layer_norm(np.asarray([[1.0, 3.0]]), None, None, 1, 0.0)
    array([[-1.,  1.]])
    """
    xp, wide = _widened(x)
    y = _standardized(wide, axes=tuple(range(-axes, 0)), epsilon=epsilon, is_centered=True)
    return xp.astype(_scaled(y, scale, bias), x.dtype, copy=False)


@native(check=one_library("rms_norm"))
def rms_norm(x: Any, scale: Any, axes: int, epsilon: float, /) -> Any:
    """Each sample over the root of the mean of its squares, over the last axes.

    Parameters
    ----------
    x : array of a real floating dtype
    scale : array of the shape of the last axes, or None
        Of the same dtype; the result is multiplied by it.
    axes : int
        How many axes, from the last one, are normalised together.
    epsilon : float
        Added to the mean of squares.

    Returns
    -------
    array of the same shape and dtype

    References
    ----------
    B. Zhang and R. Sennrich, Root mean square layer normalization, NeurIPS 2019, equation 4.

    Examples
    --------
    >>> import numpy as np
    >>> rms_norm(np.asarray([[1.0, 7.0]]), None, 1, 0.0)
    array([[0.2, 1.4]])
    """
    xp, wide = _widened(x)
    y = _standardized(wide, axes=tuple(range(-axes, 0)), epsilon=epsilon, is_centered=False)
    return xp.astype(_scaled(y, scale, None), x.dtype, copy=False)


@native(check=one_library("group_norm"))
def group_norm(x: Any, scale: Any, bias: Any, groups: int, epsilon: float, /) -> Any:
    """Each sample normalised over groups of neighbouring channels and all that follows them.

    Parameters
    ----------
    x : array of shape (batch, channels, ...), of a real floating dtype
    scale, bias : array of shape (channels,), or None
        Of the same dtype.
    groups : int
        How many groups; a divisor of the channels.
    epsilon : float
        Added to the variance.

    Returns
    -------
    array of the same shape and dtype

    References
    ----------
    Y. Wu and K. He, Group normalization, ECCV 2018, equations 1, 2 and 7.

    Examples
    --------
    >>> import numpy as np
    >>> group_norm(np.asarray([[1.0, 3.0, 5.0, 9.0]]), None, None, 2, 0.0)
    array([[-1.,  1., -1.,  1.]])
    """
    xp, wide = _widened(x)
    grouped = xp.reshape(wide, (x.shape[0], groups, math.prod(x.shape[1:]) // groups))
    y = _standardized(grouped, axes=(2,), epsilon=epsilon, is_centered=True)
    y = _scaled(xp.reshape(y, x.shape), _by_channel(xp, scale, x), _by_channel(xp, bias, x))
    return xp.astype(y, x.dtype, copy=False)


@native(check=one_library("batch_norm"))
def batch_norm(
    x: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    momentum: float,
    epsilon: float,
    /,
) -> tuple[Any, Any, Any]:
    """Each channel normalised over the batch, and the running statistics after it.

    Parameters
    ----------
    x : array of shape (batch, channels, ...), of a real floating dtype
        At least two entries in each channel.
    scale, bias : array of shape (channels,), or None
        Of the same dtype.
    mean, variance : array of shape (channels,), or both None
        The running statistics so far.
    momentum : float
        Weight of this batch in the new statistics. Its variance counts with n - 1 there, for an
        estimate without bias, and with n where `x` is normalised.
    epsilon : float
        Added to the variance.

    Returns
    -------
    y : array of the shape and dtype of x
    mean, variance : array of shape (channels,), or None
        New statistics, in the dtype of the old; constants for every derivative.

    References
    ----------
    S. Ioffe and C. Szegedy, Batch normalization, ICML 2015, algorithms 1 and 2.

    Examples
    --------
    >>> import numpy as np
    >>> x, zero, one = np.asarray([[1.0], [3.0]]), np.zeros(1), np.ones(1)
    >>> batch_norm(x, None, None, zero, one, 0.1, 0.0)
    (array([[-1.],
           [ 1.]]), array([0.2]), array([1.1]))
    """
    xp, wide = _widened(x)
    axes = (0, *range(2, x.ndim))
    y = _standardized(wide, axes=axes, epsilon=epsilon, is_centered=True)
    y = _scaled(y, _by_channel(xp, scale, x), _by_channel(xp, bias, x))
    y = xp.astype(y, x.dtype, copy=False)
    if mean is None:
        return y, None, None
    seen = detach(wide)

    def moved(old: Any, new: Any) -> Any:
        sum_ = (1 - momentum) * xp.astype(old, new.dtype, copy=False) + momentum * new
        return xp.astype(sum_, old.dtype, copy=False)

    mean = moved(mean, xp.mean(seen, axis=axes))
    return y, mean, moved(variance, xp.var(seen, axis=axes, correction=1))


@native(check=one_library("normalize"))
def normalize(x: Any, scale: Any, bias: Any, mean: Any, variance: Any, epsilon: float, /) -> Any:
    """Each channel normalised by a mean and a variance that are given.

    Parameters
    ----------
    x : array of shape (batch, channels, ...), of a real floating dtype
    scale, bias : array of shape (channels,), or None
        Of the same dtype.
    mean, variance : array of shape (channels,)
        Of any real floating dtype.
    epsilon : float
        Added to the variance.

    Returns
    -------
    array of the same shape and dtype

    Examples
    --------
    >>> import numpy as np
    >>> normalize(np.asarray([[3.0]]), None, None, np.ones(1), np.asarray([4.0]), 0.0)
    array([[1.]])
    """
    xp, wide = _widened(x)
    mean, variance = (
        _by_channel(xp, xp.astype(value, wide.dtype, copy=False), x) for value in (mean, variance)
    )
    y = (wide - mean) / xp.sqrt(variance + epsilon)
    y = _scaled(y, _by_channel(xp, scale, x), _by_channel(xp, bias, x))
    return xp.astype(y, x.dtype, copy=False)


def _widened(x: Any) -> tuple[Any, Any]:
    """The namespace, and `x` in a dtype with enough digits for a sum."""
    xp = array_namespace(x)
    return xp, xp.astype(x, xp.float32) if kind_of(x) == "low" else x


def _change(
    residuals: Any, change: Any, *, axes: tuple[int, ...], epsilon: float, is_centered: bool
) -> Any:
    """Of a tangent or a cotangent: the derivative is symmetric."""
    y, root = residuals
    xp = array_namespace(y)
    along = y * xp.mean(y * change, axis=axes, keepdims=True)
    if is_centered:
        change = change - xp.mean(change, axis=axes, keepdims=True)
    return (change - along) / root


# A rule, as that of softmax, and for the same reason.
@custom_rule(pullback=_change, pushforward=_change, name="standardize")
def _standardized(x: Any, *, axes: tuple[int, ...], epsilon: float, is_centered: bool) -> Any:
    """`x` over the root of its mean square along these axes, less its mean first if centered."""
    xp = array_namespace(x)
    if is_centered:
        x = x - xp.mean(x, axis=axes, keepdims=True)
    root = xp.sqrt(xp.mean(x * x, axis=axes, keepdims=True) + epsilon)
    y = x / root
    return y, (y, root)


def _scaled(y: Any, scale: Any, bias: Any) -> Any:
    if scale is not None:
        y = y * scale
    return y if bias is None else y + bias


def _by_channel(xp: Any, value: Any, x: Any) -> Any:
    """An array of one entry per channel, so that it is broadcast along the channels of `x`."""
    return None if value is None else xp.reshape(value, (x.shape[1], *[1] * (x.ndim - 2)))
