"""Windows that slide over spatial axes: how many there are, and their entries, as slices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

import array_api_compat

from polylux.arrays import array_namespace
from polylux.errors import ShapeError

Pairs: TypeAlias = Sequence[tuple[int, int]]
"""For each spatial axis, how many entries are added before and after it."""


def output_lengths(
    lengths: Sequence[int],
    window: Sequence[int],
    stride: Sequence[int],
    padding: Pairs,
    dilation: Sequence[int],
) -> tuple[int, ...]:
    """How many windows fit along each axis.

    Raises
    ------
    ShapeError
        If none fits.
    """
    found = []
    for n, k, s, (low, high), d in zip(lengths, window, stride, padding, dilation, strict=True):
        room = n + low + high - d * (k - 1) - 1
        if room < 0:
            raise ShapeError(
                f"a window of {tuple(window)} with dilation {tuple(dilation)} does not fit into "
                f"spatial axes of {tuple(lengths)} with padding {tuple(padding)}"
            )
        found.append(room // s + 1)
    return tuple(found)


def same_padding(
    lengths: Sequence[int], window: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Padding after which there are `ceil(length / stride)` windows; an odd one goes to the end.

    That is TensorFlow's and XLA's SAME, and torch's "same", which is for stride 1 only.

    Examples
    --------
    >>> same_padding((5, 6), (2, 3), (1, 2), (1, 1))
    ((0, 1), (0, 1))
    """
    pairs = []
    for n, k, s, d in zip(lengths, window, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def padded(x: Any, padding: Pairs, value: float) -> Any:
    """`x` with entries of one value around its spatial axes, which are those from the third on."""
    xp = array_namespace(x)
    for axis, counts in enumerate(padding, 2):
        shape = x.shape
        before, after = (
            [
                xp.full(
                    (*shape[:axis], count, *shape[axis + 1 :]),
                    value,
                    dtype=x.dtype,
                    device=array_api_compat.device(x),
                )
            ]
            if count
            else []
            for count in counts
        )
        if before or after:
            x = xp.concat([*before, x, *after], axis=axis)
    return x


def windows(
    x: Any,
    window: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    lengths: Sequence[int],
) -> list[Any]:
    """For each entry of a window, in row-major order, that entry of all windows.

    Returns
    -------
    list of arrays of shape (batch, channels, *lengths)
    """
    return [
        x[
            (
                slice(None),
                slice(None),
                *(
                    slice(k * d, k * d + s * (n - 1) + 1, s)
                    for k, s, d, n in zip(offsets, stride, dilation, lengths, strict=True)
                ),
            )
        ]
        for offsets in itertools.product(*map(range, window))
    ]
