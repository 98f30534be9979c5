"""A tree of parameters as trainable arrays, fixed arrays and a layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polylux import tree
from polylux.arrays import is_array
from polylux.dtypes import dtype_kind
from polylux.errors import DTypeError, NothingTrainableError
from polylux.tree import Structure
from polylux.typing import PyTree


class Layout:
    """Where the trainable and the fixed arrays of a tree stand; compared by value.

    Attributes
    ----------
    structure : Structure
        Of the whole tree.
    trainable : tuple of int
        Places of the real floating arrays among the tree's arrays.
    fixed : tuple of int
        Places of all others (integer and boolean arrays), which pass through untouched.
    """

    __slots__ = ("_gradient_structure", "fixed", "structure", "trainable")

    def __init__(
        self, structure: Structure, trainable: tuple[int, ...], fixed: tuple[int, ...]
    ) -> None:
        self.structure = structure
        self.trainable = trainable
        self.fixed = fixed
        self._gradient_structure = Structure(
            structure.treedef, structure.slots, tuple(map(_zero_of, structure.statics))
        )

    def unflatten(self, trainable: Sequence[Any], fixed: Sequence[Any]) -> PyTree:
        """The tree with these arrays in it."""
        return self.structure.unflatten(self._merge(trainable, fixed))

    def gradient_tree(self, gradients: Sequence[Any], zeros: Sequence[Any] = ()) -> PyTree:
        """The tree of gradients; `zeros` are those of the fixed arrays."""
        return self._gradient_structure.unflatten(self._merge(gradients, zeros))

    def split(self, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """All arrays of the tree as (trainable, fixed)."""
        if not self.fixed:
            return tuple(arrays), ()
        return tuple(arrays[i] for i in self.trainable), tuple(arrays[i] for i in self.fixed)

    def paths(self) -> list[str]:
        """Where each trainable array stands."""
        paths = self.structure.paths()
        return [paths[i] for i in self.trainable]

    def require_trainable(self, what: str) -> None:
        """Raise `NothingTrainableError` if there is nothing to differentiate by."""
        if not self.trainable:
            raise NothingTrainableError(
                f"{what} have no trainable leaf: a gradient needs at least one array of a real "
                f"floating dtype, and the tree is {self.structure.treedef}"
            )

    def _merge(self, trainable: Sequence[Any], fixed: Sequence[Any]) -> Sequence[Any]:
        if not self.fixed:
            return trainable
        merged: list[Any] = [None] * self.structure.size
        for place, array in zip(self.trainable, trainable, strict=True):
            merged[place] = array
        for place, array in zip(self.fixed, fixed, strict=True):
            merged[place] = array
        return merged

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Layout)
            and self.trainable == other.trainable
            and self.structure == other.structure
        )

    def __hash__(self) -> int:
        return hash((self.structure, self.trainable))


# Of trees of arrays only: an operator lays out its point anew at each call.
_LAYOUTS: dict[tuple[Structure, tuple[int, ...]], Layout] = {}
_LAYOUTS_KEPT = 512


def lay_out(values: PyTree, what: str) -> tuple[tuple[Any, ...], Layout]:
    """The distinct arrays of a tree, and which of them are trainable.

    Raises
    ------
    DTypeError
        If an array is complex.
    """
    arrays, structure = tree.flatten(values, is_array)
    kinds = [dtype_kind(array) for array in arrays]
    if "complex floating" in kinds:
        place = kinds.index("complex floating")
        raise DTypeError(
            f"{what}{structure.paths()[place]} is complex ({arrays[place].dtype}), and parameters "
            "must be real: hold the real and the imaginary part as two leaves"
        )
    trainable = tuple(i for i, kind in enumerate(kinds) if kind == "real floating")
    fixed = tuple(i for i, kind in enumerate(kinds) if kind != "real floating")
    if structure.statics:
        return arrays, Layout(structure, trainable, fixed)
    key = (structure, trainable)
    layout = _LAYOUTS.get(key)
    if layout is None:
        if len(_LAYOUTS) >= _LAYOUTS_KEPT:
            _LAYOUTS.clear()
        layout = _LAYOUTS[key] = Layout(structure, trainable, fixed)
    return arrays, layout


def _zero_of(static: Any) -> Any:
    """What stands in a gradient tree for a leaf that is no array."""
    return type(static)(0) if isinstance(static, int | float | complex) else static
