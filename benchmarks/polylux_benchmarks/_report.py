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

from rich import box
from rich.console import Console
from rich.table import Table

from polylux_benchmarks._timing import Measurement

FRAMEWORKS = ("numpy", "torch", "jax", "autograd", "optax", "keras", "flax", "equinox", "polylux")


def table(measurements: Sequence[Measurement]) -> Table:
    """One row for each comparison."""
    result = Table(
        title="polylux / theirs (below 1: polylux is faster, or needs less)",
        title_justify="left",
        padding=(0, 1, 0, 0),
        box=box.SIMPLE_HEAD,
    )
    for header in ("what", "backend", "setting", "against"):
        result.add_column(header, overflow="fold")
    for header in ("polylux", "theirs", "ratio", "95 %", "bar", ""):
        result.add_column(header, justify="right", no_wrap=True)
    for m in measurements:
        result.add_row(
            m.name, m.backend, m.setting, m.peer, amount(m.ours, m.unit), amount(m.theirs, m.unit),
            f"{m.ratio:.2f}", f"{m.low:.2f}-{m.high:.2f}", "" if m.bar is None else f"{m.bar:.2f}",
            m.verdict,
        )  # fmt: skip
    return result


_STEPS: dict[str, tuple[tuple[str, float], ...]] = {
    "s": (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)),
    "B": (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10), ("B", 1.0)),
    "calls": (("", 1.0),),
    "objects": (("", 1.0),),
}


def amount(value: float, unit: str) -> str:
    """In the multiple of the unit that leaves one to three digits before the point."""
    name, size = next((s for s in _STEPS[unit] if value >= s[1]), _STEPS[unit][-1])
    return f"{value / size:.3g} {name}".rstrip()


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
        "measurements": [_row(m) for m in measurements],
    }


def _row(m: Measurement) -> dict[str, Any]:
    row = {**dataclasses.asdict(m), "verdict": m.verdict}
    # JSON has no infinity: something against nothing has no ratio
    return {k: None if v in (math.inf, -math.inf) else v for k, v in row.items()}


def write_json(measurements: Sequence[Measurement], path: Path) -> None:
    """The document, indented."""
    path.write_text(json.dumps(document(measurements), indent=1) + "\n", encoding="utf-8")


def show(measurements: Sequence[Measurement], console: Console) -> None:
    """Print the table."""
    console.print(table(measurements))
