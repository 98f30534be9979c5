"""Scenario: a function, points and the true derivatives there, as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import array_api_compat.numpy
import numpy as np

from polylux.backend import Capability

Host = np.ndarray[Any, Any]
Leaves: TypeAlias = Mapping[str, Any]

Function: TypeAlias = Callable[[Any, Leaves, Leaves], Any]
"""`function(xp, x, data) -> 0-d array`, in array-API code."""

STEP = np.longdouble("1e-300") if np.finfo(np.longdouble).minexp < -2000 else np.longdouble("1e-30")
"""Of the complex step: its square must vanish beside 1, and itself must not underflow."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scenario:
    """A scalar function of named leaves, and where it is differentiated.

    Attributes
    ----------
    name : str
    kind : str
        `"smooth"`, `"shapes"`, `"hard"` or `"edges"`.
    function : callable
        `function(xp, x, data) -> 0-d array`, in the standard's names.
    points : mapping
        By name, the leaves: host arrays. Float64 ones are cast to the dtype under test.
    data : mapping
        Host arrays that are not differentiated; float64 ones are cast too.
    gradient : callable or None
        `gradient(x, data)`: the true gradient by name, in closed form, for leaves in extended
        precision. By default it is found by complex steps.
    condition : float
        See `allowed_ulps`.
    by_entry : bool
        Whether each entry of the gradient is right to rounding of that entry, as where leaves are
        worked on entry by entry.
    follows_differences : bool
        Whether a central difference with the default step finds the derivative.
    only : tuple of str
        The dtypes whose range the points fit.
    keeps_dtypes : bool
        Whether the leaves keep their own dtypes instead of being cast.
    is_carrier : bool
        Whether the modifiers run it.
    only_moves : bool
        Whether it is about where entries go, which is the same in every dtype: one tells all.
    needs : frozenset of Capability
    """

    name: str
    kind: str
    function: Function
    points: Mapping[str, Mapping[str, Host]]
    data: Mapping[str, Host] = dataclasses.field(default_factory=dict)
    gradient: Callable[[Leaves, Leaves], Mapping[str, Any]] | None = None
    condition: float = 1.0
    by_entry: bool = False
    follows_differences: bool = True
    only: tuple[str, ...] = ("float64", "float32")
    keeps_dtypes: bool = False
    is_carrier: bool = False
    only_moves: bool = False
    needs: frozenset[Capability] = frozenset({Capability.GRADIENT})

    def at(self, point: str, dtype: str) -> tuple[dict[str, Host], dict[str, Host]]:
        """Leaves and data of a point, cast to a dtype."""
        cast = (lambda a: a) if self.keeps_dtypes else (lambda a: cast_float(a, dtype))
        found: dict[int, Host] = {}  # a leaf that stands at two names stays one array
        leaves = {n: found.setdefault(id(a), cast(a)) for n, a in self.points[point].items()}
        return leaves, {n: cast(a) for n, a in self.data.items()}

    def truth(self, leaves: Leaves, data: Leaves) -> tuple[Any, dict[str, Any]]:
        """Value and gradient at leaves of any dtype, in extended precision."""
        x, d = _extended(leaves), _extended(data)
        value = self.function(array_api_compat.numpy, x, d)
        if self.gradient is not None:
            return value, dict(self.gradient(x, d))
        return value, {
            name: self._complex_step(x, d, name) if x[name].dtype.kind == "f" else x[name] * 0
            for name in x
        }

    def _complex_step(self, x: Leaves, d: Leaves, name: str) -> Any:
        """Derivative by each entry of a leaf: `imag f(x + i h) / h`, without cancellation."""
        # The same array at another name is the same parameter, and moves with this one.
        together = [other for other in x if x[other] is x[name]]
        result = np.zeros(x[name].shape, np.longdouble)
        for place in np.ndindex(*x[name].shape):
            moved = x[name].astype(np.clongdouble)
            moved[place] += 1j * STEP
            leaves = {**x, **dict.fromkeys(together, moved)}
            result[place] = np.imag(self.function(array_api_compat.numpy, leaves, d)) / STEP
        return result


def cast_float(array: Host, dtype: str) -> Host:
    """A float64 array as one of a dtype; others as they are."""
    array = np.asarray(array)
    return array.astype(dtype) if array.dtype == np.float64 else array


def _extended(leaves: Leaves) -> dict[str, Any]:
    found: dict[int, Any] = {}
    return {
        name: found.setdefault(
            id(a), a.astype(np.longdouble) if a.dtype.kind not in "biu" else a
        )
        for name, a in leaves.items()
    }
