"""trainmode, testmode, update_state: entries of states set by their key, at any depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self, runtime_checkable

import optree

from polylux import tree
from polylux.errors import OptionError, TreeError, nearest
from polylux.typing import PyTree


@runtime_checkable
class HoldsStates(Protocol):
    """An object that is no tree of states, and holds one."""

    def _map_states(self, function: Callable[[PyTree], PyTree], /) -> Self:
        """A new object, whose states went through `function`."""


def trainmode(st: Any, /) -> Any:
    """States with every entry `"training"` True; see `testmode`.

    Examples
    --------
    >>> trainmode({"layer_1": {"training": False}})
    {'layer_1': {'training': True}}
    """
    return _mapped(st, lambda states: _with_entry(states, "training", True, set()))


def testmode(st: Any, /) -> Any:
    """States with every entry `"training"` False: dropout hands on, batch norm uses its averages.

    Parameters
    ----------
    st : tree of states or StatefulLayer

    Returns
    -------
    tree or StatefulLayer
        A new one; what was given stays as it is. Without such an entry the states are unchanged.

    References
    ----------
    `testmode` of the Utilities page.

    Examples
    --------
    >>> testmode({"layer_1": {}, "layer_2": {"training": True}})
    {'layer_1': {}, 'layer_2': {'training': False}}
    """
    return _mapped(st, lambda states: _with_entry(states, "training", False, set()))


testmode.__test__ = False  # type: ignore[attr-defined]  # pytest would take its name for a test's


def update_state(st: Any, key: str, value: Any, /) -> Any:
    """States with the entries of one key set to a value, in all dicts of the tree.

    Parameters
    ----------
    st : tree of states or StatefulLayer
    key : str
    value : any
        Stands in place of each such entry, whatever it was; a tree is set as a whole.

    Returns
    -------
    tree or StatefulLayer
        A new one; what was given stays as it is.

    Raises
    ------
    TreeError
        If no dict has that key.

    References
    ----------
    `update_state` of the Utilities page, where an absent key is passed over.

    Examples
    --------
    >>> update_state({"a": {"rate": 0.5}, "b": [{"rate": 0.1}]}, "rate", 0.2)
    {'a': {'rate': 0.2}, 'b': [{'rate': 0.2}]}
    """
    if not isinstance(key, str):
        raise OptionError(
            f"update_state takes (states, key, value) with a string as key, got {key!r}"
        )

    def updated(states: PyTree) -> PyTree:
        seen: set[Any] = set()
        new = _with_entry(states, key, value, seen)
        if key not in seen:
            known = [name for name in seen if isinstance(name, str)]
            raise TreeError(f"the states have no entry {key!r}; {nearest(key, known)}")
        return new

    return _mapped(st, updated)


def _mapped(st: Any, function: Callable[[PyTree], PyTree]) -> Any:
    return st._map_states(function) if isinstance(st, HoldsStates) else function(st)


def _with_entry(node: PyTree, key: str, value: Any, seen: set[Any]) -> PyTree:
    """The node with that entry of each dict in it replaced; `seen` collects the keys of all."""
    found, _ = tree.leaves(node)
    if len(found) == 1 and found[0] is node:
        return node
    paths, children, definition = optree.tree_flatten_with_path(
        node, is_leaf=lambda part: part is not node, namespace=tree.NAMESPACE
    )
    is_dict = isinstance(node, dict)
    new = []
    for (name,), child in zip(paths, children, strict=True):
        if is_dict:
            seen.add(name)
        replace = is_dict and name == key
        new.append(value if replace else _with_entry(child, key, value, seen))
    if all(map(_is, new, children)):
        return node
    return optree.tree_unflatten(definition, new)


def _is(a: object, b: object) -> bool:
    return a is b
