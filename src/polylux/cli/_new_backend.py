"""`polylux new-backend`: a package that is a backend already, to be changed into another one."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from polylux import __version__
from polylux.cli import _console
from polylux.registry import plugins


def new_backend(
    name: Annotated[str, typer.Argument(help="Name of the backend, such as 'mine'.")],
    into: Annotated[
        Path, typer.Option(help="The folder in which the package's folder is made.")
    ] = Path(),
) -> None:
    """Make a package with a backend that works, and with tests that run the conformance suite."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        _console.fail(f"a backend's name is a small identifier such as 'mine', got {name!r}")
    if name in plugins():
        _console.fail(f"there is a backend named {name!r} already; choose another name")
    folder = into / f"polylux-{name.replace('_', '-')}"
    if folder.exists():
        _console.fail(f"{folder} exists already; remove it, or choose another name")
    for path, text in files(name).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    _console.results().print(
        f"{folder} is a backend that works, by central differences in numpy. Next:\n"
        f"    pip install -e {folder}\n"
        f"    polylux conformance {name}\n"
        f"then put your framework into {folder}/polylux_{name}/_backend.py.",
        soft_wrap=True,
    )


def files(name: str) -> dict[str, str]:
    """The package's files by their paths."""
    title = "".join(part.capitalize() for part in name.split("_"))
    put = {
        "NAME": name,
        "DISTRIBUTION": f"polylux-{name.replace('_', '-')}",
        "SELECTOR": f"Auto{title}",
        "BACKEND": f"{title}Backend",
        "VERSION": ".".join(__version__.split(".")[:2]),
    }
    texts = {
        "pyproject.toml": _PROJECT,
        f"polylux_{name}/__init__.py": _INIT,
        f"polylux_{name}/_selector.py": _SELECTOR,
        f"polylux_{name}/_backend.py": _BACKEND,
        "tests/test_conformance.py": _TESTS,
    }
    return {
        path: re.sub(r"\{\{([A-Z]+)\}\}", lambda m: put[m[1]], text) for path, text in texts.items()
    }


_PROJECT = '''[build-system]
requires = ["hatchling>=1.25"]
build-backend = "hatchling.build"

[project]
name = "{{DISTRIBUTION}}"
version = "0.1"
description = "A backend of polylux."
requires-python = ">=3.11"
dependencies = ["polylux>={{VERSION}}", "numpy>=2.1"]

[project.optional-dependencies]
test = ["polylux[conformance]"]

# This is all that makes it a plugin: a name in this group, and the Plugin that it points to.
[project.entry-points."polylux.backends"]
{{NAME}} = "polylux_{{NAME}}:plugin"

[tool.hatch.build.targets.wheel]
packages = ["polylux_{{NAME}}"]
'''

_INIT = '''"""A backend of polylux; nothing here imports the framework."""

from polylux.backend import Plugin
from polylux_{{NAME}}._selector import {{SELECTOR}}

plugin = Plugin(
    name="{{NAME}}",  # the entry point's name, and {{SELECTOR}}.backend
    backend="polylux_{{NAME}}._backend:{{BACKEND}}",
    selector={{SELECTOR}},
    framework="numpy",  # what has to be importable,
    distribution="numpy",  # where its version comes from,
    minimum="2.1",
    install="pip install {{DISTRIBUTION}}",  # and what mends its absence
)

__all__ = ["{{SELECTOR}}", "plugin"]
'''

_SELECTOR = '''"""{{SELECTOR}}: the value by which users choose this backend."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from polylux.errors import DomainError
from polylux.selectors import ADType, Mode


@dataclasses.dataclass(frozen=True, repr=False)
class {{SELECTOR}}(ADType):
    """Central differences in numpy.

    Parameters
    ----------
    step : float
        Length of a difference, relative to the cube root of the dtype's epsilon; above zero.
    """

    backend: ClassVar[str] = "{{NAME}}"
    mode: ClassVar[Mode] = Mode.FORWARD
    step: float = 1.0

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise DomainError(f"{{SELECTOR}}(step=...) must be above zero, got {self.step!r}")
'''

