"""Which backends a demo runs with: those that the user named, or all that can."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from polylux import registry
from polylux.backend import Accuracy, Capability
from polylux.errors import BackendError, UnsupportedError
from polylux.selectors import ADType, Auto


@dataclasses.dataclass(frozen=True)
class Contender:
    """A backend that is loaded and can train in the dtype asked for."""

    name: str
    selector: ADType
    version: str
    """Of its framework; "-" where it has none."""


def named(names: Sequence[str], dtype: str) -> list[Contender]:
    """The backends of these names, each once, in this order.

    Raises
    ------
    BackendError
        Of the first that is unknown or cannot run; the message says what mends it.
    """
    return [_load(name, dtype) for name in dict.fromkeys(names)]


def every_available(dtype: str) -> tuple[list[Contender], list[str]]:
    """All backends that can run, and why each of the others is left out."""
    found, left_out = [], []
    for info in registry.backends():
        try:
            contender = _load(info.name, dtype)
            _require_reverse_mode(info.name)
        except BackendError as error:
            left_out.append(f"{info.name} is left out: {error}")
        else:
            found.append(contender)
    return found, left_out


def _load(name: str, dtype: str) -> Contender:
    backend, selector = registry.resolve(Auto(name))
    if Capability.GRADIENT not in backend.capabilities:
        raise UnsupportedError(
            f"the backend {name!r} does not differentiate; `polylux backends` lists those that do"
        )
    if dtype == "float64" and backend.float64 is Accuracy.NONE:
        raise UnsupportedError(f"the backend {name!r} has no float64; use --dtype float32")
    versions = {info.name: info.version for info in registry.backends()}
    return Contender(name, selector, versions.get(name) or "-")


def _require_reverse_mode(name: str) -> None:
    # One pushforward for each of some thousand parameters would take hours: only if asked for.
    if Capability.REVERSE not in registry.load_backend(name).capabilities:
        raise UnsupportedError(
            f"it has no reverse mode, and would be slow; run it with --backend {name}"
        )
