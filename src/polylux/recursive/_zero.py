"""recursive_make_zero, and with a trailing underscore in the arrays that are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux import tree
from polylux.arrays import array_namespace, is_array
from polylux.dtypes import dtype_kind
from polylux.recursive._leaves import NUMBERS, precision, written
from polylux.tree import Structure
from polylux.typing import PyTree


def recursive_make_zero(x: PyTree, /) -> PyTree:
    """Zeros in place of every number: new arrays of the same shapes and dtypes.

    Parameters
    ----------
    x : tree
        Flags, strings, functions and other leaves that are no numbers stay as they are.

    Returns
    -------
    tree
        Like `x`, and tied where `x` is.

    References
    ----------
    `recursive_make_zero` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> recursive_make_zero({"w": np.ones(2), "rate": 0.5, "training": True})
    {'w': array([0., 0.]), 'rate': 0.0, 'training': True}
    """
    return _zeroed(x, _zeros)


def recursive_make_zero_(x: PyTree, /) -> PyTree:
    """Zeros in place of every number, in the arrays of `x`: **use the returned tree**.

    Parameters
    ----------
    x : tree
        As for `recursive_make_zero`.

    Returns
    -------
    tree
        Like `x`.

    References
    ----------
    `recursive_make_zero!!` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> total = np.ones(2)
    >>> recursive_make_zero_({"w": total})["w"] is total, total
    (True, array([0., 0.]))
    """
    return _zeroed(x, lambda array: written(array, _zeros(array)))


def _zeroed(x: PyTree, zero: Callable[[Any], Any]) -> PyTree:
    found, structure = tree.flatten(x, is_array)
    statics = tuple(type(leaf)(0) if type(leaf) in NUMBERS else leaf for leaf in structure.statics)
    new = Structure(structure.treedef, structure.slots, statics)
    return new.unflatten([zero(array) for array in found])


def _zeros(array: Any) -> Any:
    if dtype_kind(array) == "other":  # a JAX random key
        return array
    with precision(array):
        return array_namespace(array).zeros_like(array)
