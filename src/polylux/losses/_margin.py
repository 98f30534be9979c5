"""Losses that are 0 beyond a margin."""

from __future__ import annotations

import dataclasses
from typing import Any

from polylux.losses import _options
from polylux.losses._elementwise import ElementwiseLoss
from polylux.losses._pointwise import contrastive_error, hinge_error, squared_hinge_error
from polylux.rules import CustomRule


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class HingeLoss(ElementwiseLoss):
    """Hinge loss; an item is `max(0, 1 - t * p)`, for targets of -1 and 1.

    The derivative is `-t` where the item is above 0, else 0, also at `t * p = 1`.

    Parameters
    ----------
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    References
    ----------
    Utilities page, HingeLoss (whose own rule has the derivative 1 in place of `-t`).

    Examples
    --------
    >>> import numpy as np
    >>> p, t = np.asarray([0.1, 0.3, 1, 1.5]), np.asarray([1, -1, 1, 1])
    >>> round(float(HingeLoss()(p, t)), 12)
    0.55
    """

    def _rule(self, epsilon: float) -> tuple[CustomRule, dict[str, Any]]:
        return hinge_error, {}


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class SquaredHingeLoss(ElementwiseLoss):
    """Squared hinge loss; an item is `max(0, 1 - t * p)**2`, for targets of -1 and 1.

    Parameters
    ----------
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    References
    ----------
    Utilities page, SquaredHingeLoss.

    Examples
    --------
    >>> import numpy as np
    >>> p, t = np.asarray([0.1, 0.3, 1, 1.5]), np.asarray([1, -1, 1, 1])
    >>> round(float(SquaredHingeLoss()(p, t)), 12)
    0.625
    """

    def _rule(self, epsilon: float) -> tuple[CustomRule, dict[str, Any]]:
        return squared_hinge_error, {}


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class SiameseContrastiveLoss(ElementwiseLoss):
    """Contrastive loss of predicted distances; `(1 - t) * p**2 + t * max(0, margin - p)**2`.

    A target of 0 says that the two are similar, 1 that they are not and belong at least `margin`
    apart. At the margin the derivative of the second term is 0.

    Parameters
    ----------
    margin : float
        In the unit of the distances; at least 0.
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    References
    ----------
    R. Hadsell, S. Chopra and Y. LeCun, Dimensionality reduction by learning an invariant mapping,
    CVPR 2006, equation 4 (with half of each term).
    Utilities page, SiameseContrastiveLoss.

    Examples
    --------
    >>> import numpy as np
    >>> p, t = np.asarray([0.5, 1.5, 2.5]), np.asarray([1, 2, 3])
    >>> round(float(SiameseContrastiveLoss()(p, t)), 7)
    -4.8333333
    >>> round(float(SiameseContrastiveLoss(margin=2)(p, t)), 12)
    -4.0
    """

    margin: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.at_least_zero(self, "margin")

    def _rule(self, epsilon: float) -> tuple[CustomRule, dict[str, Any]]:
        return contrastive_error, {"margin": self.margin}
