"""The picture of a run: each ratio with its interval and its bar, grouped by what was measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polylux_benchmarks._report import amount
from polylux_benchmarks._timing import Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe, Ito (2008), Color universal design: told apart with any colour vision.
COLORS = {
    "jax": "#0072B2",
    "torch": "#D55E00",
    "torch compiled": "#8C3A00",
    "autograd": "#009E73",
}
OTHER = "#555555"
FASTER, SLOWER = "#2e7d32", "#b3261e"
ROW = 0.25
"""Inches."""


def draw(measurements: Sequence[Measurement], path: Path) -> None:
    """One panel for each suite and setting, one row for each comparison, a logarithmic axis."""
    from matplotlib.figure import Figure  # heavy, and of the extra `bench`

    shown = [m for m in measurements if math.isfinite(m.high) and m.ratio > 0]
    if not shown:
        return
    groups = _groups(shown)
    # A figure of its own canvas, not pyplot's: no window system, no global state.
    rows = [len(group) + 1.6 for _, group in groups]
    figure = Figure(figsize=(11, 1.2 + ROW * sum(rows)), dpi=150, layout="constrained")
    panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False, height_ratios=rows)[:, 0]
    figure.suptitle("polylux / its peer, in pairs: left of 1 polylux is better", fontweight="bold")
    start, stop = _limits(shown)
    for axes, (title, group) in zip(panels, groups, strict=True):
        axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
        axes.axvspan(start, 1, color=FASTER, alpha=0.05, linewidth=0)
        axes.axvspan(1, stop, color=SLOWER, alpha=0.05, linewidth=0)
        axes.axvline(1.0, color="0.5", linewidth=1)
        for row, m in enumerate(reversed(group)):
            _row(axes, row, m)
        axes.set_yticks(range(len(group)), [_label(m) for m in reversed(group)])
        axes.set_ylim(-0.6, len(group) - 0.4)
        axes.tick_params(axis="y", length=0, labelsize=8)
        axes.grid(axis="x", color="0.9", linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    _scale(panels[-1], start, stop)
    panels[-1].set_xlabel(
        "ratio: median of the pairs and its 95 % interval; | the bar asked for, "
        "figures green where it is met"
    )
    figure.legend(handles=_legend(shown), loc="outside lower center", ncols=6, fontsize=8,
                  frameon=False)  # fmt: skip
    figure.savefig(path)


def _groups(measurements: Sequence[Measurement]) -> list[tuple[str, list[Measurement]]]:
    """By suite and setting, in the order in which these were met."""

    def title(m: Measurement) -> str:
        return f"{m.suite}: {m.setting}"

    order = {name: i for i, name in enumerate(dict.fromkeys(map(title, measurements)))}
    ordered = sorted(measurements, key=lambda m: order[title(m)])
    return [(name, list(group)) for name, group in itertools.groupby(ordered, key=title)]


def _row(axes: Axes, row: int, m: Measurement) -> None:
    color = COLORS.get(m.backend, OTHER)
    axes.plot([m.low, m.high], [row, row], color=color, linewidth=2.5, alpha=0.5,
              solid_capstyle="butt")  # fmt: skip
    axes.plot([m.ratio], [row], "o", color=color, markersize=5)
    if m.bar is not None:
        axes.plot([m.bar], [row], "|", color="black", markersize=11, markeredgewidth=1.6)
    verdict = {"met": FASTER, "missed": SLOWER}.get(m.verdict, "0.35")
    text = f"{m.ratio:.2f}   {amount(m.ours, m.unit)} / {amount(m.theirs, m.unit)}"
    axes.annotate(
        text, (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=8,
        color=verdict, annotation_clip=False,
    )  # fmt: skip


def _label(m: Measurement) -> str:
    return f"{m.name}, {m.backend}, against {m.peer}"


def _limits(measurements: Sequence[Measurement]) -> tuple[float, float]:
    """A little beyond all that is drawn, and 1 between them."""
    ends = [1.0]
    for m in measurements:
        ends += [max(m.low, m.ratio / 4), m.high]
        if m.bar is not None:
            ends.append(m.bar)
    return min(ends) / 1.12, max(ends) * 1.12


def _scale(axes: Axes, start: float, stop: float) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(start, stop)
    for marks in (_WIDE, _MIDDLE, _NARROW):
        ticks = [t for t in marks if start <= t <= stop]
        if len(ticks) >= 6:
            break
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


_WIDE = tuple(m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5))
_MIDDLE = tuple(m * 10.0**e for e in range(-4, 5) for m in (1, 1.5, 2, 3, 5, 7))
_NARROW = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0)


def _legend(measurements: Sequence[Measurement]) -> list[Any]:
    from matplotlib.lines import Line2D

    names = dict.fromkeys(m.backend for m in measurements)
    handles: list[Any] = [
        Line2D([], [], color=COLORS.get(name, OTHER), marker="o", linewidth=2.5, label=name)
        for name in names
    ]
    if any(m.bar is not None for m in measurements):
        handles.append(
            Line2D([], [], color="black", marker="|", markersize=11, linestyle="", label="bar")
        )
    return handles
