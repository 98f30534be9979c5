"""Findings: what one check notes down while it runs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from polylux_conformance._compare import Comparison, compare, mismatch
from polylux_conformance._sample import Sample
from polylux_conformance._subject import Subject

Host = np.ndarray[Any, Any]

KEPT_FAILURES = 5
"""A report shows this many failures of a check; the rest are counted."""


class Findings:
    """Comparisons of one check: the worst, the failures, and samples of the numbers found.

    Attributes
    ----------
    subject : Subject
    count : int
        Comparisons made.
    failed : int
        How many of them failed.
    failures : list of Comparison
        The first few.
    worst : Comparison or None
        The one with the largest error in units of what is allowed.
    largest : Comparison or None
        The one with the largest error in units in the last place, which may be allowed more.
    samples : dict of Sample
        Numbers found, by `"dtype what @ point"`.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.count = 0
        self.failed = 0
        self.failures: list[Comparison] = []
        self.worst: Comparison | None = None
        self.largest: Comparison | None = None
        self.samples: dict[str, Sample] = {}

    def add(self, comparison: Comparison) -> bool:
        """Note a comparison; says whether it passed."""
        self.count += 1
        if self.worst is None or comparison.units > self.worst.units:
            self.worst = comparison
        if self.largest is None or comparison.ulps > self.largest.ulps:
            self.largest = comparison
        if not comparison.passed:
            self.failed += 1
            if len(self.failures) < KEPT_FAILURES:
                self.failures.append(comparison)
        return comparison.passed

    def close(
        self,
        what: str,
        found: Any,
        expected: Any,
        *,
        dtype: str,
        condition: float = 1.0,
        point: str = "",
        by_entry: bool = False,
        is_derivative: bool = False,
        scale: Iterable[Any] = (),
        sample: bool = False,
    ) -> bool:
        """Compare an array of the backend (or of the host) with the truth.

        Parameters
        ----------
        what, point : str
            For the report.
        found : array
        expected : array
            In a wider precision than `dtype`.
        dtype : str
            That `found` must have.
        condition : float
            See `allowed_ulps`.
        by_entry : bool
            Whether each entry's error is measured against that entry alone, and not against the
            largest of the array.
        is_derivative : bool
            Whether the accuracy of the backend's derivatives applies.
        scale : arrays
            Further true numbers whose size rounding errors have.
        sample : bool
            Keep the numbers, for comparing backends with each other.
        """
        host = self._on_host(what, found, point)
        if host is None:
            return False
        subject = self.subject
        floor = subject.floor((expected, *scale), by_entry=by_entry, is_derivative=is_derivative)
        allowed = subject.allowed(dtype, condition, is_derivative=is_derivative)
        if sample and host.dtype.kind == "f":
            self.samples[f"{dtype} {what} @ {point}"] = Sample.of(host, allowed, floor)
        return self.add(
            compare(
                what,
                host,
                expected,
                dtype=dtype,
                allowed=allowed,
                floor=floor,
                point=point,
            )
        )

    def exactly(self, what: str, found: Any, expected: Host, *, point: str = "") -> bool:
        """Compare an array bit for bit, dtype and shape included (NaN equals NaN)."""
        host = self._on_host(what, found, point)
        if host is None:
            return False
        expected = np.asarray(expected)
        if expected.dtype.kind == "f":
            dtype = str(expected.dtype)
            return self.add(compare(what, host, expected, dtype=dtype, allowed=0.5, point=point))
        alike = (host.dtype, host.shape) == (expected.dtype, expected.shape)
        return self.true(
            what, alike and bool(np.all(host == expected)), point=point,
            expected=_described(expected), found=_described(host),
        )  # fmt: skip

    def true(
        self, what: str, holds: bool, *, expected: str, found: object = "", point: str = ""
    ) -> bool:
        """Note whether a statement holds."""
        if holds:
            return self.add(Comparison(what, point, True, 0.0, 0.0, expected, str(found)))
        return self.add(mismatch(what, expected, str(found) or f"not {expected}", point))

    def crash(self, error: BaseException, doing: str = "the check") -> None:
        """Note an exception that nobody asked for."""
        text = f"{type(error).__name__}: {error}"
        self.add(Comparison(doing, "", False, math.inf, math.inf, "no exception", text))

    def _on_host(self, what: str, found: Any, point: str) -> Host | None:
        if isinstance(found, np.ndarray):
            return found
        if self.subject.owns(found):
            return self.subject.host(found)
        got = f"{type(found).__module__}.{type(found).__qualname__}"
        self.add(mismatch(what, f"an array of {self.subject.backend.name!r}", got, point))
        return None


def _described(array: Host) -> str:
    return f"{array.dtype} of shape {array.shape}: {array.reshape(-1)[:8].tolist()}"
