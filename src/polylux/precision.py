"""f32 and f64: the floating-point arrays of a tree in one precision."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from polylux import tree
from polylux.arrays import array_namespace, is_array
from polylux.ops import dtype_name, keeping_precision, kind_of
from polylux.typing import PyTree


@runtime_checkable
class HoldsArrays(Protocol):
    """An object that is no container of trees, and holds trees of arrays."""

    def _map_arrays(self, function: Callable[[PyTree], PyTree], /) -> Self:
        """A new object, `function` having mapped one tree of all its arrays."""


def f32(values: PyTree) -> PyTree:
    """The tree with its real arrays in float32 and its complex ones in complex64.

    Parameters
    ----------
    values : tree
        Arrays of any library, alone or in nested containers, or a `TrainState`. Integer and
        boolean arrays, Python numbers and other leaves stay as they are.

    Returns
    -------
    tree
        Arrays that have the dtype already are the same objects; tied leaves stay tied.

    Examples
    --------
    >>> import numpy as np
    >>> f32({"weight": np.asarray([0.5, 1.5]), "count": np.asarray([3])})
    {'weight': array([0.5, 1.5], dtype=float32), 'count': array([3])}
    """
    return _converted(values, "float32", "complex64")


def f64(values: PyTree) -> PyTree:
    """The tree with its real arrays in float64 and its complex ones in complex128.

    JAX arrays become float64 ones without a process-wide switch; a user's own arithmetic on them
    outside of polylux's functions may round them to float32 again.

    Parameters
    ----------
    values : tree
        Arrays of any library, alone or in nested containers, or a `TrainState`. Integer and
        boolean arrays, Python numbers and other leaves stay as they are.

    Returns
    -------
    tree
        Arrays that have the dtype already are the same objects; tied leaves stay tied.

    Examples
    --------
    >>> import numpy as np
    >>> f64([np.ones(2, dtype=np.float32), 0.5])
    [array([1., 1.]), 0.5]
    """
    return _converted(values, "float64", "complex128")


def _converted(values: PyTree, real: str, complex_: str) -> PyTree:
    def convert(part: PyTree) -> PyTree:
        arrays, structure = tree.flatten(part, is_array)
        statics = tuple(
            leaf._map_arrays(convert) if isinstance(leaf, HoldsArrays) else leaf
            for leaf in structure.statics
        )
        mapped = tree.Structure(structure.treedef, structure.slots, statics)
        return mapped.unflatten([_cast(array, real, complex_) for array in arrays])

    return convert(values)


def _cast(array: Any, real: str, complex_: str) -> Any:
    kind = kind_of(array)
    if kind not in ("float", "low", "complex"):
        return array
    name = complex_ if kind == "complex" else real
    if dtype_name(array.dtype) == name:
        return array
    xp = array_namespace(array)
    # The scope must keep the dtype that the array is to have, so a host array of it goes along.
    scope = keeping_precision(array, np.zeros((), dtype=name))
    with contextlib.nullcontext() if scope is None else scope:
        return xp.astype(array, getattr(xp, name))
