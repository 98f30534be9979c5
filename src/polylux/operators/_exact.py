"""Exact: a prepared operator for arrays of exactly the kinds that it was compiled for."""

from __future__ import annotations

import operator as op
from collections.abc import Callable
from typing import Any

from polylux import arrays, tree
from polylux.backend import Backend
from polylux.operators._call import Call
from polylux.operators._recall import Pattern
from polylux.running import run
from polylux.tree import Structure


class Exact:
    """A prepared operator that the framework itself compiled, and whose arguments it compares.

    Everything around the arrays, trees of the results included, happened while it was compiled.
    What is left of Python takes less time than one compiled layer.
    """

    __slots__ = ("_function", "_is_alone", "_pattern", "_structure", "_types")

    def __init__(
        self, function: Callable[..., Any], types: list[type], pattern: Pattern,
        structure: Structure,
    ) -> None:  # fmt: skip
        self._function = function
        self._types = types
        self._pattern = pattern
        # Most results are one array, or a few side by side, which need no unflattening.
        count = structure.size
        side_by_side = tree.flatten(tuple(range(count)), lambda _: True)[1]
        self._is_alone = count == 1 and structure.treedef.is_leaf()
        self._structure = None if structure == side_by_side else structure

    @classmethod
    def of(cls, call: Call, pattern: Pattern, args: tuple[Any, ...]) -> Exact | None:
        """The call compiled for arguments like its own; None where the backend does not do so."""
        backend: Backend = call.backend
        leaves, _ = tree.leaves(args)
        moved = backend.to_device(leaves, call.selector)
        if not all(map(op.is_, leaves, moved)):
            return None
        structures: list[Structure] = []

        def function(*given: Any) -> tuple[Any, ...]:
            results = call.results(call.function(), pattern.split(given))
            found, structure = tree.flatten(
                results[0] if len(results) == 1 else results, arrays.is_array
            )
            structures.append(structure)
            return tuple(found)

        compiled = run(
            backend, backend.precision_scope(leaves), backend.compile, function, leaves,
            call.selector,
        )  # fmt: skip
        if compiled is None:
            return None
        return cls(compiled, list(map(type, leaves)), pattern, structures[-1])

    def __call__(self, args: tuple[Any, ...]) -> Any:
        """The results; a TypeError or ValueError if these arguments are of another kind."""
        if self._pattern.treedef is not None:
            leaves, treedef = tree.leaves(args)
            if treedef != self._pattern.treedef:
                raise TypeError(_OTHER)
            args = tuple(leaves)
        if list(map(type, args)) != self._types or (
            len(set(map(id, args))) < len(args) and self._pattern.has_ties(args)
        ):
            raise TypeError(_OTHER)
        found = self._function(*args)
        if self._is_alone:
            return found[0]
        return found if self._structure is None else self._structure.unflatten(found)


_OTHER = "arguments of another kind"
