"""The conformance suite: what every backend of polylux must do.

It ships with polylux, so that the author of a plugin can run it on their own backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polylux_conformance._gaps import Gap, read_gaps
    from polylux_conformance._report import Report, Result, read_json, write_json
    from polylux_conformance._runner import check_backend
    from polylux_conformance._subclassing import BackendConformance

# Found at first use: pytest imports this package in every run where polylux is installed, for the
# options of its plugin, and must not import polylux for that.
_HOMES = {
    "BackendConformance": "_subclassing",
    "Gap": "_gaps",
    "Report": "_report",
    "Result": "_report",
    "check_backend": "_runner",
    "read_gaps": "_gaps",
    "read_json": "_report",
    "write_json": "_report",
}

__all__ = [
    "BackendConformance",
    "Gap",
    "Report",
    "Result",
    "check_backend",
    "read_gaps",
    "read_json",
    "write_json",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
