"""polylux bench: run the benchmarks in a process of their own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import typer


def bench(context: typer.Context) -> None:
    """Compare polylux with hand-written code of each framework: time in pairs, memory, traces.

    [train|losses|dispatch|memory|scaling ...] [--only TEXT] [--json FILE] [--plot FILE]
    """
    if importlib.util.find_spec("polylux_benchmarks") is None:
        typer.echo("the benchmarks are not installed: polylux_benchmarks is missing", err=True)
        raise typer.Exit(2)
    # Their own process: frameworks read the number of threads when they are first imported.
    command = [sys.executable, "-m", "polylux_benchmarks", *context.args]
    raise typer.Exit(subprocess.run(command, check=False).returncode)
