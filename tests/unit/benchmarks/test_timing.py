"""Pairs and amounts: the order of samples, the ratio's interval, and what counts as missed."""

from __future__ import annotations

import dataclasses
import math
import time

import pytest

from polylux_benchmarks import _timing
from polylux_benchmarks._amounts import Amount
from polylux_benchmarks._timing import Measurement, Pair, interval, measure

NAMES = ("suite", "name", "backend", "setting")


def measurement(low: float, bar: float | None) -> Measurement:
    return Measurement(*NAMES, "peer", bar, 1.0, 1.0, 1.0, low, 2.0, 3)


def test_samples_are_taken_in_the_order_a_b_b_a() -> None:
    order = ""

    def take(letter: str) -> None:
        nonlocal order
        order += letter

    pair = Pair(*NAMES, lambda: take("a"), lambda: take("b"), "peer", is_first_call=True)
    assert measure(pair, pairs=2, repeats=3).pairs == 6
    assert order == "abba" * 6


def test_a_ratio_is_ours_over_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def spend(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    found = measure(Pair(*NAMES, lambda: spend(3e-3), lambda: spend(2e-3), "peer"), 5, 1)
    assert found.ratio == pytest.approx(1.5)
    assert (found.ours, found.theirs) == (pytest.approx(3e-3), pytest.approx(2e-3))


def test_short_calls_are_repeated_within_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = 0.0, 0

    def spend() -> None:
        nonlocal now, calls
        now, calls = now + 1e-5, calls + 1

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    found = measure(Pair(*NAMES, spend, spend, "peer"), 1, 1)
    assert found.ours == pytest.approx(1e-5)
    assert calls >= 4 * _timing.SHORTEST / 1e-5  # four samples


def test_both_sides_are_called_as_often_in_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = 0.0, {1e-5: 0, 1e-4: 0}

    def spend(seconds: float) -> None:
        nonlocal now
        now, calls[seconds] = now + seconds, calls[seconds] + 1

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    measure(Pair(*NAMES, lambda: spend(1e-5), lambda: spend(1e-4), "peer"), 1, 1)
    assert calls[1e-5] == calls[1e-4]
    assert calls[1e-5] >= 2 * _timing.SHORTEST / 1e-5  # two samples of the faster side


def test_waiting_is_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def wait(result: float) -> None:
        nonlocal now
        now += result

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    pair = Pair(*NAMES, lambda: 1.0, lambda: 2.0, "peer", wait=wait)
    assert measure(pair, 1, 1).ratio == pytest.approx(0.5)


def test_a_long_pair_is_not_repeated_as_often() -> None:
    pair = Pair(*NAMES, int, int, "peer", is_first_call=True, most=2)
    assert pair.measured(41, 3).pairs == 2


def test_the_interval_of_a_median_is_that_of_order_statistics() -> None:
    # Conover (1999), Practical nonparametric statistics, table A3: for n = 41 and a half, the
    # ranks 14 and 28 enclose the median with 95 %.
    assert interval([float(i) for i in range(1, 42)]) == (15.0, 27.0)


def test_the_interval_of_a_few_is_their_range() -> None:
    assert interval([3.0, 1.0, 2.0]) == (1.0, 3.0)


@pytest.mark.parametrize(
    ("low", "bar", "verdict"),
    [(1.2, 1.1, "missed"), (1.1, 1.1, "met"), (0.9, 1.1, "met"), (9, None, "")],
)
def test_a_bar_is_missed_when_the_whole_interval_lies_above(
    low: float, bar: float | None, verdict: str
) -> None:
    assert measurement(low, bar).verdict == verdict


def amount(ours: float, theirs: float) -> Amount:
    return Amount(*NAMES, lambda: ours, lambda: theirs, "peer", "calls", 1.0)


def test_nothing_against_nothing_is_met() -> None:
    found = amount(0, 0).measured(41, 3)
    assert (found.ratio, found.pairs, found.verdict) == (1.0, 3, "met")


def test_something_against_nothing_is_missed() -> None:
    found = amount(2, 0).measured(41, 1)
    assert (found.ratio, found.verdict) == (math.inf, "missed")


def test_an_exact_amount_is_found_once() -> None:
    assert dataclasses.replace(amount(1, 2), is_exact=True).measured(41, 3).pairs == 1
