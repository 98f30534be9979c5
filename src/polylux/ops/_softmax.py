"""Softmax, its logarithm, and the logarithm of a sum of exponentials, along one axis."""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.dtypes import kind_of
from polylux.errors import OptionError, ShapeError
from polylux.ops._native import detach, native
from polylux.rules import custom_rule


def _check_dim(x: Any, dim: int = -1) -> None:
    try:
        fits = -x.ndim <= dim < x.ndim
    except (AttributeError, TypeError):
        if isinstance(dim, int):
            return  # no array: the kernel refuses it
        raise OptionError(f"dim is the number of an axis, got {dim!r}") from None
    if not fits:
        raise ShapeError(f"an array of shape {tuple(x.shape)} has no axis {dim}")


@native(check=_check_dim)
def softmax(x: Any, /, dim: int = -1) -> Any:
    """exp(x) over its sum along `dim`, without overflow.

    Parameters
    ----------
    x : array of a real floating dtype
    dim : int
        Axis whose entries add up to 1.

    Returns
    -------
    array of the same shape and dtype
        An entry of -inf has probability 0; entries of inf share the whole. A lane of -inf only is
        NaN.

    Raises
    ------
    ShapeError
        If `x` has no axis `dim`.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.asarray([1000.0, 1000.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    xp, wide = _widened(x)
    return xp.astype(_softmax(wide, dim=dim), x.dtype, copy=False)


def _change_of_shares(residuals: Any, change: Any, *, dim: int) -> Any:
    """Of a tangent or a cotangent: the derivative is symmetric."""
    (shares,) = residuals
    mean = array_namespace(shares).sum(shares * change, axis=dim, keepdims=True)
    return shares * (change - mean)


# By a rule, which needs nothing but the shares: XLA works out again what else a derivative is made
# of, exponentials among it, and a step of a transformer took a third longer.
@custom_rule(pullback=_change_of_shares, pushforward=_change_of_shares, name="softmax")
def _softmax(x: Any, *, dim: int) -> Any:
    xp = array_namespace(x)
    weights = xp.exp(_shifted(xp, x, dim)[0])
    shares = weights / xp.sum(weights, axis=dim, keepdims=True)
    return shares, (shares,)


@native(check=_check_dim)
def log_softmax(x: Any, /, dim: int = -1) -> Any:
    """Logarithm of `softmax(x, dim)`, without overflow or loss of digits.

    Parameters
    ----------
    x : array of a real floating dtype
    dim : int
        Axis whose exponentials add up to 1.

    Returns
    -------
    array of the same shape and dtype
        -inf where `x` is -inf, and everywhere else in a lane with inf. A lane of -inf only is NaN.

    Raises
    ------
    ShapeError
        If `x` has no axis `dim`.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.asarray([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    xp, wide = _widened(x)
    return xp.astype(_log_softmax(wide, dim=dim), x.dtype, copy=False)


def _log_softmax_pullback(residuals: Any, g: Any, *, dim: int) -> Any:
    (shares,) = residuals
    return g - shares * array_namespace(shares).sum(g, axis=dim, keepdims=True)


def _log_softmax_pushforward(residuals: Any, tangent: Any, *, dim: int) -> Any:
    (shares,) = residuals
    return tangent - array_namespace(shares).sum(shares * tangent, axis=dim, keepdims=True)


@custom_rule(
    pullback=_log_softmax_pullback, pushforward=_log_softmax_pushforward, name="log_softmax"
)
def _log_softmax(x: Any, *, dim: int) -> Any:
    xp = array_namespace(x)
    shifted, is_infinite = _shifted(xp, x, dim)
    weights = xp.exp(shifted)
    total = xp.sum(weights, axis=dim, keepdims=True)
    below = xp.logical_and(is_infinite, x != xp.inf)
    limit = xp.where(below, xp.full_like(x, -xp.inf), xp.zeros_like(x))
    return shifted - xp.log(total) + limit, (weights / total,)


def _logsumexp_pullback(residuals: Any, g: Any, *, dim: int) -> Any:
    (x,) = residuals
    return array_namespace(x).expand_dims(g, axis=dim) * softmax(x, dim)


def _logsumexp_pushforward(residuals: Any, tangent: Any, *, dim: int) -> Any:
    (x,) = residuals
    return array_namespace(x).sum(tangent * softmax(x, dim), axis=dim)


@custom_rule(
    pullback=_logsumexp_pullback, pushforward=_logsumexp_pushforward, name="logsumexp"
)
def _logsumexp(x: Any, *, dim: int) -> Any:
    xp, wide = _widened(x)
    largest = detach(xp.max(wide, axis=dim, keepdims=True))
    # A shift by an infinity would be inf - inf; by 0 it gives the limit.
    shift = xp.where(xp.isfinite(largest), largest, xp.zeros_like(largest))
    total = xp.sum(xp.exp(wide - shift), axis=dim)
    result = xp.log(total) + xp.squeeze(shift, axis=dim)
    return xp.astype(result, x.dtype, copy=False), (x,)


@native(check=_check_dim)
def logsumexp(x: Any, /, dim: int = -1) -> Any:
    """Logarithm of the sum of exp(x) along `dim`, without overflow; its gradient is the softmax.

    Parameters
    ----------
    x : array of a real floating dtype
    dim : int
        Axis that is summed over.

    Returns
    -------
    array without that axis, of the same dtype
        inf for a lane with inf, -inf for a lane of -inf only.

    Raises
    ------
    ShapeError
        If `x` has no axis `dim`.

    Examples
    --------
    >>> import numpy as np
    >>> logsumexp(np.asarray([[1000.0, 1000.0]]))  # 1000 + log 2
    array([1000.69314718])
    """
    return _logsumexp(x, dim=dim)


def _shifted(xp: Any, x: Any, dim: int) -> tuple[Any, Any]:
    """`x` less its largest entry along `dim`, and where that is inf.

    There the entries of inf are 0, and the finite ones so far below that their exponentials are 0.
    """
    largest = detach(xp.max(x, axis=dim, keepdims=True))
    is_infinite = largest == xp.inf
    finite = xp.where(is_infinite, xp.full_like(largest, xp.finfo(x.dtype).max), largest)
    return xp.where(x == xp.inf, xp.zeros_like(x), x - finite), is_infinite


def _widened(x: Any) -> tuple[Any, Any]:
    """The namespace, and `x` in a dtype with enough digits for a sum of exponentials."""
    xp = array_namespace(x)
    return xp, xp.astype(x, xp.float32) if kind_of(x) == "low" else x
