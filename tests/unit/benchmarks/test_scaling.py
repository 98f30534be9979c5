"""What a leaf more costs, from steps of many leaves and of one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from polylux_benchmarks._children import Remote, _named
from polylux_benchmarks._timing import Measurement, Pair
from polylux_benchmarks.scaling import BAR, PerLeaf, pairs


@dataclasses.dataclass(frozen=True)
class Known(Pair):
    """A pair whose measurement is known beforehand."""

    seconds: tuple[float, float] = (1.0, 1.0)
    spread: float = 0.0

    def measured(self, pairs: int, repeats: int) -> Measurement:
        ours, theirs = self.seconds
        ratio = ours / theirs
        return Measurement(
            self.suite, self.name, self.backend, self.setting, self.peer, self.bar, ours, theirs,
            ratio, ratio - self.spread, ratio + self.spread, pairs * repeats,
        )  # fmt: skip


def known(ours: float, theirs: float, spread: float = 0.0) -> Any:
    return Known(
        "scaling", "step", "jax", "11 leaves", int, int, "by hand", seconds=(ours, theirs),
        spread=spread,
    )  # fmt: skip


def test_the_steps_own_cost_is_left_out() -> None:
    # 40 and 20 of a step's own; 3 and 2 for each of 10 further leaves.
    found = PerLeaf(known(70.0, 40.0, 0.05), known(40.0, 20.0), 11, 1.1).measured(5, 2)
    assert (found.name, found.setting, found.bar) == ("per leaf", "11 leaves", 1.1)
    assert (found.ours, found.theirs) == (3.0, 2.0)
    assert found.ratio == pytest.approx(1.5)
    # 5 % of the 40 are 2, a tenth of what the leaves cost.
    assert (found.low, found.high) == (pytest.approx(1.4), pytest.approx(1.6))
    assert found.verdict == "missed"


def test_rows_of_other_processes_are_those_that_they_say() -> None:
    rows = [row for row in pairs() if isinstance(row, Remote)]
    assert {row.backend for row in rows} == {"jax", "torch", "autograd"}
    for row in rows:
        pair = _named(row.make)(*row.arguments)
        assert (pair.suite, pair.name, pair.backend, pair.setting, pair.bar) == (
            row.suite, row.name, row.backend, row.setting, BAR,
        )  # fmt: skip
