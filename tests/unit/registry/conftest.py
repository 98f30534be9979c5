"""Distributions made on the spot, for a registry of the test's own to find."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a plugin: `install("name", "module's source", entry="point")`."""
    former = set(sys.modules)

    def install_one(distribution: str, source: str, *, entry: str | None = None) -> str:
        module = distribution.replace("-", "_")
        place = tmp_path / distribution
        info = place / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (place / f"{module}.py").write_text(_PREAMBLE + textwrap.dedent(source))
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(
            f"[polylux.backends]\n{entry or module} = {module}:plugin\n"
        )
        monkeypatch.syspath_prepend(place)
        importlib.invalidate_caches()
        return module

    yield install_one
    for name in set(sys.modules) - former:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


# A plugin that works: its backend is the core's numpy backend under another name, with a gradient.
_PREAMBLE = """
import dataclasses
from polylux.backend import Capability, HostBackend, Plugin
from polylux.selectors import ADType


class GoodBackend(HostBackend):
    name = __name__
    capabilities = frozenset({Capability.GRADIENT})
    made = 0

    def __init__(self):
        type(self).made += 1

    def value_and_gradient(self, function, leaves, selector):
        value, aux = function(*leaves)
        return value, tuple(0 * leaf for leaf in leaves), aux


@dataclasses.dataclass(frozen=True, repr=False)
class AutoGood(ADType):
    backend = __name__
    depth: int = 1


def good(**changes):
    given = dict(name=__name__, backend=__name__ + ":GoodBackend", selector=AutoGood)
    return Plugin(**{**given, **changes})


"""
