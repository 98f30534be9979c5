"""What belongs to an array's type: tables by type, and kernels inside their precision scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from polylux import registry
from polylux.arrays import is_array
from polylux.backend import Backend

T = TypeVar("T")


class TypeTable(dict[type, T]):
    """What belongs to each array type, found once and dropped when the registry changes.

    A dictionary, so that an operation on arrays does not pay for a call to look into it.
    """

    __slots__ = ("__weakref__", "_find")

    def __init__(self, find: Callable[[type], T]) -> None:
        super().__init__()
        self._find = find
        registry.drop_with_changes(self)

    def __missing__(self, array_type: type) -> T:
        generation = registry.generation()
        entry = self[array_type] = self._find(array_type)
        # Finding it may have loaded a backend, as may another thread meanwhile. What changes after
        # this drops the entry by itself.
        if generation != registry.generation():
            self.pop(array_type, None)
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
