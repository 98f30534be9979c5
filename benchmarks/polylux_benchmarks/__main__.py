"""`python -m polylux_benchmarks SUITE`: run suites, one process, one thread per framework."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

SUITES = ("train", "losses", "dispatch", "memory", "scaling")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def bench(
    suites: Annotated[
        list[str] | None, typer.Argument(help=f"Of {', '.join(SUITES)}; all by default.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only comparisons whose name or backend contains this.")
    ] = None,
    pairs: Annotated[int, typer.Option(help="Pairs in each of the repeats.")] = 41,
    repeats: Annotated[int, typer.Option(help="How often the pairs are repeated.")] = 3,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them here (PNG, SVG, PDF).")] = None,
) -> None:
    """Compare polylux with hand-written code of each framework: time in pairs, memory, traces."""
    chosen = suites or list(SUITES)
    unknown = [name for name in chosen if name not in SUITES]
    if unknown:
        raise typer.BadParameter(f"unknown suite {unknown[0]!r}; known are {', '.join(SUITES)}")
    # Before a framework is imported, as they read these then.
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    from polylux_benchmarks._run import run

    run(chosen, only, pairs, repeats, json, plot)


def main() -> None:
    """Run with the arguments of this process."""
    typer.run(bench)


if __name__ == "__main__":
    main()
