"""What users hand in, as Protocols: arrays, trees, models and objectives."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

PyTree: TypeAlias = Any
"""Nested containers of leaves: dict, list, tuple, namedtuple, None, classes known to optree."""


@runtime_checkable
class Array(Protocol):
    """The part of the array API standard's array object that polylux itself reads."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    @property
    def ndim(self) -> int: ...
    def __getitem__(self, key: Any, /) -> Any: ...
    def __add__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...
    def __matmul__(self, other: Any, /) -> Any: ...


class Model(Protocol):
    """Any callable `model(x, ps, st) -> (y, st)`."""

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]: ...


class Objective(Protocol):
    """Any callable `objective(model, ps, st, data) -> (loss, st, stats)`."""

    def __call__(
        self, model: Any, ps: PyTree, st: PyTree, data: Any, /
    ) -> tuple[Any, PyTree, PyTree]: ...
