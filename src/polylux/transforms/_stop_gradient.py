"""stop_gradient: a tree's arrays as constants for every derivative."""

from __future__ import annotations

from polylux import arrays, registry, tree
from polylux.typing import PyTree


def stop_gradient(values: PyTree) -> PyTree:
    """The same values, as constants for every derivative under way.

    Parameters
    ----------
    values : tree
        Arrays of any backend, traced or plain, and of several; other leaves pass through.

    Returns
    -------
    tree
        Like `values`, of the same shapes and dtypes.

    Notes
    -----
    With numpy arrays it is the identity, except inside a derivative of a backend that works on
    numpy arrays (`AutoFiniteDiff`), which keeps to it as well.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, gradient, stop_gradient
    >>> def f(x):
    ...     return x * stop_gradient(x)
    >>> float(gradient(f, AutoAutograd(), np.asarray(3.0)))  # not 6
    3.0
    """
    found, structure = tree.flatten(values, arrays.is_array)
    return structure.unflatten([_stopped(array) for array in found])


def _stopped(array: object) -> object:
    owner = arrays.owner_of(type(array))
    if owner is None or owner == "foreign":  # nothing differentiates what no backend owns
        return array
    return registry.load_backend(owner).stop_gradient(array)
