"""A prepared operator for arrays of exactly the kinds that it was compiled for."""

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


def exactly(call: Call, pattern: Pattern, args: tuple[Any, ...]) -> Callable[..., Any] | None:
    """The call compiled for arguments like its own; None where the backend does not do so.

    The framework itself compiles it, and compares its arguments. Everything around the arrays,
    trees of the results included, happens now: what is left of Python takes less time than one
    compiled layer. The function raises a TypeError or ValueError for arguments of another kind.
    """
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
        backend, backend.precision_scope(leaves), backend.compile, function, leaves, call.selector
    )
    if compiled is None:
        return None
    return _compared(compiled, list(map(type, leaves)), pattern, structures[-1])


def _compared(
    compiled: Callable[..., Any], types: list[type], pattern: Pattern, structure: Structure
) -> Callable[..., Any]:
    # Most results are one array, or a few side by side, which need no unflattening.
    count = structure.size
    is_alone = count == 1 and structure.treedef.is_leaf()
    is_flat = structure == tree.flatten(tuple(range(count)), lambda _: True)[1]
    treedef, can_tie = pattern.treedef, pattern.can_tie

    # A closure, whose variables are at hand: in a loop over large arrays each look-up is a wait.
    def prepared(*args: Any) -> Any:
        if treedef is not None:
            leaves, found_treedef = tree.leaves(args)
            if found_treedef != treedef:
                raise TypeError(_OTHER)
            args = tuple(leaves)
        if [*map(type, args)] != types or (
            can_tie and len({*map(id, args)}) < len(args) and pattern.has_ties(args)
        ):
            raise TypeError(_OTHER)
        found = compiled(*args)
        if is_alone:
            return found[0]
        return found if is_flat else structure.unflatten(found)

    return prepared


_OTHER = "arguments of another kind"
