"""`polylux backends`: what is registered, what can run, and what mends the rest."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from polylux import registry
from polylux.cli import _console
from polylux.registry import BackendInfo


def backends(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array of objects, and nothing else.")
    ] = False,
) -> None:
    """List the registered backends: which can run here, and what mends those that cannot.

    No framework is imported for it.
    """
    found = registry.backends()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(info) for info in found], indent=2))
        return
    console = _console.results()
    if not found:
        console.print("No backend is registered; reinstall polylux, or install a plugin for it.")
        return
    console.print(_table(found))
    for info in found:
        if not info.available:
            # Not wrapped, so that the line which mends it can be copied.
            console.print(f"\n{info.name}: {info.reason}", soft_wrap=True)
            if info.remedy:
                console.print(f"    {info.remedy}", soft_wrap=True)


def _table(found: list[BackendInfo]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for header in ("backend", "selector", "framework version", "can run"):
        table.add_column(header, overflow="fold")
    for info in found:
        can_run = "yes" if info.available else "no"
        table.add_row(info.name, info.selector, info.version or "-", can_run)
    return table
