"""Sample: numbers that a backend found, kept for comparing backends with each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

KEPT_NUMBERS = 16
"""So many entries of an array are kept."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """The first numbers of an array, and how far another backend's may be from them.

    Attributes
    ----------
    dtype : str
    numbers : tuple of float
    allowed : float
        In units in the last place: what this backend was allowed when compared with the truth.
    floor : float
        The magnitude below which errors are measured against it; see `errors_in_ulps`.
    """

    dtype: str
    numbers: tuple[float, ...]
    allowed: float
    floor: float

    @classmethod
    def of(cls, array: np.ndarray[Any, Any], allowed: float, floor: float) -> Sample:
        """The sample of a host array of floats."""
        flat = array.reshape(-1)[:KEPT_NUMBERS].astype(np.float64)
        return cls(str(array.dtype), tuple(map(float, flat)), allowed, floor)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Sample:
        """The sample of which a report in JSON tells."""
        return cls(
            values["dtype"], tuple(map(float, values["numbers"])), float(values["allowed"]),
            float(values["floor"]),
        )  # fmt: skip
