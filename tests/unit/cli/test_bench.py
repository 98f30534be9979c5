"""polylux bench: hands its arguments on to the benchmarks, and their exit code back."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Any

import pytest

from polylux.cli import _bench


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been run; it ends with code 3."""
    commands: list[list[str]] = []

    def run(command: list[str], check: bool) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(_bench.subprocess, "run", run)
    return commands


def test_arguments_are_handed_on(invoke: Any, started: list[list[str]]) -> None:
    result = invoke("bench", "train", "--pairs", "3", "--help")
    assert result.exit_code == 3
    expected = [sys.executable, "-m", "polylux_benchmarks", "train", "--pairs", "3", "--help"]
    assert started == [expected]


def test_benchmarks_that_are_absent_are_said(
    invoke: Any, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = invoke("bench")
    assert result.exit_code == 2
    assert "polylux_benchmarks is missing" in result.output
    assert not started


def test_an_unknown_suite_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "polylux_benchmarks", "tarin"],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "unknown suite 'tarin'" in done.stderr
    assert "train, losses, dispatch, memory, scaling" in done.stderr
