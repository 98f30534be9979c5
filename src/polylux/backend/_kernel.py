"""PartialKernel: a kernel that leaves some calls to the neutral definition."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class PartialKernel:
    """An entry of `Backend.kernels` that is also handed the definition which it overrides.

    For kernels that do the common case only: eager, say, and of one derivative.

    Attributes
    ----------
    function : callable
        `function(neutral, *arguments, **settings)`: the definition, for this backend's arrays, and
        what the overridden function was called with.

    Examples
    --------
    >>> from polylux.backend import PartialKernel
    >>> kernel = PartialKernel(lambda neutral, x: neutral(x) if x < 0 else x)
    >>> kernel(abs, -2), kernel(abs, 3)
    (2, 3)
    """

    function: Callable[..., Any]

    def __call__(self, neutral: Callable[..., Any], /, *arguments: Any, **settings: Any) -> Any:
        """`function(neutral, *arguments, **settings)`."""
        return self.function(neutral, *arguments, **settings)
