"""What array functions of one or two operands ask of them: real arrays of one floating dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from polylux.arrays import array_namespace, common_owner, is_array, precision_scope
from polylux.dtypes import kind_of
from polylux.errors import ArrayMixError, DTypeError

_FLOAT64 = np.zeros(())
_REAL = ("float", "low", "integer", "bool")


def operand(name: str, x: Any) -> Any:
    """`x`, which must be an array of real numbers; `name` is the function that asks.

    Raises
    ------
    ArrayMixError
        If it is no array.
    DTypeError
        If it is complex.
    """
    if not is_array(x):
        raise ArrayMixError(
            f"{name} needs an array, got {x!r}; make one first, for example with np.asarray"
        )
    if kind_of(x) not in _REAL:
        raise DTypeError(f"{name} needs real numbers, got {x.dtype}")
    return x


def operands(name: str, x1: Any, x2: Any, *, floating: bool = False) -> tuple[Any, Any]:
    """Both operands; an integer or boolean array with a floating partner takes its dtype.

    With `floating`, integers without such a partner become float64, as a number does.

    Raises
    ------
    ArrayMixError
        If neither is an array, or they belong to different libraries.
    DTypeError
        If one is complex.
    """
    if type(x1) is type(x2) and is_array(x1) and x1.dtype == x2.dtype and kind_of(x1) == "float":
        return x1, x2
    common_owner((x1, x2), name)
    given = [operand(name, x) for x in (x1, x2) if is_array(x)]
    float_dtypes = [x.dtype for x in given if kind_of(x) in ("float", "low")]
    if not float_dtypes and not floating:
        return x1, x2
    xp = array_namespace(*given)
    dtype = float_dtypes[0] if float_dtypes else xp.float64

    def fitting(x: Any) -> Any:
        if is_array(x) and kind_of(x) in ("integer", "bool"):
            return xp.astype(x, dtype)
        return x

    # A float64 host array goes along, for integers that become float64.
    with precision_scope(*given, *([] if float_dtypes else [_FLOAT64])):
        return fitting(x1), fitting(x2)
