"""recursive_eltype: the dtype to which the numbers of a tree promote."""

from __future__ import annotations

from typing import Any

from polylux import arrays, tree
from polylux.arrays import is_array, owner_of
from polylux.dtypes import dtype_kind, dtype_name, promoted, with_number
from polylux.errors import ArrayMixError, DTypeError
from polylux.recursive._leaves import NUMBERS
from polylux.typing import PyTree


def recursive_eltype(x: PyTree, /) -> Any:
    """The dtype to which all the numbers of a tree promote, by one rule for every library.

    A floating dtype wins over every integer (float32 with int64 is float32), complex over real;
    among floats the wider one wins, and float16 with bfloat16 is float32. Python numbers are
    weak: beside arrays of their kind, or of a higher one, they count for nothing.

    Parameters
    ----------
    x : tree
        Strings, functions and other leaves that are no numbers count for nothing.

    Returns
    -------
    dtype
        Of the arrays' library, where numpy arrays beside another's count as that one's; a numpy
        dtype if there are no others. Boolean for a tree without numbers.

    Raises
    ------
    DTypeError
        For a dtype outside of this rule, such as float8; the message names the leaf.
    ArrayMixError
        If the arrays belong to two libraries besides numpy.

    References
    ----------
    `recursive_eltype` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> recursive_eltype({"w": np.ones(2, np.float32), "n": np.asarray([3]), "rate": 0.5})
    dtype('float32')
    """
    name = eltype_name(x)
    present, _ = tree.flatten(x, is_array)
    owners = {owner_of(kind) for kind in set(map(type, present))}
    if len(owners) > 1:
        owners.discard("host")
    if len(owners) > 1:
        raise ArrayMixError(
            "recursive_eltype got arrays of different libraries: "
            + " and ".join(sorted(map(str, owners)))
        )
    owner = next(iter(owners), "host")
    own = next((a for a in present if owner_of(type(a)) == owner), None)
    return arrays.dtype_named(name, own)


def eltype_name(x: PyTree) -> str:
    """The name of what `recursive_eltype` gives."""
    name = arrays_eltype(x)
    for leaf in tree.leaves(x)[0]:
        if type(leaf) in NUMBERS:
            name = with_number(name, type(leaf))
    return name


def arrays_eltype(x: PyTree) -> str:
    """The same of the arrays alone, whatever Python numbers there are."""
    # Of many leaves few have a dtype of their own, and to name one takes a microsecond.
    first: dict[Any, tuple[int, Any]] = {}
    for place, leaf in enumerate(tree.leaves(x)[0]):
        if is_array(leaf):
            first.setdefault((type(leaf), leaf.dtype), (place, leaf))
    name = "bool"
    for place, leaf in first.values():
        if dtype_kind(leaf) == "other":  # a JAX random key
            continue
        try:
            name = promoted(name, dtype_name(leaf.dtype))
        except KeyError:
            raise DTypeError(
                f"{dtype_name(leaf.dtype)}, the dtype of the leaf "
                f"{tree.path(x, place) or 'itself'}, has no rule of promotion; cast it first, "
                "to float32 for instance"
            ) from None
    return name
