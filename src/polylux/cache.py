"""Cached staged functions: when two calls may share one trace, and for how long it is kept.

Functions and closures are compared by identity, and kept alive by the entry that names them (a
bare `id` is used again by Python once its object is gone); our frozen specs are compared by value.
A closure also has to hold the values that it held when it was traced: what it captured, and the
numbers among the globals that it reads, are compared at each call.
"""

from __future__ import annotations

import threading
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from polylux.doctor import Findings
from polylux.errors import RetraceWarning
from polylux.flat import Layout
from polylux.preferences import DISPATCH_DOCTOR_TRAINING, ELTYPE_MISMATCH_HANDLING
from polylux.spec import Spec
from polylux.tree import Structure, same_static

_BY_VALUE = (Spec, Structure, Layout, str, bool, types.MethodType, types.NoneType)
_SCALARS = (bool, int, float, complex, str)

_RETRACES_BEFORE_WARNING = 4
"""A first step, a warm-up, a last short batch and its evaluation are no reason to complain."""

_NEW_OBJECTS_BEFORE_WARNING = 10
"""Trying a handful of objectives on one state is none either."""


class Captured:
    """What functions see from outside when they are traced: closure cells and global numbers.

    Attributes
    ----------
    is_empty : bool
        Whether there are none: then `unchanged` need not be asked.
    """

    __slots__ = ("_cells", "_globals", "is_empty")

    def __init__(self, functions: tuple[Any, ...]) -> None:
        self._cells: list[tuple[types.CellType, Any]] = []
        self._globals: list[tuple[dict[str, Any], str, Any]] = []
        seen: set[int] = set()
        for function in functions:
            self._look_into(function, seen)
        self.is_empty = not (self._cells or self._globals)

    def _look_into(self, function: Any, seen: set[int]) -> None:
        function = getattr(function, "__func__", function)
        if id(function) in seen:
            return
        if isinstance(function, Spec | tuple | dict):  # layers hold functions, and further layers
            seen.add(id(function))
            parts = function if isinstance(function, tuple | dict) else vars(function)
            for part in parts.values() if isinstance(parts, dict) else parts:
                self._look_into(part, seen)
            return
        if not isinstance(function, types.FunctionType):
            return
        if hasattr(function, "neutral"):  # one of `polylux.ops`: nothing that it captures changes
            return
        seen.add(id(function))
        for cell in function.__closure__ or ():
            value = _contents(cell)
            self._cells.append((cell, value))
            self._look_into(value, seen)
        for name in function.__code__.co_names:
            value = function.__globals__.get(name)
            if isinstance(value, _SCALARS) and not name.startswith("__"):
                self._globals.append((function.__globals__, name, value))
            elif isinstance(value, types.FunctionType) and value.__module__ == function.__module__:
                self._look_into(value, seen)

    def unchanged(self) -> bool:
        """Whether a function called now would see what it saw then."""
        # Loops: this is looked at in every call of a function that may run in microseconds.
        for cell, value in self._cells:
            now = _contents(cell)
            if now is not value and not _same(now, value):
                return False
        for namespace, name, value in self._globals:
            now = namespace.get(name)
            if now is not value and not _same(now, value):
                return False
        return True


class Entry:
    """A staged function and all that it was staged for.

    `names` says what each of the `parts` is; the first part is the kind of call, and two entries
    of one kind have the same names.
    """

    __slots__ = ("captured", "handling", "names", "parts", "staged")

    def __init__(
        self, names: tuple[str, ...], parts: tuple[Any, ...], staged: Callable[..., Any]
    ) -> None:
        self.names = names
        self.parts = parts
        self.staged = staged
        self.captured = Captured(parts)
        # Layers ask for it while they are traced.
        self.handling = ELTYPE_MISMATCH_HANDLING.get()

    def matches(self, parts: tuple[Any, ...]) -> bool:
        """Whether a call described by these parts may use this entry."""
        for mine, theirs in zip(self.parts, parts, strict=True):
            if mine is theirs:
                continue
            if type(mine) is not type(theirs) or not isinstance(mine, _BY_VALUE) or mine != theirs:
                return False
        return self.is_valid()

    def is_valid(self) -> bool:
        """Whether what the functions saw from outside is what they would see now."""
        captured = self.captured
        return self.handling == ELTYPE_MISMATCH_HANDLING.get() and (
            captured.is_empty or captured.unchanged()
        )


