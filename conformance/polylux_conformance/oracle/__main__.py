"""`python -m polylux_conformance.oracle`: computes the stored cases anew, or runs them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from polylux_conformance.oracle._generate import generate
from polylux_conformance.oracle._load import STORED


def main() -> None:
    """Generate the cases."""
    parser = argparse.ArgumentParser(prog="python -m polylux_conformance.oracle")
    parser.add_argument("command", choices=["generate"])
    parser.parse_args()
    path = Path(__file__).with_name(STORED)
    count = generate(path)
    sys.stdout.write(f"{count} cases, {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
