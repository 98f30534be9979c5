"""The entry point: help, version, and that neither loads anything heavy."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import polylux
from polylux.cli import main

HEAVY = ("torch", "jax", "autograd", "sklearn", "scipy", "matplotlib")


def polylux_in_a_child(*arguments: str) -> str:
    """What the console script prints, followed by the heavy modules that it has loaded."""
    program = f"""
import atexit, sys
atexit.register(lambda: print("loaded:", *(set({HEAVY}) & set(sys.modules))))
from polylux.cli import main
sys.argv = ["polylux", *{arguments!r}]
main()
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_console_script_is_main() -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="polylux")
    assert script.load() is main


def test_version_is_the_packages() -> None:
    assert polylux_in_a_child("--version") == f"polylux {polylux.__version__}\nloaded:\n"


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["backends", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    text = polylux_in_a_child(*arguments)
    assert text.startswith("Usage: polylux")
    assert text.endswith("loaded:\n")


def test_backends_loads_no_framework() -> None:
    assert polylux_in_a_child("backends").endswith("loaded:\n")


def test_help_names_the_commands(invoke: Callable[..., Any]) -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for command in ("demo", "backends"):
        assert f"\n  {command} " in result.stdout


def test_demos_help_says_how_deviations_are_measured(invoke: Callable[..., Any]) -> None:
    text = " ".join(invoke("demo", "--help").stdout.split())
    assert "the spacing of floating-point numbers at m" in text
    for option in ("--backend", "--epochs", "--dtype", "--plot", "--seed"):
        assert option in text


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["demo", "--nonsense"], ["backends", "--jsn"], ["demo", "extra"]],
    ids=" ".join,
)
def test_what_is_unknown_is_a_usage_error(arguments: list[str], invoke: Callable[..., Any]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Usage: polylux" in result.output
    assert "Error" in result.output
