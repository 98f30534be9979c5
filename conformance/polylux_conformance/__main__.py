"""`python -m polylux_conformance NAME ...`: run the suite, print the verdicts, write reports."""

from __future__ import annotations

import sys

from polylux_conformance._command import main

if __name__ == "__main__":
    sys.exit(main())
