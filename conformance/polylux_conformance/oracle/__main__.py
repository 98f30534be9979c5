"""`python -m polylux_conformance.oracle`: runs the stored cases, or computes them anew."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import polylux
from polylux_conformance.oracle import BARS
from polylux_conformance.oracle._load import STORED, STORED_TRAJECTORIES
from polylux_conformance.oracle._report import report


def main() -> int:
    """Run the command; 1 if a case misses its bar."""
    parser = argparse.ArgumentParser(prog="python -m polylux_conformance.oracle")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("generate", help="compute the stored files anew, with mpmath")
    run = commands.add_parser("report", help="run the cases; print the worst errors of each loss")
    run.add_argument("selectors", nargs="+", help='as they are printed: "AutoJax(jit=False)"')
    run.add_argument("--dtypes", nargs="+", default=list(BARS), choices=list(BARS))
    arguments = parser.parse_args()
    if arguments.command == "generate":
        return _generate()
    return _report(arguments.selectors, arguments.dtypes)


def _generate() -> int:
    # mpmath: for this command alone
    from polylux_conformance.oracle._generate import generate
    from polylux_conformance.oracle._trajectories import generate_trajectories

    for name, make in ((STORED, generate), (STORED_TRAJECTORIES, generate_trajectories)):
        path = Path(__file__).with_name(name)
        sys.stdout.write(f"{name}: {make(path)} entries, {path.stat().st_size} bytes\n")
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
