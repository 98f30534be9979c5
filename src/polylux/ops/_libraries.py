"""A check that the arrays of a call belong to one library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.arrays import common_owner

_SETTINGS = frozenset({type(None), bool, int, float, tuple})


def one_library(caller: str) -> Callable[..., None]:
    """A function that raises `ArrayMixError`, naming the caller, for arrays of two libraries.

    Settings among its arguments are passed over. Arrays of one type cost a few comparisons.
    """

    def check(x: Any, /, *others: Any) -> None:
        array_type = type(x)
        for other in others:
            if type(other) is not array_type and type(other) not in _SETTINGS:
                arrays = [other for other in others if type(other) not in _SETTINGS]
                common_owner((x, *arrays), caller)
                return

    return check
