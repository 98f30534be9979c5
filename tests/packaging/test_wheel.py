"""What the wheel holds and says."""

from __future__ import annotations

import configparser
import email
import zipfile
from pathlib import Path
from typing import Any

import pytest

import polylux

LIBRARIES = [
    "polylux", "polylux_torch", "polylux_jax", "polylux_autograd", "polylux_finitediff",
    "polylux_conformance",
]  # fmt: skip

# The last is a command only: nobody's types depend on it.
PACKAGES = [*LIBRARIES, "polylux_benchmarks"]

DATA = {
    f"polylux_conformance/oracle/{name}" for name in ("cases.json.gz", "trajectories.json")
}


@pytest.fixture(scope="session")
def files(wheel: Path) -> dict[str, str]:
    """The text of each file, and none for data."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: "" if name in DATA else archive.read(name).decode()
            for name in archive.namelist()
        }


def metadata(files: dict[str, str], name: str) -> str:
    return files[f"polylux-{polylux.__version__}.dist-info/{name}"]


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_there(files: dict[str, str], package: str) -> None:
    assert f"{package}/__init__.py" in files
    assert (f"{package}/py.typed" in files) or package not in LIBRARIES


def test_nothing_else_is_there(files: dict[str, str]) -> None:
    tops = {name.partition("/")[0] for name in files}
    assert tops == {*PACKAGES, f"polylux-{polylux.__version__}.dist-info"}
    others = {
        name
        for name in files
        if ".dist-info" not in name and Path(name).suffix not in (".py", ".typed")
    }
    assert others == DATA


def test_every_source_file_is_there(files: dict[str, str], root: Path) -> None:
    written = {
        str(path.relative_to(place))
        for place in (root / n for n in ("src", "backends", "conformance", "benchmarks"))
        for path in place.rglob("*.py")
    }
    assert written == {name for name in files if name.endswith(".py")}


def test_backends_and_the_command_are_entry_points(files: dict[str, str]) -> None:
    points = configparser.ConfigParser()
    points.read_string(metadata(files, "entry_points.txt"))
    assert dict(points["polylux.backends"]) == {
        "torch": "polylux_torch:plugin",
        "jax": "polylux_jax:plugin",
        "autograd": "polylux_autograd:plugin",
        "finitediff": "polylux_finitediff:plugin",
    }
    assert dict(points["console_scripts"]) == {"polylux": "polylux.cli:main"}


def test_metadata(files: dict[str, str]) -> None:
    about = email.message_from_string(metadata(files, "METADATA"))
    assert about["Name"] == "polylux"
    assert about["Version"] == polylux.__version__
    assert about["Requires-Python"] == ">=3.11"
    assert about["License-Expression"] == "MIT"
    extras: Any = about.get_all("Provides-Extra")
    assert set(extras) == {"torch", "jax", "autograd", "all", "demo", "conformance", "bench", "dev"}
    needs: Any = about.get_all("Requires-Dist")
    always = {need.partition(">=")[0] for need in needs if "extra ==" not in need}
    assert always == {"numpy", "optree", "array-api-compat", "typer", "rich"}
