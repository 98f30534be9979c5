"""Trees at the edges of an operator: what a function is given and returns, as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polylux import arrays, tree
from polylux.backend import Backend
from polylux.dtypes import dtype_kind
from polylux.errors import ArrayMixError, DTypeError, ObjectiveError, ShapeError, TreeError
from polylux.flat import Layout, lay_out
from polylux.running import require_real_scalar
from polylux.selectors import ADType
from polylux.tree import Structure, first_difference
from polylux.typing import PyTree

Arrays = tuple[Any, ...]


def lay_out_point(x: PyTree) -> tuple[Arrays, Layout]:
    """The arrays of a point and its layout; a Python float stands for a 0-d float64 array.

    Raises
    ------
    NothingTrainableError
        If there is nothing to differentiate by.
    """
    found, layout = lay_out(x, "x")
    if any(type(static) is float for static in layout.structure.statics):
        found, layout = lay_out(_with_arrays(x, (float,)), "x")
    layout.require_trainable("the points x")
    return found, layout


def numbers_as_arrays(direction: PyTree) -> PyTree:
    """Python numbers of a direction become 0-d float64 arrays; they are cast later."""
    return direction if arrays.is_array(direction) else _with_arrays(direction, (int, float))


def _with_arrays(values: PyTree, types: tuple[type, ...]) -> PyTree:
    return tree.map_leaves(
        lambda leaf: np.asarray(float(leaf)) if type(leaf) in types else leaf, values
    )


def flatten_untied(values: PyTree) -> tuple[list[Any], Structure]:
    """The arrays of a tree, each as often as it occurs, and the structure."""
    leaves, treedef = tree.leaves(values)
    found: list[Any] = []
    statics: list[Any] = []
    slots: list[int] = []
    for leaf in leaves:
        if arrays.is_array(leaf):
            slots.append(len(found))
            found.append(leaf)
        else:
            slots.append(-1)
            statics.append(leaf)
    return found, Structure(treedef, tuple(slots), tuple(statics))


class Returned:
    """What a function returned in its latest run, taken apart.

    Attributes
    ----------
    outputs : Layout
        Of the output: its real floating arrays are differentiated, the others are not.
    aux : Structure
        Of the auxiliary output.
    """

    outputs: Layout
    aux: Structure

    def __init__(self, backend: Backend, selector: ADType, has_aux: bool, is_scalar: bool) -> None:
        self._backend = backend
        self._selector = selector
        self._has_aux = has_aux
        self._is_scalar = is_scalar
        self._accepted = arrays.owners_accepted_by(backend)

    def take(self, result: Any) -> tuple[Arrays, Arrays]:
        """Outputs to be differentiated, and all other arrays."""
        aux: Any = ()
        if self._has_aux:
            if type(result) is not tuple or len(result) != 2:
                raise ObjectiveError(
                    "with has_aux=True a function returns two values, (output, aux), and it "
                    f"returned {_described(result)}"
                )
            result, aux = result
        if self._is_scalar:
            require_real_scalar(result, self._backend, self._selector, "the value of f")
        if not self._has_aux and (self._is_scalar or self._is_plain(result)):
            self.outputs, self.aux = _ONE_ARRAY, NO_STRUCTURE
            return (result,), ()
        found, structure = flatten_untied(result)
        self._check(found, structure)
        kinds = [dtype_kind(array) for array in found]
        floating = tuple(i for i, kind in enumerate(kinds) if kind == "real floating")
        others = tuple(i for i, kind in enumerate(kinds) if kind != "real floating")
        self.outputs = Layout(structure, floating, others)
        aux_arrays, self.aux = tree.flatten(aux, self._is_own)
        outputs, rest = self.outputs.split(found)
        return outputs, (*rest, *aux_arrays)

    def _is_plain(self, result: Any) -> bool:
        """Whether it is one array to be differentiated, as most results are."""
        return (
            arrays.owner_of(type(result)) in self._accepted
            and dtype_kind(result) == "real floating"
        )

    def _check(self, found: Sequence[Any], structure: Structure) -> None:
        if not found:
            raise ObjectiveError(
                "a function to be differentiated returns an array or a tree of arrays, and it "
                f"returned {structure.statics!r}; do not convert its value to a Python number"
            )
        for place, array in enumerate(found):
            if arrays.owner_of(type(array)) not in self._accepted:
                raise ArrayMixError(
                    f"under {self._selector!r} f returned "
                    f"{_described(array)}{_at(structure, place)}, which is no array of "
                    f"{self._backend.name!r}; use xp = array_namespace(x) in the function, and "
                    "xp.asarray(constant) for constants"
                )
            if dtype_kind(array) == "complex floating":
                raise DTypeError(
                    f"f returned a complex array ({array.dtype}){_at(structure, place)}; return "
                    "its real and its imaginary part as two arrays"
                )

    def _is_own(self, leaf: Any) -> bool:
        # A foreign array in the auxiliary output is a constant of the function.
        return arrays.owner_of(type(leaf)) in self._accepted and arrays.is_array(leaf)


class Cotangent:
    """A cotangent as the user gave it, and its place beside the output.

    Parameters
    ----------
    structure : Structure
        Of the tree of cotangents.
    several : bool
        Whether its arrays have a leading axis of directions.
    """

    def __init__(self, structure: Structure, several: bool) -> None:
        self._structure = structure
        self._several = several

    def beside(self, returned: Returned, given: Arrays, outputs: Arrays, xp: Any) -> Arrays:
        """Those of the outputs, of their dtypes.

        Raises
        ------
        TreeError, ShapeError
            If the tree or a shape is not that of the output.
        """
        expected = returned.outputs.structure
        mine = self._structure
        if mine.treedef != expected.treedef:
            raise TreeError(
                "the cotangent is a tree like the output of f: "
                + first_difference(mine.treedef, expected.treedef)
            )
        by_output = dict(zip(expected.slots, mine.slots, strict=True))
        found = []
        for output, place in zip(outputs, returned.outputs.trainable, strict=True):
            slot = by_output[place]
            if slot < 0:
                raise TreeError(
                    f"the cotangent has no array{_at(expected, place)}, and the output of f has "
                    f"one of shape {tuple(output.shape)} there"
                )
            cotangent = given[slot]
            require_shape(cotangent, output, self._several, f"cotangent{_at(expected, place)}")
            found.append(cast(cotangent, output, xp))
        require_one_length(found, self._several)
        return tuple(found)


def require_shape(direction: Any, array: Any, several: bool, what: str) -> None:
    """Raise `ShapeError` unless a direction has the shape of its array, after a leading axis."""
    shape = tuple(direction.shape)
    if (shape[1:] if several else shape) == tuple(array.shape) and len(shape) >= several:
        return
    wanted = ", ".join(map(str, (*(["k"] if several else []), *array.shape)))
    mend = "" if several else "; for several at once say batched=True"
    raise ShapeError(f"the {what} has shape {shape}, and it has to be ({wanted}){mend}")


def require_one_length(directions: Sequence[Any], several: bool) -> None:
    """Raise `ShapeError` unless all leading axes have one length, above zero."""
    lengths = sorted({direction.shape[0] for direction in directions}) if several else [1]
    if not lengths:
        raise ShapeError(
            "with batched=True there is a cotangent of some array at least, and f returned no "
            "floating-point array; leave batched out"
        )
    if len(lengths) > 1 or 0 in lengths:
        raise ShapeError(
            "with batched=True each array of the direction has a leading axis of one length, at "
            f"least 1; got lengths {', '.join(map(str, lengths))}"
        )


def cast(direction: Any, array: Any, xp: Any) -> Any:
    """The direction in the dtype of its array."""
    return direction if direction.dtype == array.dtype else xp.astype(direction, array.dtype)


def _at(structure: Structure, place: int) -> str:
    path = structure.paths()[place]
    return f" at {path}" if path else ""


def _described(value: Any) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"a {type(value).__module__}.{type(value).__qualname__}"


_ONE_ARRAY = Layout(tree.flatten(object(), lambda _: True)[1], (0,), ())
NO_STRUCTURE = tree.flatten((), arrays.is_array)[1]
"""Of no tree at all."""
