"""`polylux demo`: a whole run, its options, and what it says when it cannot run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polylux.backend import HostBackend
from polylux.cli._table import HEADERS

Invoke = Callable[..., Any]


class Absent(HostBackend):
    """Its framework is not installed."""

    name = "absent"


def test_it_prints_one_table_with_a_row_for_each_backend(
    invoke: Invoke, available: list[str]
) -> None:
    result = invoke("demo", "--epochs", "1")
    assert result.exit_code == 0
    text = result.stdout
    assert text.count("─\n") == 1
    for header in HEADERS:
        assert set(header.split()) <= set(text.split())
    rows = [line.split() for line in text.splitlines()]
    assert [row[0] for row in rows if row and row[0] in available] == available
    assert f"{len(available)} backend" in text
    assert "without the first step" in text


def test_there_is_a_progress_bar_for_each_backend_outside_of_standard_output(
    available: list[str],
) -> None:
    program = "from polylux.cli import main; import sys; sys.argv = sys.argv[1:]; main()"
    arguments = ["polylux", "demo", "--epochs", "2", "--backend", available[0]]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert re.search(rf"^{available[0]} .*44/44 loss \d\.\d{{4}}", done.stderr, re.MULTILINE)
    assert "44/44" not in done.stdout


def test_named_backends_run_in_the_order_given(invoke: Invoke, available: list[str]) -> None:
    names = available[::-1][:2]
    options = [part for name in names for part in ("--backend", name)]
    rows = [line.split() for line in invoke("demo", "--epochs", "1", *options).stdout.splitlines()]
    assert [row[0] for row in rows if row and row[0] in available] == names
    (reference,) = [row for row in rows if row and row[0] == names[0]]
    assert reference[-2:] == ["reference", "reference"]


def test_dtype_and_seed_reach_the_runs(invoke: Invoke, available: list[str]) -> None:
    def losses(*options: str) -> str:
        text = invoke("demo", "--epochs", "1", "--backend", available[0], *options).stdout
        (row,) = [line for line in text.splitlines() if line.startswith(available[0])]
        return row.split()[2]

    assert "float64" in invoke("demo", "--epochs", "1", "--dtype", "float64").stdout
    assert losses("--seed", "1") != losses("--seed", "2")
    assert losses("--seed", "1") == losses("--seed", "1")


def test_the_narrowest_window_loses_no_number(invoke: Invoke, available: list[str]) -> None:
    text = invoke("demo", "--epochs", "1", columns=36).stdout
    assert max(map(len, text.splitlines())) <= 36
    assert "…" not in text
    assert text.count("test accuracy") == len(available)


def test_plot_writes_a_png(invoke: Invoke, available: list[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the demo's pictures need it")
    path = tmp_path / "demo.png"
    result = invoke("demo", "--epochs", "1", "--plot", str(path))
    assert result.exit_code == 0
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert f"Wrote {path}" in " ".join(result.output.split())


def test_an_unknown_backend_is_an_error_with_the_nearest_name(
    invoke: Invoke, available: list[str]
) -> None:
    result = invoke("demo", "--backend", available[0], "--backend", "torhc", columns=30)
    assert result.exit_code == 1
    assert "Error: no backend named 'torhc' is registered; did you mean 'torch'?" in result.output


@pytest.mark.usefixtures("available")
def test_an_unavailable_backend_is_an_error_with_the_line_that_mends_it(
    invoke: Invoke, register: Callable[..., None]
) -> None:
    register(Absent, framework="no_such_framework", install="pip install 'polylux[absent]'")
    result = invoke("demo", "--backend", "absent", columns=30)
    assert result.exit_code == 1
    assert "which is not installed; run: pip install 'polylux[absent]'" in result.output


@pytest.mark.usefixtures("available")
def test_no_backend_that_can_run_is_an_error(invoke: Invoke, register: Callable[..., None]) -> None:
    register(Absent, framework="no_such_framework", install="pip install 'polylux[absent]'")
    result = invoke("demo")
    assert result.exit_code == 1
    assert "absent is left out: " in result.output
    assert "pip install 'polylux[all]'" in result.output


@pytest.mark.parametrize(
    ("module", "package", "options"),
    [("sklearn", "scikit-learn", []), ("matplotlib", "matplotlib", ["--plot", "demo.png"])],
)
def test_a_missing_package_is_named_before_anything_runs(
    invoke: Invoke,
    available: list[str],
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    package: str,
    options: list[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    result = invoke("demo", *options)
    assert result.exit_code == 1
    assert f"needs {package}, which is not installed" in result.output
    assert "run: pip install 'polylux[demo]'" in result.output
    assert "backend" not in result.stdout


@pytest.mark.usefixtures("available")
def test_a_picture_in_a_folder_that_is_not_there_is_refused_before_anything_runs(
    invoke: Invoke, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="the demo's pictures need it")
    result = invoke("demo", "--plot", str(tmp_path / "nowhere" / "demo.png"))
    assert result.exit_code == 1
    assert "there is no folder" in result.output


@pytest.mark.parametrize(
    ("option", "value"),
    [("--dtype", "float16"), ("--epochs", "0"), ("--epochs", "many"), ("--seed", "-1")],
)
def test_a_bad_value_is_a_usage_error_that_names_its_option(
    invoke: Invoke, option: str, value: str
) -> None:
    result = invoke("demo", option, value)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.output
