"""rsqrt: one over the square root."""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.ops._native import native


@native()
def rsqrt(x: Any, /) -> Any:
    """1 / sqrt(x), elementwise.

    Parameters
    ----------
    x : array of a real floating dtype

    Returns
    -------
    array of the same shape and dtype
        inf at 0, 0 at inf, NaN below 0; the derivative is `-rsqrt(x) / (2 * x)`, -inf at 0.

    References
    ----------
    `rsqrt` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> rsqrt(np.asarray([0.25, 4.0]))
    array([2. , 0.5])
    """
    return 1 / array_namespace(x).sqrt(x)
