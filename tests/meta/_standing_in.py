"""Putting a deliberately wrong backend in the place of a right one, for one test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import polylux
from polylux.backend import Backend
from polylux.registry import _registry


@contextmanager
def standing_in(backend: Backend) -> Iterator[None]:
    """While it lasts, this instance is the loaded backend of its name."""
    registry = _registry._REGISTRY
    former = registry.load(backend.name)
    _put(backend)
    try:
        yield
    finally:
        _put(former)


def _put(backend: Backend) -> None:
    registry = _registry._REGISTRY
    registry.loaded[backend.name] = backend
    registry.resolved.clear()
    registry.changed()  # tables by array type hold kernels of the former one
    polylux.clear_caches()
