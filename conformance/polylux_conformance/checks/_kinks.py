"""Checks of the conventions at kinks, in `polylux.ops`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import polylux
from polylux import ops
from polylux.backend import Capability
from polylux_conformance._check import Check, truncated
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.scenarios._kinks import KINKS, Kink

LENGTH = 8
"""Of each array: that of the points of most array functions, of which operations are shared."""


def _body(subject: Subject, findings: Findings, kink: Kink) -> None:
    function = _summed(kink)
    for dtype in subject.dtypes:
        operands = tuple(np.asarray(x, dtype) for x in map(_resized, kink.operands))
        expected = np.asarray(_resized(kink.value) if len(kink.value) > 1 else kink.value)
        with subject.precision(*operands):
            staged = subject.backend.stage(lambda *x: ((_apply(kink, x),), None), subject.selector)
            (found,), _ = staged(*subject.own(*operands))
        true = expected if expected.size > 1 or found.shape else expected[0]
        findings.close("value", found, true, dtype=dtype, by_entry=True, point=kink.about)
        # Each point by itself too, as a 0-d array: kernels may take another path there.
        places = range(len(kink.operands[0]) if expected.size > 1 else 0)
        numbers = tuple(tuple(np.asarray(x[p], dtype) for x in kink.operands) for p in places)
        slopes, alone = polylux.gradient(function, subject.selector, (operands, numbers))
        for i, true in enumerate(kink.derivatives):
            findings.close(
                f"derivative by operand {i}", slopes[i], np.asarray(_resized(true), float),
                dtype=dtype, by_entry=True, point=kink.about,
            )  # fmt: skip
            for p in places:
                findings.close(
                    f"derivative by operand {i} of a 0-d array", alone[p][i],
                    np.asarray(true[p], float), dtype=dtype, by_entry=True,
                    point=f"{kink.about}: {tuple(float(n) for n in numbers[p])}",
                )  # fmt: skip


def _resized(points: tuple[float, ...]) -> tuple[float, ...]:
    """Points, the last repeated: eager frameworks compile an operation for each new shape."""
    return (*points, *points[-1:] * (LENGTH - len(points)))


def _apply(kink: Kink, operands: Any) -> Any:
    f = getattr(ops, kink.name)
    return f(*operands) if kink.call is None else kink.call(f, *operands)


@functools.cache
def _summed(kink: Kink) -> Any:
    def function(operands: Any) -> Any:
        # All in one trace. A sum's derivative is 1 whatever the values are, infinities included.
        together, numbers = operands
        y = _apply(kink, together)
        total = polylux.array_namespace(y).sum(y)
        for number in numbers:
            total = total + _apply(kink, number)
        return total

    return function


def _applies(subject: Subject, kink: Kink) -> str | None:
    return truncated(subject)


KINK_CHECKS = tuple(
    Check(
        f"kink/{kink.name}: {kink.about}",
        "core",
        "At the kink the function has the project's value and derivative.",
        functools.partial(_body, kink=kink),
        frozenset({Capability.GRADIENT}),
        functools.partial(_applies, kink=kink),
    )
    for kink in KINKS
    if kink.name in ops.__all__
)
