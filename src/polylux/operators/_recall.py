"""Recall: all of a call of an operator but its arrays, kept from one call to the next."""

from __future__ import annotations

import operator as op
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polylux import registry, tree
from polylux.cache import OPERATORS, Cache, Entry
from polylux.operators._call import Call, Groups
from polylux.selectors import ADType
from polylux.typing import PyTree

if TYPE_CHECKING:
    from polylux.operators._operator import Operator


def results(
    operator: Operator,
    count: int,
    f: Callable[..., Any],
    selector: ADType,
    x: PyTree,
    rest: tuple[Any, ...],
    has_aux: bool,
    batched: bool,
) -> tuple[Any, ...]:
    """The last `count` results of an operator, and the auxiliary output if there is one."""
    name = operator.name
    known = OPERATORS.recall((name, count, id(f))) or OPERATORS.recall(
        (name, count, type(selector), type(x), len(rest))
    )
    if known is not None:
        groups = known.groups(f, selector, x, rest, has_aux, batched)
        if groups is not None:
            found: tuple[Any, ...] = known.results(f, groups)
            return found
    call = Call(operator, count, f, selector, x, rest, has_aux, batched)
    staged = call.staged()
    found = call.results(call.function() if staged is None else staged[1].staged)
    if staged is None and call.backend.is_tracing():
        return found
    pattern = Pattern.of(call, (x, *rest), shapes=operator.compares_shapes)
    if pattern is not None and pattern.was_own:
        # A function that is not staged leaves nothing behind, and is not kept alive either.
        key = (id(f),) if staged is not None else (type(selector), type(x), len(rest))
        OPERATORS.remember((name, count, *key), Known(call, pattern, staged))
    return found


class Known:
    """A call made ready, which the next one may be with other arrays.

    Finding it, by identity, is what a call costs beside its arrays: nothing is laid out, resolved
    or compared by value that cannot have changed. A call that it does not fit (a Python number
    among the arguments, an array of another library or kind, an integer array in the point)
    takes the long way, through `Call`.

    Parameters
    ----------
    call : Call
    pattern : Pattern
        Of its arguments.
    staged : (Cache, Entry) or None
        Where its function is staged.
    """

    __slots__ = ("_call", "_generation", "_pattern", "_short", "_staged")

    def __init__(self, call: Call, pattern: Pattern, staged: tuple[Cache, Entry] | None) -> None:
        self._call = call.with_arrays((), (), ())
        self._pattern = pattern
        self._generation = registry.generation()
        self._staged = staged
        self._short = None
        if staged is None:
            self._call.f = _no_function
            if pattern.is_flat and call.is_of_one_array and not (call.has_aux or call.batched):
                self._short = call.operator.short

    def groups(
        self,
        f: Callable[..., Any],
        selector: ADType,
        x: PyTree,
        rest: tuple[Any, ...],
        has_aux: bool,
        batched: bool,
    ) -> Groups | None:
        """The arrays of a call with these arguments; None if it is not this call with others."""
        call, staged = self._call, self._staged
        if (
            not (selector is call.given_selector or selector == call.given_selector)
            or has_aux is not call.has_aux
            or batched is not call.batched
            or self._generation != registry.generation()
        ):
            return None
        if staged is None:
            if not callable(f):
                return None
        elif f is not call.f or call.backend.is_tracing() or not staged[1].is_valid():
            return None
        return self._pattern.groups(x, rest)

    def results(self, f: Callable[..., Any], groups: Groups) -> tuple[Any, ...]:
        """What a call of `f` with these arrays gives."""
        call = self._call
        if self._short is not None:
            return call.short_results(self._short, f, groups)
        if self._staged is not None:
            cache, entry = self._staged
            cache.misses = 0
            return call.results(entry.staged, groups)
        return call.results(call.function(f), groups)


