"""What belongs to an array's type: tables by type, and kernels inside their precision scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from polylux import registry
from polylux.arrays import is_array
from polylux.backend import Backend

T = TypeVar("T")


class TypeTable(Generic[T]):
    """What belongs to each array type, found once and dropped when the registry changes."""

    __slots__ = ("_current", "_find")

    def __init__(self, find: Callable[[type], T]) -> None:
        self._find = find
        # One tuple, replaced as a whole: an entry that another thread finds late lands in the
        # dictionary of its own generation.
        self._current: tuple[int, dict[type, T]] = (-1, {})

    def __getitem__(self, array_type: type) -> T:
        generation, entries = self._current
        if generation != registry.generation():
            entries = {}
            self._current = (registry.generation(), entries)
        try:
            return entries[array_type]
        except KeyError:
            entry = entries[array_type] = self._find(array_type)
            return entry


def has_scope(backend: Backend) -> bool:
    """Whether a backend has a precision scope of its own."""
    return type(backend).precision_scope is not Backend.precision_scope


def scoped(kernel: Callable[..., Any], backend: Backend) -> Callable[..., Any]:
    """The kernel inside the backend's precision scope, where its arrays need that."""
    if not has_scope(backend):
        return kernel

    def in_scope(x: Any, /, *args: Any, **kwargs: Any) -> Any:
        scope = backend.precision_scope([x, *filter(is_array, args)])
        if scope is None:
            return kernel(x, *args, **kwargs)
        with scope:
            return kernel(x, *args, **kwargs)

    return in_scope
