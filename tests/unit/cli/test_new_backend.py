"""`polylux new-backend`: what it makes is what the how-to shows, and passes the suite."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polylux.cli._new_backend import files

Invoke = Callable[..., Any]

HOW_TO = Path(__file__).parents[3] / "docs/how-to/write-a-backend.md"


def test_the_how_to_shows_every_file_as_it_is_made() -> None:
    shown = re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", HOW_TO.read_text(), re.S | re.M)
    assert dict(shown) == files("mine")


def test_it_makes_a_package_that_passes_the_suite(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("new-backend", "my_own", "--into", str(tmp_path))
    assert result.exit_code == 0
    assert "polylux conformance my_own" in result.stdout
    made = tmp_path / "polylux-my-own"
    # As pip would install it, without its network: the entry point is found on the path.
    info = made / "polylux_my_own-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: polylux-my-own\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[polylux.backends]\nmy_own = polylux_my_own:plugin\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests"],
        cwd=made, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(made), *_given_path()])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d{3} passed", done.stdout)


def _given_path() -> list[str]:
    return [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]


@pytest.mark.parametrize("name", ["Mine", "my-own", "1st", "class"])
def test_a_name_that_is_no_identifier_is_refused(invoke: Invoke, name: str, tmp_path: Path) -> None:
    result = invoke("new-backend", name, "--into", str(tmp_path))
    assert result.exit_code == 1
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_taken_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("new-backend", "torch", "--into", str(tmp_path))
    assert result.exit_code == 1
    assert "there is a backend named 'torch' already" in result.stderr


def test_an_existing_folder_is_left_alone(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "polylux-mine").mkdir()
    assert invoke("new-backend", "mine", "--into", str(tmp_path)).exit_code == 1
    assert not list((tmp_path / "polylux-mine").iterdir())
