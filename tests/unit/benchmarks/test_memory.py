"""The measures of memory see what grows."""

from __future__ import annotations

from polylux_benchmarks import memory


def test_growth_is_seen() -> None:
    leaked = []
    size = 2**20
    found = memory._growth(lambda: leaked.append(b"x" * size), 2, 22)
    assert 19 * size < found < 30 * size


def test_what_is_freed_is_no_growth() -> None:
    assert memory._growth(lambda: b"x" * 2**20, 10, 100) < 2**20


def test_a_peak_is_seen_after_it_is_gone() -> None:
    before = memory._peak()
    size = memory._peak() - memory._present() + 2**26
    gone = b"x" * size
    del gone
    assert memory._peak() >= before + 2**25
