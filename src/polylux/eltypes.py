"""match_eltype: what happens to a layer's inputs that are of a wider dtype than the layer."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from polylux import tree
from polylux.arrays import is_array
from polylux.dtypes import dtype_kind, dtype_name
from polylux.errors import EltypeMismatchError, EltypeMismatchWarning, warn
from polylux.precision import cast
from polylux.preferences import ELTYPE_MISMATCH_HANDLING
from polylux.recursive import arrays_eltype
from polylux.typing import PyTree

_WIDER = {
    # Inputs that promotion would compute in another dtype than the layer's. The integers of any
    # width and booleans count too, whatever the floating dtype.
    "float64": (),
    "float32": ("float64",),
    "float16": ("float64", "float32", "bfloat16"),
    "bfloat16": ("float64", "float32", "float16"),
}
_SHORT = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16"}

_SAID: OrderedDict[Any, None] = OrderedDict()
_SAID_SIZE = 512
"""Warnings remembered, of a process that makes layers without end."""


def match_eltype(layer: Any, ps: PyTree, st: PyTree, x: PyTree, /, *args: PyTree) -> Any:
    """A layer's inputs, with those of a wider dtype than the layer treated as the user prefers.

    The preference `eltype_mismatch_handling` decides: `"none"` (the default) hands the inputs on;
    `"warn"` warns, once for each layer and pair of dtypes; `"convert"` warns in the same way and
    casts the input to the layer's dtype (its gradient comes back in the input's own); `"error"`
    raises. See `set_preferences`.

    The layer's dtype is that of the arrays of `ps` and `st`, by `recursive_eltype`. The pairs are:

    ========  ==============================================
    layer     input
    ========  ==============================================
    float64   integer, boolean
    float32   integer, boolean, float64
    float16   integer, boolean, float64, float32, bfloat16
    bfloat16  integer, boolean, float64, float32, float16
    ========  ==============================================

    For authors of layers: call it first thing with every input that meets the parameters in
    arithmetic, and go on with what it returns; not with indices, labels, masks and random keys.
    With the preference at `"none"` it costs as much as a call of an empty function or two. Where
    the layer compares the dtypes of its input and its weight anyhow, it need only call where
    these differ, as `Dense` does. Under jit it is asked while the layer is traced, and a change of
    the preference traces anew.

    Parameters
    ----------
    layer : Layer
        Named in the message.
    ps, st : trees
        The layer's own parameters and states.
    x, *args : trees
        The inputs. Only arrays are looked at.

    Returns
    -------
    x, or the tuple (x, *args)

    Raises
    ------
    EltypeMismatchError
        If the preference is `"error"` and an input is wider.

    References
    ----------
    `match_eltype` of the Utilities page, with bfloat16.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from polylux import override_preferences
    >>> ps = {"weight": np.ones(2, np.float32)}
    >>> match_eltype("a layer", ps, {}, np.ones(2)).dtype
    dtype('float64')
    >>> with override_preferences(eltype_mismatch_handling="convert"), warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     match_eltype("a layer", ps, {}, np.ones(2)).dtype
    dtype('float32')
    """
    handling = ELTYPE_MISMATCH_HANDLING.get()
    if handling == "none":
        return (x, *args) if args else x
    matched = _matched(layer, arrays_eltype((ps, st)), (x, *args), handling)
    return matched if args else matched[0]


def _matched(layer: Any, eltype: str, inputs: tuple[Any, ...], handling: str) -> Any:
    wider = _WIDER.get(eltype)
    if wider is None:
        return inputs
    found, structure = tree.flatten(inputs, is_array)
    names = [dtype_name(array.dtype) for array in found]
    wrong = [
        place
        for place, (array, name) in enumerate(zip(found, names, strict=True))
        if name in wider or dtype_kind(array) in ("integral", "bool")
    ]
    for place in wrong:
        where = "input" if len(found) == 1 else f"inputs{structure.paths()[place]}"
        name = names[place]
        mend = (
            f"convert one, with {_SHORT[eltype]}(x) or {_SHORT[name]}(ps)"
            if name in _SHORT
            else f"cast it first, with xp.astype(x, xp.{eltype})"
        )
        done = (
            f"it is cast at each call, so {mend}"
            if handling == "convert"
            else f"{mend}, or set the preference eltype_mismatch_handling to 'convert'"
        )
        message = f"{_named(layer)} is of {eltype}, and its {where} is of {name}; {done}"
        if handling == "error":
            raise EltypeMismatchError(message)
        _warn_once(layer, (eltype, name), message)
    if handling != "convert" or not wrong:
        return inputs
    cast_ones = [cast(a, eltype) if i in wrong else a for i, a in enumerate(found)]
    return structure.unflatten(cast_ones)


def _warn_once(layer: Any, pair: tuple[str, str], message: str) -> None:
    try:
        hash(layer)
    except TypeError:
        layer = type(layer)
    key = (layer, pair)
    if key in _SAID:
        return
    _SAID[key] = None
    if len(_SAID) > _SAID_SIZE:
        _SAID.popitem(last=False)
    warn(message, EltypeMismatchWarning)


def _named(layer: Any) -> str:
    text = layer if isinstance(layer, str) else repr(layer)
    return text if len(text) <= 80 else f"{text[:77]}..."
