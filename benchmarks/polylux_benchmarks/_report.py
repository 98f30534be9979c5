"""What a run prints, writes as JSON, and draws."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from polylux_benchmarks._timing import Measurement

FRAMEWORKS = ("numpy", "torch", "jax", "autograd", "optax", "keras", "flax", "equinox", "polylux")


def table(measurements: Sequence[Measurement]) -> Table:
    """One row for each comparison."""
    result = Table(title="polylux / theirs (below 1: polylux is faster)", title_justify="left")
    for header in ("what", "backend", "setting", "against"):
        result.add_column(header)
    for header in ("polylux", "theirs", "ratio", "95 %", "bar", ""):
        result.add_column(header, justify="right", no_wrap=True)
    for m in measurements:
        result.add_row(
            m.name, m.backend, m.setting, m.peer, duration(m.ours), duration(m.theirs),
            f"{m.ratio:.2f}", f"{m.low:.2f}-{m.high:.2f}", "" if m.bar is None else f"{m.bar:.2f}",
            m.verdict,
        )  # fmt: skip
    return result


def duration(seconds: float) -> str:
    """In the unit that leaves one to three digits before the point."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


def document(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Everything that a reader of the figures needs, ready for JSON."""
    versions = {}
    for name in FRAMEWORKS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "format": "polylux-bench-1",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "versions": versions,
        "measurements": [{**dataclasses.asdict(m), "verdict": m.verdict} for m in measurements],
    }


def write_json(measurements: Sequence[Measurement], path: Path) -> None:
    """The document, indented."""
    path.write_text(json.dumps(document(measurements), indent=1) + "\n", encoding="utf-8")


def draw(measurements: Sequence[Measurement], path: Path) -> None:
    """Ratios with their intervals and bars, one row each, on a logarithmic axis."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter

    colors = {"jax": "#2a78b5", "torch": "#d9622b", "torch compiled": "#a33c10",
              "autograd": "#4b8b3b"}  # fmt: skip
    shown = list(reversed(measurements))
    figure, axes = plt.subplots(figsize=(9, 0.6 + 0.27 * len(shown)), layout="constrained")
    for row, m in enumerate(shown):
        color = colors.get(m.backend, "#666666")
        axes.plot([m.low, m.high], [row, row], color=color, linewidth=2, alpha=0.6)
        axes.plot([m.ratio], [row], "o", color=color, markersize=5)
        if m.bar is not None:
            axes.plot([m.bar], [row], "|", color="black", markersize=9)
    axes.axvline(1.0, color="#888888", linewidth=1)
    axes.set_xscale("log", base=2)
    lowest = min(m.low for m in shown)
    highest = max(m.high for m in shown)
    start, stop = math.floor(math.log2(lowest) * 2) / 2, math.ceil(math.log2(highest) * 2) / 2
    axes.set_xlim(2**start, 2**stop)
    axes.set_xticks([2 ** (start + k / 2) for k in range(int(2 * (stop - start)) + 1)])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}"))
    axes.minorticks_off()
    axes.set_yticks(range(len(shown)), [f"{m.name}  {m.backend}  {m.setting}" for m in shown])
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.grid(axis="x", alpha=0.3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("time of polylux / time of the hand-written form; | marks the bar")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def show(measurements: Sequence[Measurement], console: Console | None = None) -> None:
    """Print the table, wide where it goes to a file."""
    console = console or Console()
    rows = table(measurements)
    console.print(rows, width=console.width if console.is_terminal else 150)
