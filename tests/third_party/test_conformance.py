"""A stranger's backend passes the conformance suite, by the command that a stranger would use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_it_passes_every_level(tmp_path: Path) -> None:
    # The entry point as pip would install it.
    info = tmp_path / "polylux_finite_difference-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: polylux-finite-difference\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[polylux.backends]\nfinite_difference = polylux_finite_difference:plugin\n"
    )
    given = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join([str(tmp_path), str(HERE), *([given] if given else [])])
    done = subprocess.run(
        [sys.executable, "-m", "polylux_conformance", "finite_difference", "--level", "all"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stdout
