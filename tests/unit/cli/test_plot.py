"""The picture: a PNG of the promised size, whatever the numbers are."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from polylux.cli._plot import DPI, SIZE, Curve, save

LOSSES = np.geomspace(2.0, 0.05, 12)
ZEROS = np.zeros(12)
SMALL = np.asarray([0.0, 1e-16, 3e-16] * 4)


def png_size(path: Path) -> tuple[int, int]:
    """Width and height from the header that the PNG specification prescribes."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert head[12:16] == b"IHDR"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


REFERENCE = Curve("autograd 1.9.1", LOSSES)
CASES = {
    "one backend": [REFERENCE],
    "two": [REFERENCE, Curve("jax", LOSSES, SMALL, 1e-15)],
    "equal bits": [REFERENCE, Curve("jax", LOSSES, ZEROS, 0.0)],
    "far apart": [REFERENCE, Curve("jax", LOSSES, np.geomspace(1e-16, 1.9, 12), 0.5)],
    "diverged": [REFERENCE, Curve("jax", LOSSES * np.nan, ZEROS * np.nan, np.nan)],
    "more than colors": [REFERENCE, *(Curve(f"b{n}", LOSSES, SMALL, 1e-15) for n in range(8))],
    "float32": [Curve("a", LOSSES.astype(np.float32)), Curve("b", LOSSES, SMALL, 1e-7)],
}


@pytest.mark.parametrize("curves", CASES.values(), ids=CASES.keys())
def test_it_is_a_png_of_the_promised_size(curves: list[Curve], tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    save(curves, 4, "A title", path)
    assert png_size(path) == (round(SIZE[0] * DPI), round(SIZE[1] * DPI))


def test_it_is_a_png_whatever_the_file_is_called(tmp_path: Path) -> None:
    save([REFERENCE], 4, "A title", tmp_path / "picture")
    assert png_size(tmp_path / "picture")[0] == round(SIZE[0] * DPI)
