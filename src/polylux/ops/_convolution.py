"""Convolution over one, two or three axes, channels first.

Arrays are laid out as the mirror of Lux's (W, H, C, N): batch, channels, then the spatial axes.
As in every deep-learning library but Lux the kernel is not flipped: it is a cross-correlation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from polylux.arrays import array_namespace, common_owner
from polylux.errors import ShapeError
from polylux.ops._native import native
from polylux.ops._windows import Pairs, output_lengths, padded, windows


def _check_convolution(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Sequence[int],
    padding: Pairs,
    dilation: Sequence[int],
    groups: int,
) -> None:
    if type(weight) is not type(x) or (bias is not None and type(bias) is not type(x)):
        common_owner((x, weight, bias), "convolution")
    shape, kernel = x.shape, weight.shape
    if len(shape) != len(kernel) or len(shape) != len(stride) + 2:
        raise ShapeError(
            f"a convolution over {len(stride)} axes needs an input (batch, channels, "
            f"{len(stride)} lengths) and a weight of as many axes, got {tuple(shape)} "
            f"and {tuple(kernel)}"
        )
    if shape[1] != kernel[1] * groups or kernel[0] % groups:
        raise ShapeError(
            f"a weight of shape {tuple(kernel)} in {groups} group(s) needs {kernel[1] * groups} "
            f"input channels and outputs divisible by {groups}, got an input of shape "
            f"{tuple(shape)}"
        )
    output_lengths(shape[2:], kernel[2:], stride, padding, dilation)


@native(check=_check_convolution)
def convolution(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Sequence[int],
    padding: Pairs,
    dilation: Sequence[int],
    groups: int,
    /,
) -> Any:
    """Sums of products of a kernel with each window of `x`, for each output channel.

    Parameters
    ----------
    x : array of shape (batch, channels, *lengths), of a real floating dtype
        One, two or three lengths.
    weight : array of shape (outputs, channels // groups, *kernel), of the same dtype
    bias : array of shape (outputs,), or None
    stride : tuple of int
        Steps from one window to the next, one for each spatial axis.
    padding : tuple of pairs of int
        How many zeros are put before and after each spatial axis.
    dilation : tuple of int
        Steps between the entries of a window.
    groups : int
        Channels and outputs are split in so many parts, each output seeing its own part only.

    Returns
    -------
    array of shape (batch, outputs, *output_lengths)
        Entry t along an axis is the sum over k of `weight[k] * x[t * stride + k * dilation]`, of
        the padded x. There are `(length + padding - dilation * (kernel - 1) - 1) // stride + 1`.

    Raises
    ------
    ShapeError
        If the shapes do not fit, or the input is shorter than a window.
    ArrayMixError
        If the arrays belong to different libraries.

    Examples
    --------
    >>> import numpy as np
    >>> x, weight = np.asarray([[[1.0, 2.0, 4.0]]]), np.asarray([[[1.0, -1.0]]])
    >>> convolution(x, weight, None, (1,), ((0, 0),), (1,), 1)
    array([[[-1., -2.]]])
    """
    xp = array_namespace(x)
    outputs, per_group, *kernel = weight.shape
    inner = math.prod(kernel)
    lengths = output_lengths(x.shape[2:], kernel, stride, padding, dilation)
    patches = windows(padded(x, padding, 0.0), kernel, stride, dilation, lengths)
    # (batch, channels, window, place) -> (batch, groups, inputs of an output, place)
    places = math.prod(lengths)
    patches = xp.reshape(xp.stack(patches, axis=2), (x.shape[0], groups, per_group * inner, places))
    rows = xp.reshape(weight, (groups, outputs // groups, per_group * inner))
    y = xp.reshape(rows @ patches, (x.shape[0], outputs, *lengths))
    return y if bias is None else y + xp.reshape(bias, (outputs, *[1] * len(kernel)))
