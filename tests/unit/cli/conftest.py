"""The command line in this process, and a registry that holds only what a test puts there."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from polylux import registry
from polylux.backend import Backend, Capability, Plugin
from polylux.cli._app import app
from polylux.registry import _registry
from polylux.selectors import ADType


@pytest.fixture
def invoke() -> Callable[..., Any]:
    """Run `polylux` with these arguments; the result has `exit_code`, `stdout` and `output`."""

    def run(*arguments: str, columns: int = 100) -> Any:
        runner = CliRunner(env={"COLUMNS": str(columns), "TERM": "dumb"})
        result = runner.invoke(app, list(arguments), prog_name="polylux")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def available() -> list[str]:
    """Names of the backends that the demo takes by itself: at least one, and what else it needs."""
    importlib.import_module("sklearn")
    found = [
        info.name
        for info in registry.backends()
        if info.available and Capability.REVERSE in registry.load_backend(info.name).capabilities
    ]
    if not found:
        raise ModuleNotFoundError("No module named 'autograd'", name="autograd")
    return found


@pytest.fixture
def register(own_registry: _registry._Registry) -> Callable[..., None]:
    """Register a backend class in a registry that is otherwise empty."""
    own_registry.discovered = True  # no entry points

    def register_one(backend: type[Backend], **fields: Any) -> None:
        name = backend.name
        selector = type(f"Auto{name.title()}", (ADType,), {"backend": name})
        registry.register_backend(
            Plugin(
                name=name,
                backend=f"{backend.__module__}:{backend.__qualname__}",
                selector=dataclasses.dataclass(frozen=True, repr=False)(selector),
                **fields,
            )
        )

    return register_one