class Pattern:
    """What arguments look like that are the backend's own arrays, each once, and nothing else.

    Looking at each argument by itself, and at where it could be, takes longer than many a compiled
    function runs.

    Attributes
    ----------
    treedef : optree.PyTreeSpec or None
        Of the arguments; None where each is an array itself.
    was_own : bool
        Whether the arguments were the backend's own arrays before they were moved.
    """

    __slots__ = ("_alone", "_backend", "_cuts", "_kinds", "_selector", "treedef", "was_own")

    def __init__(
        self, call: Call, treedef: Any, cuts: tuple[int, int], kinds: list[Any], was_own: bool
    ) -> None:
        self._backend = call.backend
        self._selector = call.selector
        self.treedef = treedef
        self._cuts = cuts
        self._kinds = kinds
        self._alone = kinds[0] if treedef is None and len(kinds) == 1 else None
        self.was_own = was_own

    @classmethod
    def of(
        cls, call: Call, args: tuple[Any, ...], *, shapes: bool, devices: bool = False
    ) -> Pattern | None:
        """That of the arguments of a call; None if they are no such arrays.

        With `shapes`, and with `devices`, arrays of others do not look the same.
        """
        leaves, treedef = tree.leaves(args)
        is_flat = len(leaves) == len(args) and all(map(op.is_, leaves, args))
        points, directions = len(call.layout.structure.slots), len(call.directions)
        in_order = [
            *call.layout.split(range(points))[0], *range(points, points + directions),
            *range(points + directions, len(leaves)),
        ]  # fmt: skip
        found = (*call.trainable, *call.directions, *call.constants)
        if call.fixed or in_order != list(range(len(leaves))) or len(found) != len(leaves):
            return None  # a static, an integer array, or a tied leaf
        kinds = [
            (
                type(array),
                array.dtype,
                array.shape if shapes else None,
                call.backend.device(array) if devices else None,
            )
            for array in found
        ]
        was_own = all(type(leaf) is kind[0] for leaf, kind in zip(leaves, kinds, strict=True))
        return cls(
            call, None if is_flat else treedef, (points, points + directions), kinds, was_own
        )

    @property
    def is_flat(self) -> bool:
        """Whether each argument is an array itself."""
        return self.treedef is None

    def groups(self, x: PyTree, rest: tuple[Any, ...]) -> Groups | None:
        """The arrays of these arguments; None if they look different, or might."""
        if self._alone is not None:  # the common case, in as few steps as it takes
            array_type, dtype, shape, device = self._alone
            if (
                rest
                or type(x) is not array_type
                or x.dtype != dtype
                or (shape is not None and x.shape != shape)
                or (device is not None and self._backend.device(x) != device)
            ):
                return None
            return tuple(self._backend.to_device((x,), self._selector)), (), (), ()
        if self.treedef is None:
            leaves = [x, *rest]
            if len(leaves) != len(self._kinds):
                return None
        else:
            leaves, treedef = tree.leaves((x, *rest))
            if treedef != self.treedef:
                return None
        for array, (array_type, dtype, shape, device) in zip(leaves, self._kinds, strict=True):
            if (
                type(array) is not array_type
                or array.dtype != dtype
                or (shape is not None and array.shape != shape)
                or (device is not None and self._backend.device(array) != device)
            ):
                return None
        if len(set(map(id, leaves))) < len(leaves) and self.has_ties(tuple(leaves)):
            return None
        return self.split(tuple(self._backend.to_device(leaves, self._selector)))

    @property
    def can_tie(self) -> bool:
        """Whether a tree has two arrays, which may be one and the same."""
        return any(len(group) > 1 for group in self.split((None,) * len(self._kinds)))

    def has_ties(self, leaves: tuple[Any, ...]) -> bool:
        """Whether one array stands twice in a tree; the point may be its own direction."""
        return any(len(set(map(id, group))) < len(group) for group in self.split(leaves))

    def split(self, leaves: tuple[Any, ...]) -> Groups:
        """Arrays in the order of the arguments, as the groups that they make up."""
        first, second = self._cuts
        return leaves[:first], (), leaves[first:second], leaves[second:]


def _no_function(*args: Any) -> Any:
    """In place of a function that differs from call to call."""
    raise AssertionError
