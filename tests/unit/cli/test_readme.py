"""README: its example runs, what it shows is what is printed, and its links lead somewhere."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polylux.cli._plot import DPI, SIZE
from polylux.cli._table import HEADERS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text()


def blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)


def test_the_example_runs_and_prints_what_is_said(readme: str) -> None:
    for framework in ("torch", "jax"):
        importlib.import_module(framework)
    example, _ = blocks(readme, "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"It prints `{done.stdout.strip()}`." in readme


def test_the_derivatives_are_what_calculus_says(readme: str) -> None:
    _, example = blocks(readme, "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    hessian, product, *_, jacobian, agrees = done.stdout.splitlines()
    np.testing.assert_allclose(json.loads(hessian), np.eye(2), atol=1e-15)
    np.testing.assert_allclose(json.loads(product), [1, 0], atol=1e-15)
    assert jacobian == "[[1.0, 0.0], [0.0, 1.0]]"
    assert agrees == "True"


def test_the_example_has_15_lines(readme: str) -> None:
    assert len(blocks(readme, "python")[0].splitlines()) == 15


def test_the_table_is_of_the_present_form(readme: str) -> None:
    (table,) = blocks(readme, "text")
    title, *head = table.partition("─")[0].splitlines()
    assert "3 backends, float64, 550 steps" in title
    assert sorted(" ".join(head).split()) == sorted(" ".join(HEADERS).split())


def test_the_picture_is_one_of_the_demos(readme: str) -> None:
    assert "(docs/images/demo.png)" in readme
    head = (ROOT / "docs/images/demo.png").read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    size = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    assert size == (round(SIZE[0] * DPI), round(SIZE[1] * DPI))


def test_what_it_links_to_is_there(readme: str) -> None:
    targets = [link for link in re.findall(r"\]\(([^)]+)\)", readme) if "://" not in link]
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target
