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


def _body(subject: Subject, findings: Findings, kink: Kink) -> None:
    function = _summed(kink)
    for dtype in subject.dtypes:
        operands = tuple(np.asarray(x, dtype) for x in kink.operands)
        expected = np.asarray(kink.value)
        with subject.precision(*operands):
            staged = subject.backend.stage(lambda *x: ((_apply(kink, x),), None), subject.selector)
            (found,), _ = staged(*subject.own(*operands))
        true = expected if expected.size > 1 or found.shape else expected[0]
        findings.close("value", found, true, dtype=dtype, by_entry=True, point=kink.about)
        _, gradients = polylux.value_and_gradient(function, subject.selector, operands)
        for i, slopes in enumerate(kink.derivatives):
            findings.close(f"derivative by operand {i}", gradients[i], np.asarray(slopes, float),
                           dtype=dtype, by_entry=True, point=kink.about)  # fmt: skip
        for place in range(len(kink.operands[0]) if expected.size > 1 else 0):
            # Each point by itself too, as a 0-d array: kernels may take another path there.
            numbers = tuple(np.asarray(x[place], dtype) for x in kink.operands)
            _, gradients = polylux.value_and_gradient(function, subject.selector, numbers)
            for i, slopes in enumerate(kink.derivatives):
                findings.close(
                    f"derivative by operand {i} of a 0-d array", gradients[i],
                    np.asarray(slopes[place], float), dtype=dtype, by_entry=True,
                    point=f"{kink.about}: {tuple(float(n) for n in numbers)}",
                )  # fmt: skip


def _apply(kink: Kink, operands: Any) -> Any:
    f = getattr(ops, kink.name)
    return f(*operands) if kink.call is None else kink.call(f, *operands)


@functools.cache
def _summed(kink: Kink) -> Any:
    def function(operands: Any) -> Any:
        y = _apply(kink, operands)
        xp = polylux.array_namespace(y)
        # A value that is infinite or NaN at one point must not spoil the sum of the others.
        return xp.sum(y)

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