class Cache:
    """A few entries, the latest used first; belongs to one training run.

    Parameters
    ----------
    size : int
        Entries kept: training and evaluation, each in a few variants.
    """

    __slots__ = ("__weakref__", "_entries", "_size", "findings", "latest", "misses", "traces")

    def __init__(self, size: int = 8) -> None:
        self._entries: list[Entry] = []
        self._size = size
        self.misses = 0
        """How many calls in a row needed a new entry."""
        self.findings = Findings()
        """What the dispatch doctor has said of this run."""
        self.traces = 0
        """How many entries were made so far."""
        self.latest: Any = None
        """What a training function keeps from its latest call, to know the next one by."""
        _CACHES.add(self)

    def find(self, parts: tuple[Any, ...]) -> Entry | None:
        """The entry for these parts, or None."""
        entries = self._entries
        if entries and entries[0].matches(parts):
            self.misses = 0
            return entries[0]
        for entry in entries[1:]:
            if entry.matches(parts):
                # A new list, so that another thread which walks the former is not disturbed.
                self._entries = [entry, *(e for e in entries if e is not entry)]
                self.misses = 0
                return entry
        return None

    def add(self, entry: Entry, is_staged: bool) -> None:
        """Keep a new entry as the latest."""
        if is_staged:
            self.misses += 1
            if self.misses >= _RETRACES_BEFORE_WARNING:
                self._complain(entry)
        self.traces += 1
        self._entries = [entry, *self._entries[: self._size - 1]]

    def clear(self) -> None:
        """Forget all entries."""
        self._entries = []
        self.latest = None

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<{len(self)} cached functions, {self.traces} made>"

    def _complain(self, entry: Entry) -> None:
        kind = entry.parts[0]
        former = next((e for e in self._entries if e.parts[0] == kind), None)
        if former is None:  # the first of its kind, or the first since the caches were cleared
            return
        for name, mine, theirs in zip(entry.names, entry.parts, former.parts, strict=True):
            if mine is theirs:
                continue
            cause = _cause(name, mine, theirs)
            if cause is not None:
                if cause.endswith(_MAKE_IT_ONCE) and self.misses < _NEW_OBJECTS_BEFORE_WARNING:
                    return
                break
        else:
            if entry.handling != former.handling:
                return  # set by the user, in so many words
            cause = "a value that the objective captures (a closure's variable or a global number)"
            cause += " changes; pass it in the data, as an array"
        message = f"this step was traced anew {self.misses} calls in a row: {cause}"
        self.findings.report(DISPATCH_DOCTOR_TRAINING, RetraceWarning, message, cause)


class LRU:
    """Entries of the operators by function and kind of call, over all runs, bounded."""

    def __init__(self, size: int = 128) -> None:
        self._caches: OrderedDict[Any, tuple[Any, Cache]] = OrderedDict()
        self._recalled: dict[Hashable, Any] = {}
        self.recall = self._recalled.get
        """What was remembered under a key, or None."""
        self._size = size
        self._lock = threading.Lock()

    def of(self, function: Any, kind: tuple[Hashable, ...]) -> Cache:
        """The cache for a function and a kind of call; the function is kept alive with it.

        One kind does not push out another, nor is it taken for a call that is traced anew.
        """
        key = (function if isinstance(function, Spec) else id(function), *kind)
        with self._lock:
            found = self._caches.get(key)
            if found is None:
                found = self._caches[key] = (function, Cache())
                if len(self._caches) > self._size:
                    self._caches.popitem(last=False)
            else:
                self._caches.move_to_end(key)
            return found[1]

    def remember(self, key: Hashable, call: Any) -> None:
        """Keep what the next call may be known by, in place of the oldest of many."""
        with self._lock:
            self._recalled.pop(key, None)
            self._recalled[key] = call
            if len(self._recalled) > self._size:
                del self._recalled[next(iter(self._recalled))]

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._caches.clear()
            self._recalled.clear()

    def __len__(self) -> int:
        return len(self._caches)


_MAKE_IT_ONCE = "make it once, before the loop"

_CACHES: weakref.WeakSet[Cache] = weakref.WeakSet()
OPERATORS = LRU()
"""The operators' one cache."""


def clear_caches() -> None:
    """Forget every traced or compiled function of this process; the next calls trace anew.

    Examples
    --------
    >>> clear_caches()
    """
    OPERATORS.clear()
    for cache in list(_CACHES):
        cache.clear()


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a cell that is not filled yet
        return None


def _same(now: Any, then: Any) -> bool:
    return now is then or (isinstance(then, _SCALARS) and same_static(now, then))


def _cause(name: str, mine: Any, theirs: Any) -> str | None:
    """What differs between two values of one part, and how to mend it; None if nothing does."""
    if isinstance(mine, Structure) and isinstance(theirs, Structure):
        if mine.treedef != theirs.treedef or mine.slots != theirs.slots:
            return f"the containers of the {name} change"
        for path, a, b in zip(mine.static_paths(), mine.statics, theirs.statics, strict=True):
            if not same_static(a, b):
                return (
                    f"{name}{path} is a Python {type(a).__name__} that changes, and under jit "
                    "such values are constants of the trace; make it a 0-d array"
                )
        return None
    if isinstance(mine, _BY_VALUE) and type(mine) is type(theirs):
        return None if mine == theirs else f"the {name} changes"
    return f"the {name} is a new object at each call; {_MAKE_IT_ONCE}"
