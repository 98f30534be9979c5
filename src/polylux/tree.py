"""Trees to flat tuples of arrays and back; no array is touched here.

:func:`flatten` splits a tree into its arrays and a :class:`Structure`: the containers, every leaf
that is not an array (a *static*), and which leaves are one and the same object (*tied*). A tied
array appears once in the flat tuple and comes back at all of its places.

Containers are those of optree: dict, OrderedDict, defaultdict, deque, list, tuple, namedtuple,
None, and classes registered with optree in its global namespace (a dataclass through
`optree.dataclasses`). Dicts are walked in the order of their sorted keys. A class that would be
walked is left whole after :func:`register_leaf`.
"""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import optree

from polylux.errors import OptionError, TreeError
from polylux.typing import PyTree

# Users register classes with `namespace="polylux"`, or with optree's global namespace "".
NAMESPACE = "polylux"

T = TypeVar("T")

_NOTHING: Any = object()
_PLAIN: dict[optree.PyTreeSpec, Structure] = {}
_PLAIN_SIZE = 512

IsArray = Callable[[Any], bool]

_LEAF_CLASSES: tuple[type, ...] = ()
_BUILT_IN = (dict, list, tuple, OrderedDict, defaultdict, deque, type(None))


def register_leaf(leaf_class: type[T]) -> type[T]:
    """Make every instance of a class a leaf of trees: it is handed on whole, and never entered.

    For a namedtuple, or a class that another library has registered with optree, which polylux
    should not look into. Any class that nobody has registered is a leaf from the start.

    Parameters
    ----------
    leaf_class : type
        Its subclasses, too; no built-in container.

    Returns
    -------
    type
        The class, so that this may be a decorator.

    Raises
    ------
    OptionError
        If it is no class, or a built-in container.

    References
    ----------
    `Functors.@leaf`, to which the Utilities page refers.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> @register_leaf
    ... class Interval(NamedTuple):
    ...     low: float
    ...     high: float
    >>> leaves({"bounds": Interval(0.0, 1.0)})[0]
    [Interval(low=0.0, high=1.0)]
    """
    global _LEAF_CLASSES
    if not isinstance(leaf_class, type) or leaf_class in _BUILT_IN:
        raise OptionError(
            f"register_leaf takes a class that is no built-in container, got {leaf_class!r}"
        )
    _LEAF_CLASSES = tuple({*_LEAF_CLASSES, leaf_class})
    return leaf_class


def leaves(tree: PyTree) -> tuple[list[Any], optree.PyTreeSpec]:
    """The leaves of a tree, and its containers."""
    return optree.tree_flatten(tree, _is_leaf if _LEAF_CLASSES else None, namespace=NAMESPACE)


def map_leaves(function: Callable[[Any], Any], tree: PyTree) -> PyTree:
    """The tree with the function's value in place of each leaf."""
    return optree.tree_map(
        function, tree, is_leaf=_is_leaf if _LEAF_CLASSES else None, namespace=NAMESPACE
    )


def path(tree: PyTree, place: int) -> str:
    """Where the leaf number `place` of a tree stands, as Python would spell it."""
    return optree.treespec_accessors(leaves(tree)[1])[place].codify("")


def _is_leaf(node: Any) -> bool:
    return isinstance(node, _LEAF_CLASSES)


class Structure:
    """What is left of a tree once its arrays are taken out; hashable, compared by value.

    Attributes
    ----------
    treedef : optree.PyTreeSpec
        The containers.
    slots : tuple of int
        For each leaf its place in the flat tuple of arrays, or -1 for a static.
    statics : tuple
        The leaves that are no arrays, in order.
    size : int
        Number of distinct arrays.
    unflatten : callable
        From the arrays, in the order that `flatten` gave, to a tree with these in it.
    """

    __slots__ = ("_empty", "_hash", "size", "slots", "statics", "treedef", "unflatten")

    def __init__(
        self, treedef: optree.PyTreeSpec, slots: tuple[int, ...], statics: tuple[Any, ...]
    ) -> None:
        self.treedef = treedef
        self.slots = slots
        self.statics = statics
        self.size = max(slots, default=-1) + 1
        # Most trees hold arrays only, each once: then the flat tuple goes to optree as it is.
        is_plain = slots == tuple(range(len(slots)))
        self.unflatten: Callable[[Sequence[Any]], PyTree] = (
            treedef.unflatten if is_plain else functools.partial(_fill, treedef, slots, statics)
        )
        self._hash: int | None = None
        self._empty: Any = None  # not looked at yet

    def is_of_empty(self, tree: PyTree) -> bool:
        """Whether both this and the tree are nothing but the same nested dicts.

        As the states of most models; to see that takes a quarter of the time of flattening.
        """
        if self.slots:
            return False
        if self._empty is None:
            empty = self.unflatten(())
            self._empty = empty if _are_equal_dicts(empty, empty) else ()
        return _are_equal_dicts(tree, self._empty)

    def paths(self) -> list[str]:
        """Where each array first occurs, as Python would spell it: `['layer_1']['weight']`."""
        accessors = optree.treespec_accessors(self.treedef)
        found: dict[int, str] = {}
        for accessor, slot in zip(accessors, self.slots, strict=True):
            if slot >= 0:
                found.setdefault(slot, accessor.codify(""))
        return [found[slot] for slot in range(self.size)]

    def every_path(self) -> list[tuple[str, ...]]:
        """Each array's paths, in order; a tied array has several."""
        accessors = optree.treespec_accessors(self.treedef)
        found: list[list[str]] = [[] for _ in range(self.size)]
        for accessor, slot in zip(accessors, self.slots, strict=True):
            if slot >= 0:
                found[slot].append(accessor.codify(""))
        return list(map(tuple, found))

    def static_paths(self) -> list[str]:
        """Where each static stands."""
        accessors = optree.treespec_accessors(self.treedef)
        return [a.codify("") for a, slot in zip(accessors, self.slots, strict=True) if slot < 0]

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the cached hash: those of strings and types differ from process to process.
        return Structure, (self.treedef, self.slots, self.statics)

    def __hash__(self) -> int:
        if self._hash is None:  # most structures are compared by identity and never hashed
            self._hash = hash((self.treedef, self.slots, tuple(map(type, self.statics))))
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Structure)
            and self.slots == other.slots
            and self.treedef == other.treedef
            and all(map(same_static, self.statics, other.statics))
        )

    def __repr__(self) -> str:
        return f"Structure({self.treedef}, {self.size} arrays, statics={self.statics!r})"


