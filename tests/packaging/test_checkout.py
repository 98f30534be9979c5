"""The files at the root agree with each other: README, .ci/run, pins and lower bounds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from polylux import registry

SET_UP = [
    "python3 -m venv .venv",
    '.venv/bin/pip install -c constraints.txt -e ".[dev]"',
    ".venv/bin/polylux demo",
]
TEST = [".venv/bin/python -m pytest -n 2 --dist loadfile"]


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return project


@pytest.fixture(scope="module")
def pins(root: Path) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_readme_begins_with_the_two_blocks_that_set_everything_up(root: Path) -> None:
    readme = (root / "README.md").read_text()
    blocks = re.findall(
        r"^```(?:sh|bash|shell|console)\n(.*?)^```", readme, re.DOTALL | re.MULTILINE
    )
    assert [block.splitlines() for block in blocks[:2]] == [SET_UP, TEST]


def test_ci_runs_what_readme_says(root: Path) -> None:
    lines = (root / ".ci/run").read_text().replace(" --progress-bar off", "").splitlines()
    assert SET_UP[0] in lines
    assert SET_UP[1] in lines
    assert TEST[0] in lines
    assert (root / ".ci/run").stat().st_mode & 0o111


def test_pins_are_plain_versions(pins: dict[str, str]) -> None:
    for name, version in pins.items():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", name)
        assert re.fullmatch(r"[0-9]+(\.[0-9]+)*(\.?(post|rc|a|b)[0-9]+)?", version)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(project: dict[str, Any]) -> list[str]:
    extras = project["optional-dependencies"].values()
    every = project["dependencies"] + [line for extra in extras for line in extra]
    return [line for line in every if not line.startswith("polylux[")]


def test_every_dependency_has_a_lower_bound_and_a_pin_above_it(
    project: dict[str, Any], pins: dict[str, str]
) -> None:
    pinned = {normal(name): version for name, version in pins.items()}
    for requirement in requirements(project):
        name, _, bound = requirement.partition(">=")
        release = tuple(map(int, bound.split(".")))
        assert tuple(map(int, pinned[normal(name)].split("."))) >= release


def test_a_plugins_minimum_is_the_lower_bound_of_its_extra(project: dict[str, Any]) -> None:
    for name in ("torch", "jax", "autograd"):
        (bound,) = project["optional-dependencies"][name]
        plugin = registry.plugins()[name]
        assert bound == f"{plugin.distribution}>={plugin.minimum}"
        assert plugin.install == f"pip install 'polylux[{name}]'"
