"""The largest entry and the mean of each window, channels first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from polylux.arrays import array_namespace
from polylux.dtypes import kind_of
from polylux.errors import ShapeError
from polylux.ops._native import native
from polylux.ops._windows import Pairs, output_lengths, padded, windows


def _check_pool(x: Any, window: Sequence[int], stride: Sequence[int], padding: Pairs) -> None:
    if len(x.shape) != len(window) + 2:
        raise ShapeError(
            f"a pool over {len(window)} axes needs an input (batch, channels, {len(window)} "
            f"lengths), got shape {tuple(x.shape)}"
        )
    for k, (low, high) in zip(window, padding, strict=True):
        if low >= k or high >= k:
            raise ShapeError(
                f"padding {tuple(padding)} must be less than the window {tuple(window)}: "
                "some windows would hold padding only"
            )
    output_lengths(x.shape[2:], window, stride, padding, (1,) * len(window))


@native(check=_check_pool)
def max_pool(x: Any, window: Sequence[int], stride: Sequence[int], padding: Pairs, /) -> Any:
    """The largest entry of each window; its derivative goes to the first of equal ones.

    "First" is row-major order within the window. That is what torch, XLA and NNlib do; a share
    for each of them, as `maximum` gives, would cost a second pass.

    Parameters
    ----------
    x : array of shape (batch, channels, *lengths), of a real floating dtype
        One, two or three lengths.
    window, stride : tuple of int
        One for each spatial axis.
    padding : tuple of pairs of int
        How many entries of -inf are put before and after each spatial axis; less than the window.

    Returns
    -------
    array of shape (batch, channels, *output_lengths)
        NaN for a window with a NaN.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> max_pool(np.asarray([[[1.0, 3.0, 2.0, 0.0]]]), (2,), (2,), ((0, 0),))
    array([[[3., 2.]]])
    """
    xp, patches = _stacked(x, window, stride, padding, -math.inf)
    first = xp.expand_dims(xp.argmax(patches, axis=2), axis=2)
    return xp.squeeze(xp.take_along_axis(patches, first, axis=2), axis=2)


@native(check=_check_pool)
def mean_pool(x: Any, window: Sequence[int], stride: Sequence[int], padding: Pairs, /) -> Any:
    """The sum of each window over the number of its places, padding included.

    Parameters
    ----------
    x : array of shape (batch, channels, *lengths), of a real floating dtype
        One, two or three lengths.
    window, stride : tuple of int
        One for each spatial axis.
    padding : tuple of pairs of int
        How many zeros are put before and after each spatial axis; less than the window. They
        count as entries, as in NNlib and, by default, in torch.

    Returns
    -------
    array of shape (batch, channels, *output_lengths)

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> mean_pool(np.asarray([[[1.0, 3.0]]]), (2,), (1,), ((1, 0),))
    array([[[0.5, 2. ]]])
    """
    xp, patches = _stacked(x, window, stride, padding, 0.0)
    wide = xp.astype(patches, xp.float32) if kind_of(x) == "low" else patches
    return xp.astype(xp.sum(wide, axis=2) / math.prod(window), x.dtype, copy=False)


def _stacked(
    x: Any, window: Sequence[int], stride: Sequence[int], padding: Pairs, value: float
) -> tuple[Any, Any]:
    """The namespace, and the windows' entries along a new axis after the channels."""
    xp = array_namespace(x)
    single = (1,) * len(window)
    lengths = output_lengths(x.shape[2:], window, stride, padding, single)
    return xp, xp.stack(windows(padded(x, padding, value), window, stride, single, lengths), axis=2)
