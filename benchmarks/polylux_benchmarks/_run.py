"""Running suites: one comparison after another, with progress, then the table."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from polylux_benchmarks._plot import draw
from polylux_benchmarks._report import show, write_json
from polylux_benchmarks._timing import Measurement

WIDTH = 150
"""Columns of the table where it goes to a file."""


def run(
    suites: Sequence[str],
    only: str | None = None,
    pairs: int = 41,
    repeats: int = 3,
    json: Path | None = None,
    plot: Path | None = None,
) -> list[Measurement]:
    """Measure what the suites hold; print, write and draw it."""
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    measurements = []
    for suite in suites:
        module = importlib.import_module(f"polylux_benchmarks.{suite}")
        for comparison in module.pairs():
            what = f"{comparison.name}, {comparison.backend}, {comparison.setting}"
            if only is not None and only not in what:
                continue
            console.print(f"{suite}: {what} ...", end=" ", highlight=False)
            measurements.append(comparison.measured(pairs, repeats))
            console.print(f"{measurements[-1].ratio:.2f}", highlight=False)
    if not measurements:
        console.print("nothing to measure: no framework is installed, or the filter fits nothing")
        return measurements
    show(measurements, console)
    if json is not None:
        write_json(measurements, json)
    if plot is not None:
        draw(measurements, plot)
    return measurements
