"""Comparison: what a suite yields, and the runner measures."""

from __future__ import annotations

from typing import Protocol

from polylux_benchmarks._timing import Measurement


class Comparison(Protocol):
    """A `Pair` of times, an `Amount`, or a pair in a process of its own.

    Attributes
    ----------
    suite, name, backend, setting : str
    """

    @property
    def suite(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def backend(self) -> str: ...

    @property
    def setting(self) -> str: ...

    def measured(self, pairs: int, repeats: int) -> Measurement:
        """What comes out of `repeats` times `pairs` pairs."""
        ...
