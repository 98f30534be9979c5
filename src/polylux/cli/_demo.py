"""`polylux demo`: the same training run with every backend, and how far the results are apart."""

from __future__ import annotations

import enum
import importlib.util
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from polylux.cli import _console, _contenders, _deviation, _plot, _table, _training
from polylux.cli._contenders import Contender
from polylux.cli._digits import load_digits
from polylux.cli._plot import Curve
from polylux.cli._table import Row
from polylux.cli._training import Run, Task
from polylux.errors import BackendError


class DType(enum.StrEnum):
    """Floating dtypes to train in."""

    float32 = "float32"
    float64 = "float64"


def demo(
    backend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Train with this backend; may be repeated. The first one is the reference. "
            "Without it: every backend that can run.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 25,
    dtype: Annotated[DType, typer.Option(help="Of parameters and data.")] = DType.float32,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="Write a PNG: loss curves, and their deviations from the reference.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the initial parameters and the order of the images.")
    ] = 0,
) -> None:
    """Train one model on real handwritten digits with every backend, and compare the numbers.

    The data are scikit-learn's 1,797 digits of 8 x 8 pixels, a fifth of them for the test; the
    model is a multilayer perceptron 64-64-10 with relu, trained by Adam. Initial parameters,
    batches and their order are the same for every backend.

    Deviations are the largest ones from the reference, the first backend: |a - b| over the larger
    magnitude m of the two, and over the spacing of floating-point numbers at m (units in the last
    place, ulps). For the loss curve m is taken at each step, for the final parameters it is the
    largest entry of each array.

    The time per step is the median without the first step, which may compile.
    """
    _check_extras(plot)
    contenders = _choose(backend or [], dtype)
    task = _training.make_task(load_digits(dtype), dtype, epochs, seed)
    runs = _train(task, contenders)
    what = f"{len(contenders)} backend{'s' * (len(contenders) > 1)}, {dtype}, {task.steps} steps"
    title = f"MLP 64-64-10 on 1,797 handwritten digits: {what}"
    rows, curves = _compare(contenders, runs)
    console = _console.results()
    console.print(_table.results_table(rows, title, _caption(rows), console))
    if plot is not None:
        _plot.save(curves, task.steps_per_epoch, title, plot)
        _console.notes().print(f"Wrote {plot}", soft_wrap=True)


def _check_extras(plot: Path | None) -> None:
    """Give up before any work where a package or a folder is missing."""
    needed = {"sklearn": "scikit-learn"} | ({"matplotlib": "matplotlib"} if plot else {})
    for module, name in needed.items():
        if importlib.util.find_spec(module) is None:
            _console.fail(
                f"the demo needs {name}, which is not installed; run: pip install 'polylux[demo]'"
            )
    if plot is not None and not plot.parent.is_dir():
        _console.fail(f"cannot write {str(plot)!r}: there is no folder {str(plot.parent)!r}")


def _choose(names: list[str], dtype: str) -> list[Contender]:
    try:
        with _console.notes().status("Loading frameworks"):
            if names:
                return _contenders.named(names, dtype)
            contenders, left_out = _contenders.every_available(dtype)
    except BackendError as error:
        _console.fail(error)
    for remark in left_out:
        _console.notes().print(remark, soft_wrap=True)
    if not contenders:
        _console.fail(
            "no backend can run here; install at least one: pip install 'polylux[all]' "
            "(or 'polylux[torch]', 'polylux[jax]', 'polylux[autograd]')"
        )
    return contenders


def _train(task: Task, contenders: list[Contender]) -> list[Run]:
    """One run for each contender, each with a progress bar."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_console.notes()) as progress:
        bars = [
            progress.add_task(contender.name, total=task.steps, start=False, loss="-")
            for contender in contenders
        ]
        return [
            _train_one(task, contender, progress, bar)
            for contender, bar in zip(contenders, bars, strict=True)
        ]


def _train_one(task: Task, contender: Contender, progress: Progress, bar: TaskID) -> Run:
    def on_step(loss: float) -> None:
        progress.update(bar, advance=1, loss=f"{loss:.4f}")

    progress.start_task(bar)
    return _training.run(task, contender.selector, on_step)


def _compare(contenders: list[Contender], runs: list[Run]) -> tuple[list[Row], list[Curve]]:
    """What the table and the picture show of each run, next to the first one."""
    rows, curves = [], []
    for contender, run in zip(contenders, runs, strict=True):
        loss = by_step = parameters = None
        if run is not runs[0]:
            loss, by_step = _deviation.of_curve(runs[0].losses, run.losses)
            parameters = _deviation.of_leaves(runs[0].leaves, run.leaves)
        rows.append(
            Row(
                backend=contender.name,
                version=contender.version,
                final_loss=run.final_loss,
                accuracy=run.accuracy,
                seconds_per_step=run.seconds_per_step,
                loss_curve=loss,
                parameters=parameters,
            )
        )
        label = f"{contender.name} {contender.version}"
        curves.append(
            Curve(label, run.losses, by_step, parameters.relative if parameters else None)
        )
    return rows, curves


def _caption(rows: list[Row]) -> str:
    lines = "Time per step: median without the first step, which may compile."
    if len(rows) > 1:
        lines += (
            f"\nDeviations from {rows[0].backend}: the largest over all steps, and over all arrays "
            "of the final parameters (see polylux demo --help)."
        )
    return lines
