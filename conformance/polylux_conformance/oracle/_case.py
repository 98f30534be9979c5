"""Case: one loss at one point, with its exact value and gradient."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

Host = np.ndarray[Any, Any]

EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
SMALLEST = {"float64": 2.0**-1022, "float32": 2.0**-126, "float16": 2.0**-14, "bfloat16": 2.0**-126}

BARS = {"float64": 8.0, "float32": 8.0, "float16": 2.0, "bfloat16": 2.0}
"""Largest error of a value or gradient in units in the last place, by the prediction's dtype."""


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One loss at one point, with its value and gradient from multiprecision arithmetic.

    Attributes
    ----------
    name : str
        Unique; made of the loss, the dtype and what the point is about.
    loss : str
        The class's name in `polylux.losses`.
    options : mapping
        Its keywords; `agg` is "mean", "sum", "none", or "squares" for the function that takes half
        the sum of the squared items.
    dtype : str
        Of the prediction: "float64", "float32", "float16" or "bfloat16".
    prediction : array of float64
        Values that `dtype` represents exactly.
    target : array of float64, int64 or bool
        Cast a float64 one to `dtype`, which represents it exactly too.
    sample_weight : array of float64, or None
        For the call; of the items' shape.
    value : array of float64
        The loss, rounded once.
    gradient : array of float64
        The derivative of the sum of `value` by the prediction, rounded once.
    value_condition, gradient_condition : float
        1 where nothing cancels; else the magnitudes that are added up, over the largest entry.
    value_floor, gradient_floor : float
        Absolute error that is rounding of the terms of which the true value is the small
        difference: 4 machine epsilons of the largest. Cross entropy of logits has it throughout,
        for the frameworks' own kernels.
    """

    name: str
    loss: str
    options: Mapping[str, Any]
    dtype: str
    prediction: Host
    target: Host
    sample_weight: Host | None
    value: Host
    gradient: Host
    value_condition: float
    gradient_condition: float
    value_floor: float
    gradient_floor: float

    @property
    def bar(self) -> float:
        """The largest error that is allowed, in the unit of the two methods."""
        return BARS[self.dtype]

    def value_error(self, found: Any) -> float:
        """Error of a value, in units in the last place times the condition number."""
        return self._error(found, self.value, self.value_condition, self.value_floor)

    def gradient_error(self, found: Any) -> float:
        """Error of a gradient, in units in the last place times the condition number."""
        return self._error(found, self.gradient, self.gradient_condition, self.gradient_floor)

    def _error(self, found: Any, exact: Host, condition: float, floor: float) -> float:
        got = np.asarray(found).astype(np.float64)
        if got.shape != exact.shape:
            return np.inf
        finite = np.isfinite(exact)
        if not np.array_equal(got[~finite], exact[~finite], equal_nan=True):
            return np.inf
        if not finite.any():
            return 0.0
        if not np.isfinite(got[finite]).all():
            return np.inf
        error = float(np.max(np.abs(got[finite] - exact[finite])))
        units = error / (ulp(float(np.max(np.abs(exact[finite]))), self.dtype) * condition)
        # A result below the normal numbers may be flushed to 0.
        return min(units, self.bar) if error <= floor + SMALLEST[self.dtype] else units


def ulp(x: float, dtype: str) -> float:
    """Distance from the magnitude of `x` to the next number of the dtype, at least of normal ones.

    Examples
    --------
    >>> ulp(1.5, "float64") == 2.0**-52, ulp(0.75, "bfloat16")
    (True, 0.00390625)
    """
    _, exponent = np.frexp(max(abs(x), SMALLEST[dtype]))
    return float(np.ldexp(EPSILON[dtype], int(exponent) - 1))
