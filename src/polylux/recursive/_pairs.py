"""recursive_add_ and recursive_copyto_: two trees, leaf by leaf, in the arrays of the first."""

from __future__ import annotations

from typing import Any

from polylux import registry, tree
from polylux.arrays import is_array, owner_of
from polylux.dtypes import dtype_kind, dtype_name
from polylux.errors import (
    ArrayMixError,
    DeviceError,
    DTypeError,
    PolyluxError,
    ShapeError,
    TreeError,
)
from polylux.recursive._leaves import NUMBERS, cast, copied, partners_of, precision, written
from polylux.tree import Structure
from polylux.typing import PyTree

_NO_NUMBERS = ("bool", "other")  # masks, and JAX's random keys
_RANKS = {"bool": 0, "integral": 1, "real floating": 2, "complex floating": 3, "other": 4}


def recursive_add_(x: PyTree, y: PyTree, /) -> PyTree:
    """`x + y`, leaf by leaf, in the arrays of `x`: **use the returned tree**.

    Parameters
    ----------
    x, y : trees
        With the same containers, and arrays of the same shapes and library. Python numbers are
        added, too. What is neither (flags, boolean arrays, strings, functions) stays as in `x`.

    Returns
    -------
    tree
        Like `x`, each array in its dtype. A tied array gets its partner once: each of its places
        in `y` carries the total, as gradients do.

    Raises
    ------
    TreeError, ShapeError, DTypeError, ArrayMixError, DeviceError
        If the two do not match, naming the leaf; then nothing has changed. A float cannot be
        added to an integer array, nor a complex number to a real one.

    References
    ----------
    `recursive_add!!` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> total = {"w": np.asarray([1.0, 2.0]), "n": 3}
    >>> recursive_add_(total, {"w": np.asarray([10.0, 20.0]), "n": 1})
    {'w': array([11., 22.]), 'n': 4}
    """
    found, structure = tree.flatten(x, is_array)
    others, numbers = partners_of(y, structure, "recursive_add_: y does not match x")
    _check_pairs("recursive_add_", found, others, structure)
    statics = tuple(map(_sum, structure.statics, numbers))
    new = [
        target if dtype_kind(target) in _NO_NUMBERS else written(target, _added(target, value))
        for target, value in zip(found, _apart(found, others), strict=True)
    ]
    return Structure(structure.treedef, structure.slots, statics).unflatten(new)


def recursive_copyto_(x: PyTree, y: PyTree, /) -> PyTree:
    """The values of `y` in the arrays of `x`: **use the returned tree**.

    Parameters
    ----------
    x, y : trees
        With the same containers, and arrays of the same shapes and library.

    Returns
    -------
    tree
        Like `x`, each array in its dtype; none shares memory with one of `y` that can be written
        to. Leaves that are no arrays are those of `y`.

    Raises
    ------
    TreeError, ShapeError, DTypeError, ArrayMixError, DeviceError
        As for `recursive_add_`.

    References
    ----------
    `recursive_copyto!` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> buffer = np.zeros(2)
    >>> recursive_copyto_([buffer], [np.asarray([1.0, 2.0])])
    [array([1., 2.])]
    >>> buffer
    array([1., 2.])
    """
    found, structure = tree.flatten(x, is_array)
    others, statics = partners_of(y, structure, "recursive_copyto_: y does not match x")
    _check_pairs("recursive_copyto_", found, others, structure)
    new = [
        target if target is value else written(target, cast(value, target), fresh=True)
        for target, value in zip(found, _apart(found, others), strict=True)
    ]
    return Structure(structure.treedef, structure.slots, tuple(statics)).unflatten(new)


def _check_pairs(
    caller: str, targets: tuple[Any, ...], values: list[Any], structure: Structure
) -> None:
    """Raise for the first pair that does not fit, before anything is written."""
    for place, (target, value) in enumerate(zip(targets, values, strict=True)):
        error = _misfit(target, value)
        if error is not None:
            kind, what = error
            raise kind(f"{caller}: the leaf {structure.paths()[place] or 'itself'} {what}")


def _misfit(target: Any, value: Any) -> tuple[type[PolyluxError], str] | None:
    if not is_array(value):
        return TreeError, f"is an array in x and {value!r} in y"
    owner, other = owner_of(type(target)), owner_of(type(value))
    if owner != other:
        return ArrayMixError, (
            f"is an array of {owner!r} in x and of {other!r} in y; "
            "move one with to_backend(tree, selector)"
        )
    if tuple(target.shape) != tuple(value.shape):
        return ShapeError, f"has shape {tuple(target.shape)} in x and {tuple(value.shape)} in y"
    if _RANKS[dtype_kind(value)] > _RANKS[dtype_kind(target)]:
        return DTypeError, (
            f"is {dtype_name(target.dtype)} in x, which cannot hold the "
            f"{dtype_name(value.dtype)} of y; cast one first"
        )
    if owner not in ("host", "foreign"):
        backend = registry.load_backend(str(owner))
        here, there = backend.device(target), backend.device(value)
        if here != there and "traced" not in (here, there):
            return DeviceError, (
                f"is on {here} in x and on {there} in y; move one with to_backend(tree, selector)"
            )
    return None


def _apart(targets: tuple[Any, ...], values: list[Any]) -> list[Any]:
    """The values, as they are before any target changes: one may be a target of another place."""
    own = set(map(id, targets))
    return [
        copied(value) if id(value) in own and value is not target else value
        for target, value in zip(targets, values, strict=True)
    ]


def _sum(x: Any, y: Any) -> Any:
    if type(x) not in NUMBERS:
        return x
    if type(y) not in NUMBERS:
        raise TreeError(f"recursive_add_: x has the number {x!r} where y has {y!r}")
    return x + y


def _added(target: Any, value: Any) -> Any:
    value = cast(value, target)
    with precision(target):
        return target + value
