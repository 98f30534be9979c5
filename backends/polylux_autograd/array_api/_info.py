"""What the namespace can do: the standard's inspection functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._numpy import npx

__all__ = ["__array_namespace_info__"]


class NamespaceInfo:
    """Answers of `__array_namespace_info__()`."""

    def capabilities(self) -> dict[str, Any]:
        """Boolean masks and data-dependent shapes work; numpy has at most 64 axes."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """The only device."""
        return "cpu"

    def devices(self) -> list[str]:
        """All devices."""
        return ["cpu"]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes of arrays that are created without one."""
        return {
            "real floating": np.dtype("float64"),
            "complex floating": np.dtype("complex128"),
            "integral": np.dtype("int64"),
            "indexing": np.dtype("int64"),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The standard's dtypes of a kind, by name."""
        if device not in (None, "cpu"):
            raise ValueError(f'got device {device!r}, the only device is "cpu"')
        return dict(npx.__array_namespace_info__().dtypes(kind=kind))


def __array_namespace_info__() -> NamespaceInfo:
    """What the namespace can do."""
    return NamespaceInfo()
