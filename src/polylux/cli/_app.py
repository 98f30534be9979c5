"""The command line's entry point: its commands and the options that stand before them."""

from __future__ import annotations

from typing import Annotated

import typer

from polylux import __version__
from polylux.cli._backends import backends
from polylux.cli._bench import bench
from polylux.cli._conformance import conformance
from polylux.cli._demo import demo
from polylux.cli._new_backend import new_backend

# Plain help: it reads the same in a log and in a narrow window, brackets in it are no markup, and
# an exception keeps its own traceback.
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(backends)
app.command()(conformance)
app.command()(new_backend)
app.command(
    # Handed on as they are, `--help` too.
    context_settings={
        "allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []
    }
)(bench)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"polylux {__version__}")
        raise typer.Exit


@app.callback()
def _polylux(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """One model and one objective, differentiated and trained by any AD framework."""


def main() -> None:
    """Run the command line with the arguments of this process."""
    app(prog_name="polylux")
