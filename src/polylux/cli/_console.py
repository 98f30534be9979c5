"""Consoles for results and for everything else, and how a command gives up."""

from __future__ import annotations

from typing import NoReturn

import typer
from rich.console import Console


def results() -> Console:
    """Where a command prints what it was asked for: standard output.

    Text is printed as it is: brackets, as in `polylux[demo]`, are no markup.
    """
    return Console(markup=False, highlight=False, emoji=False)


def notes() -> Console:
    """Where progress and remarks go, so that redirected results stay clean: standard error."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def fail(message: object) -> NoReturn:
    """Print why the command cannot do what it was asked for, and exit with code 1."""
    # Not wrapped: the message ends in a command to be copied.
    notes().print(f"Error: {message}", soft_wrap=True)
    raise typer.Exit(1)
