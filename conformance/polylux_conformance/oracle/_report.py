"""Running all cases on some selectors, and the worst error of each loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from polylux import ADType, array_namespace, to_backend, to_host, value_and_gradient
from polylux_conformance.oracle._case import Case
from polylux_conformance.oracle._load import arrays, build, cases


class Finding:
    """Errors of the value and of the gradient of a case under a selector."""

    __slots__ = ("case", "gradient", "value")

    def __init__(self, case: Case, value: float, gradient: float) -> None:
        self.case = case
        self.value = value
        self.gradient = gradient

    @property
    def holds(self) -> bool:
        """Whether both are within the bar."""
        return max(self.value, self.gradient) <= self.case.bar


def run(case: Case, selector: ADType) -> Finding:
    """Value and gradient of one case under a selector, against the exact ones.

    Examples
    --------
    >>> from polylux import AutoAutograd
    >>> run(cases(loss="MSELoss", dtype="float64")[0], AutoAutograd()).holds
    True
    """
    p, t, weight = (None if a is None else to_backend(a, selector) for a in arrays(case))
    loss = build(case)
    # A scalar comes with its gradient, from one compiled function where the selector compiles.
    value, found = to_host(value_and_gradient(_total, selector, p, t, weight, loss))
    if loss.agg is None:
        value = to_host(loss(p, t, sample_weight=weight))
    return Finding(
        case,
        case.value_error(value) if str(value.dtype) == case.dtype else np.inf,
        case.gradient_error(found) if str(found.dtype) == case.dtype else np.inf,
    )


def _total(p: Any, t: Any, weight: Any, loss: Any) -> Any:
    value = loss(p, t, sample_weight=weight)
    return array_namespace(value).sum(value) if value.ndim else value


def report(
    selectors: Iterable[ADType], dtypes: Iterable[str], write: Callable[[str], Any]
) -> Iterator[Finding]:
    """Write the worst errors of each loss under each selector; gives what misses the bar."""
    for selector in selectors:
        for dtype in dtypes:
            worst: dict[str, list[float]] = {}
            for case in cases(dtype=dtype):
                finding = run(case, selector)
                known = worst.setdefault(case.loss, [0.0, 0.0])
                known[0] = max(known[0], finding.value)
                known[1] = max(known[1], finding.gradient)
                if not finding.holds:
                    yield finding
            for loss, (value, slope) in sorted(worst.items()):
                write(f"{selector!r:24} {dtype:9} {loss:24} {value:10.2f} {slope:10.2f}\n")
