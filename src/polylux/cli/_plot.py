"""The demo's picture: loss curves over each other, and below them how far they are apart."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]

SIZE = (9.0, 7.5)
"""Width and height in inches."""
DPI = 150

# Okabe, Ito (2008), Color universal design: told apart with any colour vision, and in grey by the
# widths. Curves that coincide are drawn from wide to narrow, so that each one shows.
_COLORS = ("#56B4E9", "#D55E00", "#000000", "#009E73", "#CC79A7", "#E69F00")
_WIDTHS = (7.0, 3.2, 1.1)
_MARKERS = ("o", "s", "D", "^", "v", "P")
_SIZES = (13.0, 8.0, 4.0)


@dataclasses.dataclass(frozen=True)
class Curve:
    """One backend's curves.

    Attributes
    ----------
    label : str
    losses : array of shape (steps,)
    deviations : array of shape (steps,), or None for the reference
        Relative, of each step's loss.
    parameters : float or None
        Relative deviation of the final parameters.
    """

    label: str
    losses: Floats
    deviations: Floats | None = None
    parameters: float | None = None


def save(curves: list[Curve], steps_per_epoch: int, title: str, path: Path) -> None:
    """Write the picture as PNG; the first curve is the reference."""
    from matplotlib.figure import Figure  # heavy, and of the extra `demo`

    # A figure of its own canvas, not pyplot's: no window system, no global state.
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    figure.suptitle(title, fontsize=14, fontweight="bold")
    for axes in (upper, lower):
        axes.set_yscale("log")
        axes.tick_params(labelsize=11)
        axes.grid(color="0.9", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    _draw_losses(upper, curves, steps_per_epoch)
    _draw_deviations(lower, curves)
    # Outside of the axes, where it can cover no curve.
    figure.legend(
        *upper.get_legend_handles_labels(),
        loc="outside lower center", ncols=3, fontsize=12, frameon=False,
    )  # fmt: skip
    figure.savefig(path, format="png")


def _draw_losses(axes: Axes, curves: list[Curve], steps_per_epoch: int) -> None:
    """Means of epochs, smooth enough to be drawn over each other, and one run's batches."""
    reference = curves[0].losses
    steps = np.arange(1, len(reference) + 1)
    axes.plot(steps, reference, color="0.75", linewidth=0.8, zorder=1)
    for number, curve in enumerate(curves):
        by_epoch = curve.losses.reshape(-1, steps_per_epoch).mean(axis=1)
        axes.plot(
            steps.reshape(-1, steps_per_epoch).mean(axis=1), by_epoch,
            color=_COLORS[number % len(_COLORS)],
            linewidth=_WIDTHS[min(number, len(_WIDTHS) - 1)],
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=_SIZES[min(number, len(_SIZES) - 1)],
            label=curve.label,
        )  # fmt: skip
    axes.set_ylabel("loss: means of epochs\n(grey: each batch)", fontsize=12)


def _draw_deviations(axes: Axes, curves: list[Curve]) -> None:
    """Each step's deviation, the largest so far, and that of the final parameters."""
    reference = curves[0]
    epsilon = float(np.finfo(reference.losses.dtype).eps)
    zero = _mark_zero(axes, curves, epsilon)
    for number, curve in enumerate(curves):
        if curve.deviations is None:
            continue
        color = _COLORS[number % len(_COLORS)]
        steps = np.arange(1, len(curve.deviations) + 1)
        largest = np.fmax.accumulate(curve.deviations)
        axes.plot(steps, np.maximum(curve.deviations, zero), ".", color=color, markersize=3.5)
        axes.plot(steps, np.maximum(largest, zero), color=color, linewidth=1.8)
        assert curve.parameters is not None
        axes.plot(
            len(steps), max(curve.parameters, zero), _MARKERS[number % len(_MARKERS)],
            color=color, markeredgecolor="white", markersize=11 - 2 * min(number, 3), zorder=3,
            clip_on=False,
        )  # fmt: skip
    axes.axhline(epsilon, color="0.4", linewidth=1.2, linestyle="--", zorder=1)
    axes.annotate(
        "machine\nepsilon", (1.01, epsilon), xycoords=("axes fraction", "data"),
        fontsize=10, color="0.3", va="center", annotation_clip=False,
    )  # fmt: skip
    axes.set_xlabel(
        "step (dots: its loss; lines: largest so far; last marks: final parameters)", fontsize=12
    )
    axes.set_ylabel(f"relative deviation\nfrom {reference.label}", fontsize=12)


def _mark_zero(axes: Axes, curves: list[Curve], epsilon: float) -> float:
    """Give the log axis a place for zero, a decade below all else, and ticks; returns the place."""
    shown = [epsilon]
    for curve in curves:
        if curve.deviations is not None:
            shown += [*curve.deviations, curve.parameters or 0.0]
    positive = [value for value in shown if value > 0 and np.isfinite(value)]
    bottom = int(np.floor(np.log10(min(positive)))) - 1
    top = int(np.ceil(np.log10(max(positive)) + 0.2))
    decades = range(bottom + 1, top + 1, 1 + (top - bottom) // 8)
    axes.set_yticks(
        [10.0**bottom, *(10.0**e for e in decades)], ["0", *(f"$10^{{{e}}}$" for e in decades)]
    )
    axes.set_ylim(10.0 ** (bottom - 0.3), 10.0**top)
    axes.minorticks_off()
    return 10.0**bottom
