"""The suite's command line; `polylux conformance` starts it in a process of its own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polylux import ADType, registry
from polylux.errors import PolyluxError
from polylux_conformance._check import LEVELS
from polylux_conformance._deviations import pairs
from polylux_conformance._gaps import read_gaps
from polylux_conformance._html import write_html
from polylux_conformance._naming import selector_named
from polylux_conformance._processes import AT_ONCE, ProcessDiedError, check_in_processes
from polylux_conformance._report import Report, Result, read_json, write_json
from polylux_conformance._runner import check_backend, checks_at
from polylux_conformance._support import write_support

USAGE_ERROR = 2

MOST_JOBS = 4
"""Each process loads the framework, and compilers use several processors by themselves."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code is 0 if every backend passed and all agree, 1 if not, 2 for a
    wrong command.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.list:
            for check in checks_at(options.level or ["core"], options.only):
                _print(f"{check.id}  ({check.level}): {check.about}")
            return 0
        if options.read:
            reports = [report for path in options.read for report in read_json(path)]
        else:
            reports = _run(options)
        agreement = pairs(reports)
        for pair in agreement:
            _print(str(pair))
        if options.json:
            write_json(reports, options.json)
        if options.html:
            write_html(reports, options.html)
        if options.support:
            write_support(reports, options.support)
    except (PolyluxError, ProcessDiedError, ValueError, OSError) as error:
        _note(f"Error: {error}")
        return USAGE_ERROR
    good = all(report.passed for report in reports) and all(pair.passed for pair in agreement)
    return 0 if reports and good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m polylux_conformance",
        description="Run polylux's conformance suite on backends.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help="backends by name, with options if wanted: torch, 'jax(jit=False)'; default: every "
        "backend that can run here",
    )  # fmt: skip
    parser.add_argument(
        "--level", action="append", choices=(*LEVELS, "all"),
        help="which checks; may be repeated (default: core)",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", default=[], metavar="PATTERN",
        help="only checks whose id matches, such as 'gradient/*'; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=int, metavar="N",
        help="so many processes run the checks; default: one for each processor, at most "
        f"{MOST_JOBS}",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the results")
    parser.add_argument("--support", type=Path, metavar="FILE",
                        help="write the table of docs/support.md")  # fmt: skip
    parser.add_argument(
        "--xfails", type=Path, metavar="FILE",
        help="a TOML file of known gaps, in place of the one that the plugin ships",
    )
    parser.add_argument(
        "--read", action="append", type=Path, metavar="FILE",
        help="run nothing, and read the results from a --json file; may be repeated",
    )
    parser.add_argument("--list", action="store_true", help="print the checks and run none")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _run(options: argparse.Namespace) -> list[Report]:
    selectors = [selector_named(name) for name in options.names] or _all_available()
    gaps = read_gaps(options.xfails) if options.xfails else None
    levels = options.level or ["core"]
    checks = checks_at(levels, options.only)
    if not checks:
        raise ValueError(f"no check of the level {', '.join(levels)} matches {options.only}")
    if options.jobs is not None and options.jobs < 1:
        raise ValueError(f"--jobs takes a number of processes, at least 1; got {options.jobs}")
    # Not more than there is work for.
    jobs = min(options.jobs or min(_processors(), MOST_JOBS), -(-len(checks) // AT_ONCE))
    reports = []
    for selector in selectors:
        progress = Progress(repr(selector), quiet=options.quiet)
        settings: dict[str, Any] = {
            "level": levels, "only": options.only, "gaps": gaps, "progress": progress,
        }  # fmt: skip
        if jobs == 1:
            report = check_backend(selector, **settings)
        else:
            report = check_in_processes(selector, jobs, **settings)
        progress.end()
        _print(str(report))
        reports.append(report)
    return reports


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _all_available() -> list[ADType]:
    names = [info.name for info in registry.backends() if info.available]
    if not names:
        raise ValueError("no backend can run here; `polylux backends` says what mends that")
    return [selector_named(name) for name in names]


class Progress:
    """One line on standard error that counts, and each failure as it happens.

    Where standard error is no terminal the line is printed at every tenth of the run.
    """

    def __init__(self, backend: str, *, quiet: bool = False) -> None:
        self.backend = backend
        self.quiet = quiet
        self._failed = 0
        self._is_terminal = sys.stderr.isatty()
        self._told = 0

    def __call__(self, done: int, total: int, result: Result) -> None:
        self._failed += result.status == "failed"
        if self.quiet:
            return
        line = f"{self.backend}: {done} of {total}, {self._failed} failed"
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[K{line}  {result.id[:60]}")
            sys.stderr.flush()
        elif done * 10 // total > self._told:
            self._told = done * 10 // total
            _note(line)

    def end(self) -> None:
        """Leave an empty line where the count was."""
        if self._is_terminal and not self.quiet:
            sys.stderr.write("\r\x1b[K")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _note(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