_BACKEND = '''"""{{BACKEND}}: numpy arrays, and derivatives from two evaluations."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import array_api_compat.numpy
import numpy as np

from polylux.backend import Accuracy, Backend, Capability


class {{BACKEND}}(Backend):
    """The least that a backend must do; the rest has defaults."""

    name: ClassVar[str] = "{{NAME}}"
    # What is claimed is tested; what is not raises polylux's UnsupportedError.
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.GRADIENT, Capability.FORWARD, Capability.THREADS}
    )
    # Delete this line once your framework differentiates exactly.
    derivatives: ClassVar[Accuracy] = Accuracy.TRUNCATED

    def __init__(self) -> None:
        self._stopped = _Stopped()

    @property
    def namespace(self) -> Any:
        """Your framework's array-API namespace, for its arrays and its traced values."""
        return array_api_compat.numpy

    def owns(self, array_type: type) -> bool:
        """Your framework's array types, traced ones included."""
        return issubclass(array_type, np.ndarray | np.generic)

    def from_host(self, arrays: Any, selector: Any) -> list[Any]:
        """Copies, since numpy arrays can be written to."""
        return [np.array(array) for array in arrays]

    def to_host(self, arrays: Any) -> list[Any]:
        return [np.asarray(array) for array in arrays]

    def stop_gradient(self, array: Any) -> Any:
        """Your framework's own; differences have to remember the value at the point itself."""
        return self._stopped.value_at_the_point(array)

    def pushforward(self, function: Any, leaves: Any, tangents: Any, selector: Any) -> Any:
        """Outputs, their derivatives along the tangents, and auxiliary output.

        In place of it `pullback` or `value_and_gradient` will do: see polylux.backend.Backend.
        """
        epsilon = max(float(np.finfo(leaf.dtype).eps) for leaf in leaves)
        size = max([1.0, *(float(np.max(np.abs(leaf))) for leaf in leaves if leaf.size)])
        step = selector.step * epsilon ** (1 / 3) * size
        try:
            self._stopped.remember()
            outputs, aux = function(*leaves)
            ahead = self._outputs_at(function, leaves, tangents, step)
            behind = self._outputs_at(function, leaves, tangents, -step)
        finally:  # a user's function may raise, and the next call must not notice
            self._stopped.forget()
        slopes = tuple(
            np.asarray((a - b) / (2 * step), dtype=output.dtype)
            for a, b, output in zip(ahead, behind, outputs, strict=True)
        )
        return outputs, slopes, aux

    def _outputs_at(self, function: Any, leaves: Any, tangents: Any, distance: float) -> Any:
        self._stopped.replay()
        moved = [
            leaf + np.asarray(distance, leaf.dtype) * tangent
            for leaf, tangent in zip(leaves, tangents, strict=True)
        ]
        return function(*moved)[0]


class _Stopped(threading.local):
    """The values that `stop_gradient` got at the point, in order, for the points beside it."""

    def __init__(self) -> None:
        self.values: list[Any] | None = None
        self.next: int | None = None

    def remember(self) -> None:
        self.values, self.next = [], None

    def replay(self) -> None:
        self.next = 0

    def forget(self) -> None:
        self.values = self.next = None

    def value_at_the_point(self, array: Any) -> Any:
        if self.values is None:
            return array
        if self.next is None:
            self.values.append(array)
            return array
        self.next += 1
        return self.values[self.next - 1]
'''

_TESTS = '''"""The conformance suite on this backend, as tests of this package."""

from polylux_conformance import BackendConformance

from polylux_{{NAME}} import {{SELECTOR}}


class TestConformance(BackendConformance):
    selector = {{SELECTOR}}()
    levels = ("core", "oracle", "training")
'''
