"""multigate: an array in equal parts along the last axis."""

from __future__ import annotations

import operator
from typing import Any

from polylux.arrays import array_namespace, common_owner
from polylux.errors import DomainError, OptionError, ShapeError
from polylux.ops._native import in_precision


def multigate(x: Any, n: int, /) -> tuple[Any, ...]:
    """`x` in `n` equal parts along the last axis, as a recurrent cell's gates lie in one product.

    Parameters
    ----------
    x : array of shape (..., n * m)
    n : int
        Number of parts.

    Returns
    -------
    tuple of n arrays of shape (..., m)
        Views where the library has views. A part that nothing depends on has a derivative of
        zeros.

    Raises
    ------
    ShapeError
        If `n` does not divide the length of the last axis.
    OptionError, DomainError
        If `n` is no int, or below 1.

    References
    ----------
    `multigate` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> multigate(np.arange(6), 3)
    (array([0, 1]), array([2, 3]), array([4, 5]))
    """
    try:
        n = operator.index(n)
    except TypeError:
        raise OptionError(f"multigate takes an int as the number of parts, got {n!r}") from None
    if n < 1:
        raise DomainError(f"multigate needs at least one part, got n={n}")
    common_owner((x,), "multigate")
    shape = tuple(x.shape)
    if not shape or shape[-1] % n:
        raise ShapeError(
            f"multigate(x, {n}) needs a last axis whose length is a multiple of {n}, and x has "
            f"shape {shape}"
        )
    parts = (*shape[:-1], n, shape[-1] // n)

    def split(array: Any) -> tuple[Any, ...]:
        # One reshape and one unstack: their backward pass is one stack, that of n slices is n
        # arrays of zeros and their sum.
        xp = array_namespace(array)
        return tuple(xp.unstack(xp.reshape(array, parts), axis=-2))

    return in_precision(split, x)
