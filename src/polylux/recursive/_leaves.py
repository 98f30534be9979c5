"""What recursive operations do with leaves: find their partners, and write into arrays."""

from __future__ import annotations

import contextlib
from typing import Any

from polylux import arrays, registry, running, tree
from polylux.arrays import array_namespace, is_array, owner_of
from polylux.tree import Structure
from polylux.typing import PyTree

NUMBERS = (int, float, complex)
"""Python's, by their very type: a bool is a flag."""


def partners_of(y: PyTree, structure: Structure, what: str) -> tuple[list[Any], list[Any]]:
    """The leaves of `y` at the places of the structure's arrays, and at those of its statics."""
    partners = tree.flatten_like(y, structure, what, _same)
    if not structure.statics:
        return partners, []
    leaves, _ = tree.leaves(y)
    return partners, [leaf for leaf, s in zip(leaves, structure.slots, strict=True) if s < 0]


def _same(a: Any, b: Any) -> bool:
    if not (is_array(a) and is_array(b)):
        return tree.same_static(a, b)
    # The values of two traced arrays are not known.
    return not is_inside(owner_of(type(a))) and arrays.equal(a, b)


def cast(value: Any, like: Any) -> Any:
    """An array in another's dtype; itself if it has it."""
    if value.dtype == like.dtype:
        return value
    with precision(value, like):
        return array_namespace(value).astype(value, like.dtype)


def written(target: Any, value: Any, fresh: bool = False) -> Any:
    """The target, holding the value now, or else the value: with `fresh`, a copy of it."""
    owner = owner_of(type(target))
    if (
        owner != "foreign"
        and not is_inside(owner)
        and registry.load_backend(str(owner)).overwrite(target, value)
    ):
        return target
    return copied(value) if fresh else value


def copied(array: Any) -> Any:
    """The same values in a buffer of their own; derivatives pass."""
    with precision(array):
        return array_namespace(array).asarray(array, copy=True)


def is_inside(owner: str | None) -> bool:
    """Whether a user's function is being run or traced, so that its inputs must stay."""
    if running.is_running():
        return True
    return owner not in ("host", "foreign", None) and registry.load_backend(str(owner)).is_tracing()


def precision(*leaves: Any) -> contextlib.AbstractContextManager[Any]:
    """The context in which those of the leaves that are arrays keep their dtypes."""
    return arrays.precision_scope(*filter(is_array, leaves))
