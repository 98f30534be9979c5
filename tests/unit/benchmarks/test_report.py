"""The table, the JSON and the picture of a run."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from polylux_benchmarks._plot import draw
from polylux_benchmarks._report import amount, table, write_json
from polylux_benchmarks._timing import Measurement

FOUND = [
    Measurement("train", "step", "jax", "4-8-2", "optax", 1.0, 9e-5, 1e-4, 0.9, 0.8, 0.95, 9),
    Measurement("train", "step", "torch", "4-8-2", "Adam", 0.7, 2e-4, 1e-4, 2.0, 1.9, 2.1, 9),
    Measurement(
        "memory", "growth", "torch", "10 steps", "none", 1.0, 5, 0, math.inf, math.inf, math.inf,
        1, "B",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5, "s", "1.5 s"),
        (0.0123, "s", "12.3 ms"),
        (4.56e-6, "s", "4.56 us"),
        (1e-8, "s", "0.01 us"),
        (0, "B", "0 B"),
        (3 * 2**20, "B", "3 MiB"),
        (2.0, "calls", "2"),
    ],
)
def test_an_amount_has_the_unit_that_fits(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def test_the_table_says_which_bars_are_missed() -> None:
    file = io.StringIO()
    Console(file=file, width=100).print(table(FOUND))
    rows = [line.split() for line in file.getvalue().splitlines()]
    assert ["0.90", "0.80-0.95", "1.00", "met"] in [row[-4:] for row in rows]
    assert ["2.00", "1.90-2.10", "0.70", "missed"] in [row[-4:] for row in rows]
    assert all(len(line) <= 100 for line in file.getvalue().splitlines())


def test_json_has_no_infinities(tmp_path: Path) -> None:
    write_json(FOUND, tmp_path / "found.json")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (tmp_path / "found.json").read_text(encoding="utf-8")
    document = json.loads(text, parse_constant=refuse)
    assert [m["verdict"] for m in document["measurements"]] == ["met", "missed", "missed"]
    assert [m["ratio"] for m in document["measurements"]] == [0.9, 2.0, None]


def test_the_picture_is_drawn_without_what_has_no_ratio(tmp_path: Path) -> None:
    draw(FOUND, tmp_path / "found.svg")
    text = (tmp_path / "found.svg").read_text(encoding="utf-8")
    assert "<!-- train: 4-8-2 -->" in text
    assert "growth" not in text


def test_nothing_to_draw_is_no_picture(tmp_path: Path) -> None:
    draw(FOUND[2:], tmp_path / "found.svg")
    assert not (tmp_path / "found.svg").exists()
