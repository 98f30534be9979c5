"""`polylux conformance`: the conformance suite, in a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from polylux.cli import _console

SUITE = "polylux_conformance"


def conformance(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Backends by name, with options if wanted: torch, 'jax(jit=False)'. Every backend "
            "that can run here if none is named.",
        ),
    ] = None,
    level: Annotated[
        list[str] | None,
        typer.Option(help="core (the default), oracle, training, second or all; may be repeated."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only checks whose id matches, such as 'gradient/*'."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="So many processes; one for each processor, up to 4, by default."
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the results there, as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with the results there.")] = None,
    xfails: Annotated[
        Path | None,
        typer.Option(help="A TOML file of known gaps, in place of the one the plugin ships."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Print the checks and run none.")] = False,
) -> None:
    """Test backends: values, derivatives, training and the contract, in units in the last place.

    Exits with 0 if every backend passes, and with 1 if one does not.
    """
    if importlib.util.find_spec(SUITE) is None:
        _console.fail("the conformance suite is not installed; reinstall polylux")
    command = [sys.executable, "-m", SUITE, *(names or ())]
    for option, values in (("--level", level), ("--only", only)):
        for value in values or ():
            command += [option, value]
    for option, path in (("--json", json), ("--html", html), ("--xfails", xfails)):
        if path is not None:
            command += [option, str(path)]
    if jobs is not None:
        command += ["--jobs", str(jobs)]
    if list_:
        command.append("--list")
    # In a process of its own: the core does not import the suite, and a framework that brings the
    # process down does not take the command line with it.
    raise typer.Exit(subprocess.run(command, check=False).returncode)