def _fill(
    treedef: optree.PyTreeSpec,
    slots: tuple[int, ...],
    statics: tuple[Any, ...],
    arrays: Sequence[Any],
) -> PyTree:
    """The tree with its arrays and statics in it."""
    rest = iter(statics)
    return treedef.unflatten([arrays[slot] if slot >= 0 else next(rest) for slot in slots])


def _are_equal_dicts(a: Any, b: Any) -> bool:
    """Whether two trees are the same nested dicts, without leaves."""
    if type(a) is not dict or type(b) is not dict or len(a) != len(b):
        return False
    for key, value in a.items():
        other = b.get(key)
        if type(value) is not dict or type(other) is not dict or len(value) != len(other):
            return False
        if value and not _are_equal_dicts(value, other):  # most layers' states are empty: no call
            return False
    return True


def flatten(tree: PyTree, is_array: IsArray) -> tuple[tuple[Any, ...], Structure]:
    """The arrays of a tree, each once, and its structure.

    Parameters
    ----------
    tree : tree
        Nested containers.
    is_array : callable
        Tells the leaves that are arrays from statics.

    Returns
    -------
    arrays : tuple
        In order of first occurrence.
    structure : Structure
    """
    found, treedef = leaves(tree)
    if all(map(is_array, found)) and len(set(map(id, found))) == len(found):
        return tuple(found), _plain_structure(treedef, len(found))
    arrays: list[Any] = []
    statics: list[Any] = []
    slots: list[int] = []
    places: dict[int, int] = {}
    for leaf in found:
        if is_array(leaf):
            place = places.get(id(leaf))
            if place is None:
                place = places[id(leaf)] = len(arrays)
                arrays.append(leaf)
            slots.append(place)
        else:
            slots.append(-1)
            statics.append(leaf)
    return tuple(arrays), Structure(treedef, tuple(slots), tuple(statics))


def _plain_structure(treedef: optree.PyTreeSpec, size: int) -> Structure:
    """The structure of a tree of distinct arrays; equal trees get the same object."""
    structure = _PLAIN.get(treedef)
    if structure is None:
        if len(_PLAIN) >= _PLAIN_SIZE:
            _PLAIN.clear()
        structure = _PLAIN[treedef] = Structure(treedef, tuple(range(size)), ())
    return structure


def flatten_like(
    tree: PyTree, structure: Structure, what: str, same: Callable[[Any, Any], bool]
) -> list[Any]:
    """The leaves of `tree` that stand where `structure` has arrays, each place once.

    A tied leaf stands for its total, which each of its places carries.

    Parameters
    ----------
    tree : tree
        Same containers as `structure`.
    structure : Structure
    what : str
        What the tree is, for the error message.
    same : callable
        Whether two different objects at the places of one tied leaf have equal values.

    Raises
    ------
    TreeError
        If the containers differ, naming the first place where they do; if the places of a tied
        leaf hold different values.
    """
    places, treedef = leaves(tree)
    if treedef != structure.treedef:
        raise TreeError(f"{what}: {first_difference(treedef, structure.treedef)}")
    found: list[Any] = [_NOTHING] * structure.size
    for leaf, slot in zip(places, structure.slots, strict=True):
        if slot < 0:
            continue
        if found[slot] is _NOTHING:
            found[slot] = leaf
        elif found[slot] is not leaf and not same(found[slot], leaf):
            raise TreeError(
                f"{what}: the tied leaf {structure.paths()[slot]} has different values at its "
                "places; each place carries the total (add the parts first)"
            )
    return found


def first_difference(got: optree.PyTreeSpec, expected: optree.PyTreeSpec) -> str:
    """A sentence on where two tree definitions differ first."""
    mine = {a.codify(""): None for a in optree.treespec_accessors(got)}
    theirs = {a.codify(""): None for a in optree.treespec_accessors(expected)}
    missing = [path for path in theirs if path not in mine]
    extra = [path for path in mine if path not in theirs]
    parts = []
    if missing:
        parts.append("no leaf at " + ", ".join(missing[:3]) + (", ..." if missing[3:] else ""))
    if extra:
        parts.append("unexpected " + ", ".join(p or "leaf" for p in extra[:3]))
    if not parts:
        parts.append(f"got containers {got}, expected {expected}")
    return "; ".join(parts)


def same_static(a: Any, b: Any) -> bool:
    """Whether two leaves that are no arrays may share one compiled trace."""
    if a is b:
        return True
    if type(a) is not type(b):  # 1, 1.0 and True are equal in Python and differ in a trace
        return False
    if isinstance(a, float | complex):
        return repr(a) == repr(b)  # tells -0.0 from 0.0, and finds nan equal to itself
    try:
        return bool(a == b)
    except Exception:  # noqa: BLE001  # a user's __eq__ may do anything; unequal is always safe
        return False
