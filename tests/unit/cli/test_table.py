"""The demo's table: its columns, its numbers as text, and narrow windows."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from polylux.cli._deviation import Deviation
from polylux.cli._table import HEADERS, Row, milliseconds, results_table

ROWS = [
    Row("autograd", "1.9.1", 0.0423604, 0.9777, 1.234e-3, None, None),
    Row("torch", "2.13.0+cpu", 0.0423604, 0.9777, 3.21e-4, Deviation(1e-15, 12), Deviation(0, 0)),
    Row("jax", "0.10.2", math.nan, 0.1, math.nan, Deviation(math.nan, math.nan), Deviation(2, 4e5)),
]


def printed(width: int, rows: list[Row] = ROWS) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(results_table(rows, "the title", "the caption", console))
    return console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


def words(text: str) -> list[str]:
    return " ".join(text.split()).split(" ")


def test_a_row_for_each_backend_where_there_is_room() -> None:
    text = printed(80)
    assert max(map(len, text.splitlines())) <= 80
    assert "the title" in text
    assert "the caption" in text
    (row,) = [line for line in text.splitlines() if line.startswith("torch")]
    measured = "torch 2.13.0+cpu 0.042360 97.77 % 0.321 ms 1.0e-15 0"
    assert row.split() == measured.split()
    (reference,) = [line for line in text.splitlines() if line.startswith("autograd")]
    assert reference.split()[-2:] == ["reference", "reference"]


def test_every_header_is_there() -> None:
    top = printed(80).partition("─")[0]
    for header in HEADERS:
        assert set(header.split()) <= set(top.split())


@pytest.mark.parametrize("width", [30, 40, 60])
def test_a_block_for_each_backend_in_a_narrow_window(width: int) -> None:
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for row in ROWS:
        for cell in row.cells():
            assert set(cell.split()) <= set(words(text))


def test_large_and_undefined_deviations_are_shown_as_they_are() -> None:
    text = printed(80)
    assert "nan ulps" in text
    assert "400,000 ulps" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5, "2500.000 ms"), (1.2344e-3, "1.234 ms"), (3.2e-5, "0.032 ms"), (math.nan, "-")],
)
def test_times_are_in_milliseconds(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text
