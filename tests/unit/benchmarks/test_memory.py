"""The measures of memory see what grows."""

from __future__ import annotations

import mmap

from polylux_benchmarks import memory


def test_growth_is_seen() -> None:
    leaked = []
    size = 2**20

    def leak() -> None:
        # Of the system's: what the process has freed would not make it grow.
        leaked.append(mmap.mmap(-1, size))
        leaked[-1].write(b"x" * size)

    assert 19 * size < memory._growth(leak, 2, 22) < 30 * size


def test_what_is_freed_is_no_growth() -> None:
    assert memory._growth(lambda: b"x" * 2**20, 10, 100) < 2**20


def test_a_peak_is_seen_after_it_is_gone() -> None:
    before = memory._peak()
    size = memory._peak() - memory._present() + 2**26
    gone = b"x" * size
    del gone
    assert memory._peak() >= before + 2**25
