"""Makes the wrong backends importable for the tests beside them."""

from __future__ import annotations

import sys
from pathlib import Path

# Tests are imported by path, so that a folder of theirs is no package and on no path.
sys.path.insert(0, str(Path(__file__).parent))
