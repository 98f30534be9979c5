"""AutoDifference: the value by which users choose this backend."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from polylux.errors import DomainError
from polylux.selectors import ADType, Mode


@dataclasses.dataclass(frozen=True, repr=False)
class AutoDifference(ADType):
    """Central differences, in numpy.

    Parameters
    ----------
    step : float
        Length of a difference, relative to the larger of 1 and the largest entry of a leaf; above
        zero. None takes the cube root of the dtype's epsilon, where the error of truncation
        (step**2) and that of rounding (epsilon / step) balance.

    Raises
    ------
    DomainError
        If `step` is not above zero.

    References
    ----------
    Press et al., Numerical Recipes (3rd edition), section 5.7, equation 5.7.8.
    """

    backend: ClassVar[str] = "finite_difference"
    mode: ClassVar[Mode] = Mode.FORWARD
    step: float | None = None

    def __post_init__(self) -> None:
        if self.step is not None and not self.step > 0:
            raise DomainError(f"AutoDifference(step=...) must be above zero, got {self.step!r}")
