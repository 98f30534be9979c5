"""scan: a function applied to the entries of a sequence, one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.arrays import array_namespace
from polylux.errors import ShapeError
from polylux.ops._native import native


def _check_sequence(xs: Any, *_: Any) -> None:
    if not xs.ndim or not xs.shape[0]:
        raise ShapeError(
            f"scan needs a sequence of at least one entry along axis 0, got shape {tuple(xs.shape)}"
        )


@native(check=_check_sequence)
def scan(
    xs: Any,
    carry: tuple[Any, ...],
    function: Callable[..., tuple[tuple[Any, ...], Any]],
    constants: tuple[Any, ...],
    keep: bool,
    /,
) -> tuple[Any, tuple[Any, ...]]:
    """`function` over the first axis of `xs`, each call getting what the one before it handed on.

    Parameters
    ----------
    xs : array of shape (time, ...), of a real floating dtype
        At least one entry.
    carry : tuple of arrays
        What the first call gets.
    function : callable
        `function(carry, x, *constants) -> (carry, y)`: `carry` of the same shapes and dtypes, `y`
        one array. It uses no other arrays, and must be the same object at each call: a backend
        that compiles it keeps the result by it.
    constants : tuple of arrays
        Handed to each call, such as weights.
    keep : bool
        Whether each `y` is returned, or the last one only.

    Returns
    -------
    y : array
        All, stacked along a first axis; or the last one.
    carry : tuple of arrays
        What the last call handed on.

    Raises
    ------
    ShapeError
        For an empty sequence.

    Examples
    --------
    >>> import numpy as np
    >>> def add(carry, x):
    ...     return (carry[0] + x,), carry[0] + x
    >>> scan(np.asarray([1.0, 2.0, 4.0]), (np.zeros(()),), add, (), True)[0]
    array([1., 3., 7.])
    """
    xp = array_namespace(xs)
    ys = []
    y = None
    for x in xp.unstack(xs, axis=0):
        carry, y = function(carry, x, *constants)
        if keep:
            ys.append(y)
    return xp.stack(ys, axis=0) if keep else y, carry
