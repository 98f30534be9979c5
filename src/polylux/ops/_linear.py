"""Affine maps of the last axis, and of single entries."""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace, common_owner
from polylux.ops._libraries import one_library
from polylux.ops._native import native


def _check_dense(x: Any, weight: Any, bias: Any = None) -> None:
    # Like `one_library`, and faster: on the path of each step of each small model.
    if type(weight) is not type(x) or (bias is not None and type(bias) is not type(x)):
        common_owner((x, weight, bias), "dense")


@native(check=_check_dense)
def dense(x: Any, weight: Any, bias: Any = None, /) -> Any:
    """`x @ weight + bias`.

    Parameters
    ----------
    x : array of shape (..., n), of a real floating dtype
    weight : array of shape (n, m), of the same dtype
    bias : array of shape (m,), optional
        Of the same dtype.

    Returns
    -------
    array of shape (..., m)

    Raises
    ------
    ArrayMixError
        If the arrays belong to different libraries.

    Examples
    --------
    >>> import numpy as np
    >>> dense(np.ones((1, 2)), np.asarray([[1.0, 2.0], [3.0, 4.0]]), np.asarray([0.5, 0.5]))
    array([[4.5, 6.5]])
    """
    y = x @ weight
    return y if bias is None else y + bias


@native(check=one_library("scale"))
def scale(x: Any, weight: Any, bias: Any = None, /) -> Any:
    """`x * weight + bias`, entry by entry.

    Parameters
    ----------
    x : array of a real floating dtype
    weight : array of the same dtype
        Of the shape of the last axes of `x`.
    bias : array of the weight's shape and dtype, optional

    Returns
    -------
    array of the shape of x

    Raises
    ------
    ArrayMixError
        If the arrays belong to different libraries.

    Examples
    --------
    >>> import numpy as np
    >>> scale(np.asarray([[3.0, 4.0]]), np.asarray([1.0, 2.0]))
    array([[3., 8.]])
    """
    y = x * weight
    return y if bias is None else y + bias


@native(check=one_library("bilinear"))
def bilinear(x: Any, y: Any, weight: Any, bias: Any = None, /) -> Any:
    """The sum over i and j of `x[i] * weight[i, j] * y[j]`, along the last axes, plus a bias.

    Parameters
    ----------
    x : array of shape (..., n), of a real floating dtype
    y : array of shape (..., m), of the same dtype
    weight : array of shape (n * m, k), of the same dtype
        Its row `i * m + j` belongs to x[i] and y[j].
    bias : array of shape (k,), optional
        Of the same dtype.

    Returns
    -------
    array of shape (..., k)

    Raises
    ------
    ArrayMixError
        If the arrays belong to different libraries.

    Examples
    --------
    >>> import numpy as np
    >>> dot = np.asarray([[1.0], [0.0], [0.0], [1.0]])
    >>> bilinear(np.asarray([3.0, 2.0]), np.asarray([5.0, 1.0]), dot)
    array([17.])
    """
    xp = array_namespace(x)
    n, m, k = x.shape[-1], y.shape[-1], weight.shape[-1]
    rows = x @ xp.reshape(weight, (n, m * k))
    matrices = xp.reshape(rows, (*x.shape[:-1], m, k))
    z = xp.squeeze(xp.expand_dims(y, axis=-2) @ matrices, axis=-2)
    return z if bias is None else z + bias
