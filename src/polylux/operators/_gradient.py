"""gradient: the gradient of a scalar function of a tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.operators._value_and_gradient import value_and_gradient
from polylux.selectors import ADType
from polylux.typing import PyTree


def gradient(f: Callable[..., Any], selector: ADType, x: PyTree, *constants: Any) -> PyTree:
    """The gradient of `f(x, *constants)` with respect to `x`.

    Parameters
    ----------
    f, selector, x, *constants
        As for `value_and_gradient`.

    Returns
    -------
    tree
        Like `x`.

    Raises
    ------
    ObjectiveError, NothingTrainableError, UnsupportedError
        As for `value_and_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, gradient
    >>> from polylux import array_namespace
    >>> def f(x):
    ...     return array_namespace(x).sum(x * x)
    >>> [float(g) for g in gradient(f, AutoAutograd(), np.asarray([1.0, 2.0]))]
    [2.0, 4.0]
    """
    return value_and_gradient(f, selector, x, *constants)[1]
