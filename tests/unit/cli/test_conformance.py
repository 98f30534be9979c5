"""`polylux conformance`: what it hands on to the suite's own process, and its exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

Invoke = Callable[..., Any]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run, each ending with the code 1."""
    seen: list[list[str]] = []

    def run(command: list[str], **options: Any) -> Any:
        seen.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", run)
    return seen


def test_options_are_handed_on(invoke: Invoke, commands: list[list[str]]) -> None:
    result = invoke(
        "conformance", "torch", "jax(jit=False)", "--level", "core", "--level", "second",
        "--only", "gradient/*", "--json", "r.json", "--html", "r.html", "--xfails", "gaps.toml",
        "--jobs", "3",
    )  # fmt: skip
    assert result.exit_code == 1
    assert commands == [[
        sys.executable, "-m", "polylux_conformance", "torch", "jax(jit=False)", "--level", "core",
        "--level", "second", "--only", "gradient/*", "--json", "r.json", "--html", "r.html",
        "--xfails", "gaps.toml", "--jobs", "3",
    ]]  # fmt: skip


def test_without_a_name_the_suite_chooses(invoke: Invoke, commands: list[list[str]]) -> None:
    invoke("conformance")
    assert commands == [[sys.executable, "-m", "polylux_conformance"]]
