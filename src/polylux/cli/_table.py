"""The demo's table: one row for each backend, or one block for each in a narrow window."""

from __future__ import annotations

import dataclasses
import math

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from polylux.cli._deviation import Deviation

HEADERS = (
    "backend",
    "framework\nversion",
    "final\nloss",
    "test\naccuracy",
    "time per\nstep",
    "loss curve\ndeviation",
    "parameters\ndeviation",
)

_UNBOUNDED = 10_000  # columns: rich cuts what it measures to the width that it is given


@dataclasses.dataclass(frozen=True)
class Row:
    """One backend's results; the deviations are None for the reference."""

    backend: str
    version: str
    final_loss: float
    accuracy: float
    seconds_per_step: float
    loss_curve: Deviation | None
    parameters: Deviation | None

    def cells(self) -> tuple[str, ...]:
        """As text, in the order of `HEADERS`."""
        return (
            self.backend,
            self.version,
            f"{self.final_loss:.6f}",
            f"{100 * self.accuracy:.2f} %",
            milliseconds(self.seconds_per_step),
            _deviation(self.loss_curve),
            _deviation(self.parameters),
        )


def results_table(rows: list[Row], title: str, caption: str, console: Console) -> Table:
    """The table in the form that fits the console's width."""
    table = _rows(rows)
    unbounded = console.options.update(width=_UNBOUNDED)
    if Measurement.get(console, unbounded, table).maximum > console.width:
        table = _blocks(rows)
    table.title, table.caption = title, caption
    table.title_justify = table.caption_justify = "left"
    table.title_style = "bold"
    return table


def milliseconds(seconds: float) -> str:
    """As text; one unit for all backends, so that rows can be compared."""
    return "-" if math.isnan(seconds) else f"{1e3 * seconds:.3f} ms"


def _deviation(measured: Deviation | None) -> str:
    if measured is None:
        return "reference"
    if measured.relative == 0:
        return "0\n0 ulps"
    # Tens of thousands of units are common in float32: no digits after the point there.
    ulps = f"{measured.ulps:,.0f}" if measured.ulps >= 100 else f"{measured.ulps:.3g}"
    return f"{measured.relative:.1e}\n{ulps} ulps"


def _rows(rows: list[Row]) -> Table:
    # Two columns of space between cells, so that three backends fit into a window of 80.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for header in HEADERS[:2]:
        table.add_column(header, no_wrap=True)
    for header in HEADERS[2:]:
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row.cells())
    return table


def _blocks(rows: list[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for row in rows:
        for header, cell in zip(HEADERS, row.cells(), strict=True):
            table.add_row(header.replace("\n", " "), cell)
        table.add_section()
    return table
