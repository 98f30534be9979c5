"""recursive_map: a function of the leaves of trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux import tree
from polylux.recursive._leaves import partners_of, precision
from polylux.tree import Structure
from polylux.typing import PyTree

# Immutable values of which Python may keep one object: no place of one is tied to another.
_VALUES = (bool, int, float, complex, str, bytes)


def recursive_map(f: Callable[..., Any], x: PyTree, /, *ys: PyTree) -> PyTree:
    """`f` of the leaves of `x`, each with those at its place in the other trees.

    Parameters
    ----------
    f : callable
        Of one leaf of each tree: arrays, numbers, strings and whatever else stands there. It is
        called once for an object that stands at several places.
    x : tree
        Of any leaves; None is a container without leaves.
    *ys : trees
        With the containers of `x`.

    Returns
    -------
    tree
        With the containers of `x`, and tied where `x` is. What `f` raises passes, with a note that
        names the leaf.

    Raises
    ------
    TreeError
        If the containers differ, or a tied leaf of `x` has different partners at its places; the
        message names the leaf.

    References
    ----------
    `recursive_map` of the Utilities page.

    Examples
    --------
    >>> recursive_map(lambda a, b: a + b, {"a": 1, "b": [2.5]}, {"a": 10, "b": [20]})
    {'a': 11, 'b': [22.5]}
    """
    shared, structure = tree.flatten(x, lambda leaf: not isinstance(leaf, _VALUES))
    partners = [
        partners_of(y, structure, "recursive_map: a tree does not match the first") for y in ys
    ]

    def mapped(leaf: Any, others: list[Any], path: Callable[[], str]) -> Any:
        with precision(leaf, *others):
            try:
                return f(leaf, *others)
            except Exception as error:
                error.add_note(f"in recursive_map, at the leaf {path() or 'itself'}")
                raise

    new = [
        mapped(leaf, [p[0][i] for p in partners], lambda i=i: structure.paths()[i])  # type: ignore[misc]  # mypy infers no default
        for i, leaf in enumerate(shared)
    ]
    values = tuple(
        mapped(leaf, [p[1][i] for p in partners], lambda i=i: structure.static_paths()[i])  # type: ignore[misc]  # as above
        for i, leaf in enumerate(structure.statics)
    )
    return Structure(structure.treedef, structure.slots, values).unflatten(new)
