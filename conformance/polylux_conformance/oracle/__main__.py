"""`python -m polylux_conformance.oracle`: runs the stored cases, or computes them anew."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import polylux
from polylux_conformance.oracle import BARS
from polylux_conformance.oracle._load import STORED
from polylux_conformance.oracle._report import report


def main() -> int:
    """Run the command; 1 if a case misses its bar."""
    parser = argparse.ArgumentParser(prog="python -m polylux_conformance.oracle")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("generate", help=f"compute {STORED} anew, with mpmath")
    run = commands.add_parser("report", help="run the cases; print the worst errors of each loss")
    run.add_argument("selectors", nargs="+", help='as they are printed: "AutoJax(jit=False)"')
    run.add_argument("--dtypes", nargs="+", default=list(BARS), choices=list(BARS))
    arguments = parser.parse_args()
    if arguments.command == "generate":
        return _generate()
    return _report(arguments.selectors, arguments.dtypes)


def _generate() -> int:
    from polylux_conformance.oracle._generate import generate  # mpmath: for this command alone

    path = Path(__file__).with_name(STORED)
    count = generate(path)
    sys.stdout.write(f"{count} cases, {path.stat().st_size} bytes\n")
    return 0


def _report(selectors: Sequence[str], dtypes: Sequence[str]) -> int:
    sys.stdout.write("largest errors in units in the last place: value, gradient\n")
    found = [eval(text, vars(polylux)) for text in selectors]
    missed = list(report(found, dtypes, sys.stdout.write))
    for finding in missed:
        sys.stdout.write(f"{finding.case.name}: {finding.value:.3g}, {finding.gradient:.3g}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
