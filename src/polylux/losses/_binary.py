"""Losses of one class or the other, for each element."""

from __future__ import annotations

import dataclasses
from typing import Any

from polylux.errors import OptionError
from polylux.losses import _options
from polylux.losses._elementwise import ElementwiseLoss
from polylux.losses._pointwise import (
    binary_cross_entropy,
    binary_cross_entropy_logits,
    binary_focal,
    weighted_binary_cross_entropy,
    weighted_binary_cross_entropy_logits,
)
from polylux.rules import CustomRule


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class BinaryCrossEntropyLoss(ElementwiseLoss):
    """Cross entropy of two classes; an item is one element.

    With `logits=False` the prediction is the probability `p` of the class 1, and an item is
    `-t * log(p + epsilon) - (1 - t) * log(1 - p + epsilon)`, where a term of weight 0 is 0. With
    `logits=True` it is `-t * log_sigmoid(z) - (1 - t) * log_sigmoid(-z)`, whose derivative is
    `sigmoid(z) - t`, right to the last digits also where these two are nearly equal.

    Parameters
    ----------
    epsilon : float, optional
        Added inside the logarithms; by default the machine epsilon of the prediction's dtype.
        Unused with `logits=True`.
    label_smoothing : float, optional
        A number `a` in [0, 1]: the target `t` becomes `t * (1 - a) + a / 2`.
    logits : bool
        Whether the prediction holds logits instead of probabilities.
    weight : tuple of two float, optional
        Of the classes 0 and 1, not below 0: factors of the term of `1 - t` and of that of `t`. The
        mean is over the number of items all the same; `(1, w)` is torch's `pos_weight=w`.
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    References
    ----------
    Utilities page, BinaryCrossEntropyLoss.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.ops import sigmoid
    >>> z, t = np.asarray([2, -1, np.pi]), np.asarray([1, 0, 1])
    >>> round(float(BinaryCrossEntropyLoss(logits=True)(z, t)), 6)
    0.160832
    >>> round(float(BinaryCrossEntropyLoss()(sigmoid(z), t)), 6)
    0.160832
    >>> round(float(BinaryCrossEntropyLoss(logits=True, label_smoothing=0.1)(z, t)), 6)
    0.263192
    >>> round(float(BinaryCrossEntropyLoss(label_smoothing=0.1)(sigmoid(z), t)), 6)
    0.263192
    """

    epsilon: float | None = None
    label_smoothing: float | None = None
    logits: bool = False
    weight: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.flag(self, "logits")
        _options.at_least_zero(self, "epsilon", optional=True)
        _options.fraction(self, "label_smoothing")
        _options.weights(self, "weight")
        if self.weight is not None and len(self.weight) != 2:
            raise OptionError(
                "BinaryCrossEntropyLoss(weight=...) takes two numbers, of the classes 0 and 1, got "
                f"{len(self.weight)}"
            )

    def _rule(self, epsilon: float) -> tuple[CustomRule, dict[str, Any]]:
        settings: dict[str, Any] = {"label_smoothing": self.label_smoothing or 0.0}
        of_chances, of_logits = binary_cross_entropy, binary_cross_entropy_logits
        if self.weight is not None:
            settings["weight"] = self.weight
            of_chances, of_logits = (
                weighted_binary_cross_entropy, weighted_binary_cross_entropy_logits,
            )  # fmt: skip
        if self.logits:
            return of_logits, settings
        return of_chances, settings | {"epsilon": epsilon}


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class BinaryFocalLoss(ElementwiseLoss):
    """Focal loss of two classes: cross entropy with less weight for what is predicted well.

    An item is `-(1 - q)**gamma * log(q)`, where `q` is the probability given to the target,
    `t * p + (1 - t) * (1 - p) + epsilon`. Where epsilon makes it larger than 1, a power that is no
    whole number is that of 0.

    Parameters
    ----------
    gamma : float
        At least 0; with 0, this is the cross entropy.
    epsilon : float, optional
        By default the machine epsilon of the prediction's dtype.
    agg : "mean", "sum", "none", None or callable
        What is done with the items, one for each element.

    References
    ----------
    T.-Y. Lin et al., Focal loss for dense object detection, arXiv:1708.02002, equation 4.
    Utilities page, BinaryFocalLoss.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.asarray([[0.268941, 0.731059], [0.5, 0.5], [0.268941, 0.731059]])
    >>> t = np.asarray([[0, 1], [1, 0], [0, 1]])
    >>> round(float(BinaryFocalLoss()(p, t)), 14)
    0.07286756159274
    >>> round(float(BinaryFocalLoss(gamma=0)(p, t)), 14)
    0.43988980094334
    >>> round(float(BinaryCrossEntropyLoss()(p, t)), 14)
    0.43988980094334
    """

    gamma: float = 2.0
    epsilon: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.at_least_zero(self, "gamma")
        _options.at_least_zero(self, "epsilon", optional=True)

    def _rule(self, epsilon: float) -> tuple[CustomRule, dict[str, Any]]:
        return binary_focal, {"epsilon": epsilon, "gamma": self.gamma}
