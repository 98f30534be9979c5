"""f16, bf16, f32 and f64: the floating-point arrays of a tree in one precision."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from polylux import tree
from polylux.arrays import array_namespace, dtype_named, is_array
from polylux.dtypes import dtype_kind, dtype_name
from polylux.ops import keeping_precision
from polylux.typing import PyTree

# Host arrays of the dtypes that need a precision scope: one goes along where a cast makes such.
_WIDE = {name: np.zeros((), dtype=name) for name in ("float64", "complex128")}


@runtime_checkable
class HoldsArrays(Protocol):
    """An object that is no container of trees, and holds trees of arrays."""

    def _map_arrays(self, function: Callable[[PyTree], PyTree], /) -> Self:
        """A new object, `function` having mapped one tree of all its arrays."""


def f16(values: PyTree) -> PyTree:
    """The tree with its real arrays in float16 and its complex ones in complex64.

    float16 has 11 binary digits and ends at 65504: gradients and optimizer slots overflow and
    vanish easily, so most models are trained in float32 or bfloat16 and used in float16. Complex
    numbers have no narrower dtype than complex64 that every library knows.

    Parameters
    ----------
    values : tree
        Arrays of any library, alone or in nested containers, or a `TrainState`. Integer and
        boolean arrays, Python numbers and other leaves stay as they are.

    Returns
    -------
    tree
        Arrays that have the dtype already are the same objects; tied leaves stay tied.

    Raises
    ------
    DTypeError
        If the library of an array has no float16.

    References
    ----------
    `f16` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> f16({"weight": np.asarray([0.1, 1e-8]), "count": np.asarray([3])})
    {'weight': array([0.1, 0. ], dtype=float16), 'count': array([3])}
    """
    return _converted(values, "float16", "complex64")


def bf16(values: PyTree) -> PyTree:
    """The tree with its real arrays in bfloat16 and its complex ones in complex64.

    bfloat16 has the range of float32 and 8 binary digits. numpy gets it from the package
    ml_dtypes; HIPS autograd has none.

    Parameters
    ----------
    values : tree
        Arrays of any library, alone or in nested containers, or a `TrainState`. Integer and
        boolean arrays, Python numbers and other leaves stay as they are.

    Returns
    -------
    tree
        Arrays that have the dtype already are the same objects; tied leaves stay tied.

    Raises
    ------
    DTypeError
        If the library of an array has no bfloat16, or ml_dtypes is not installed.

    References
    ----------
    `bf16` of the Utilities page; https://github.com/jax-ml/ml_dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> import polylux
    >>> x = polylux.to_backend({"weight": 1 / np.arange(1.0, 4.0)}, polylux.AutoTorch())
    >>> bf16(x)
    {'weight': tensor([1.0000, 0.5000, 0.3340], dtype=torch.bfloat16)}
    """
    return _converted(values, "bfloat16", "complex64")


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

    References
    ----------
    `f32` of the Utilities page.

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

    References
    ----------
    `f64` of the Utilities page.

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
    kind = dtype_kind(array)
    if kind == "real floating":
        return cast(array, real)
    return cast(array, complex_) if kind == "complex floating" else array


def cast(array: Any, name: str) -> Any:
    """An array in the dtype of that name; itself if it has it."""
    if dtype_name(array.dtype) == name:
        return array
    dtype = dtype_named(name, array)
    wide = _WIDE.get(name)
    # The scope must keep the dtype that the array is to have.
    scope = keeping_precision(array) if wide is None else keeping_precision(array, wide)
    with contextlib.nullcontext() if scope is None else scope:
        return array_namespace(array).astype(array, dtype)
