"""Losses of predicted classes."""

from __future__ import annotations

import dataclasses
import math
import operator
from typing import Any, ClassVar

import array_api_compat

from polylux.arrays import is_array
from polylux.errors import DomainError, OptionError, ShapeError
from polylux.losses._base import Loss, real_option
from polylux.losses._kernels import softmax_cross_entropy, softmax_cross_entropy_mean
from polylux.ops import dtype_name, kind_of


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class CrossEntropyLoss(Loss):
    """Cross entropy of predicted and given class probabilities; an item is one lane along `dim`.

    With `logits=False` the prediction holds probabilities `p`, taken as they are, and an item is
    the sum of `-y * log(p + epsilon)`, where a term with `y = 0` is 0. With `logits=True` it is
    the sum of `-y * log_softmax(prediction)`, whose gradient is `softmax(prediction) * sum(y) - y`.

    Parameters
    ----------
    dim : int
        The axis of classes.
    epsilon : float, optional
        Added inside the logarithm; by default the machine epsilon of the prediction's dtype.
        Unused with `logits=True`.
    label_smoothing : float, optional
        A number `a` in [0, 1]: the target `t` becomes `t * (1 - a) + a / k`, for `k` classes.
    logits : bool
        Whether the prediction holds logits instead of probabilities.
    agg : "mean", "sum", "none", None or callable
        What is done with the items; these have the prediction's shape without `dim`.

    Notes
    -----
    The target has the prediction's shape (one-hot or soft; it need not add up to 1), or holds
    integer labels in the shape of the items. A label outside 0 .. k-1 gives NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.ops import softmax
    >>> p = softmax(np.reshape(np.arange(-7, 8, dtype=np.float32), (5, 3)))
    >>> y = np.eye(3)[[0, 1, 2, 1, 0]]
    >>> round(float(CrossEntropyLoss()(p, y)), 6)
    1.607605
    >>> round(float(CrossEntropyLoss(agg="sum")(p, y)) / 5, 6)
    1.607605
    >>> round(float(CrossEntropyLoss(label_smoothing=0.15)(p, y)), 6)
    1.577605
    >>> round(float(CrossEntropyLoss()(p, np.asarray([0, 1, 2, 1, 0]))), 6)
    1.607605
    """

    dim: int = -1
    epsilon: float | None = None
    label_smoothing: float | None = None
    logits: bool = False

    needs: ClassVar[str] = (
        "a target of the prediction's shape, or integer labels without the axis of classes"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.dim, bool):
            raise OptionError(f"CrossEntropyLoss(dim=...) takes an int, got {self.dim!r}")
        try:
            object.__setattr__(self, "dim", operator.index(self.dim))
        except TypeError:
            raise OptionError(f"CrossEntropyLoss(dim=...) takes an int, got {self.dim!r}") from None
        if not isinstance(self.logits, bool):
            raise OptionError(f"CrossEntropyLoss(logits=...) takes a bool, got {self.logits!r}")
        epsilon = real_option(self, "epsilon")
        if epsilon is not None and not 0 <= epsilon < math.inf:
            raise DomainError(f"CrossEntropyLoss(epsilon=...) must be at least 0, got {epsilon}")
        smoothing = real_option(self, "label_smoothing")
        if smoothing is not None and not 0 <= smoothing <= 1:
            raise DomainError(
                f"CrossEntropyLoss(label_smoothing=...) must be in [0, 1], got {smoothing}"
            )
        object.__setattr__(self, "_fused", self.logits and self.agg == "mean" and not smoothing)

    def _mean(self, prediction: Any, target: Any) -> Any:
        self._check_dim(prediction)
        return softmax_cross_entropy_mean(prediction, target, self.dim)

    def _items(self, xp: Any, prediction: Any, target: Any, epsilon: float) -> Any:
        self._check_dim(prediction)
        if self.label_smoothing:
            share = self.label_smoothing / prediction.shape[self.dim]
            target = target * (1 - self.label_smoothing) + share
        if self.logits:
            return softmax_cross_entropy(prediction, target, self.dim)
        shifted = prediction + (epsilon if self.epsilon is None else self.epsilon)
        # Two `where`: the logarithm that is not used must not be infinite, for its derivative.
        unused = target == 0
        logarithm = xp.log(xp.where(unused, xp.ones_like(shifted), shifted))
        return -xp.sum(xp.where(unused, xp.zeros_like(target), target * logarithm), axis=self.dim)

    def _fit(self, xp: Any, prediction: Any, target: Any, dtype: Any) -> Any:
        if not (is_array(target) and kind_of(target) == "integer"):
            return super()._fit(xp, prediction, target, dtype)
        self._check_dim(prediction)
        shape = tuple(prediction.shape)
        axis = self.dim % len(shape)
        if tuple(target.shape) != shape[:axis] + shape[axis + 1 :]:
            return super()._fit(xp, prediction, target, dtype)
        return _one_hot(xp, target, axis, shape, dtype)

    def _check_dim(self, prediction: Any) -> None:
        if not -prediction.ndim <= self.dim < prediction.ndim:
            raise ShapeError(
                f"CrossEntropyLoss(dim={self.dim}) got a prediction of shape "
                f"{tuple(prediction.shape)}, which has no axis {self.dim}"
            )


def _one_hot(xp: Any, labels: Any, axis: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """1 where the place along `axis` is the label, else 0; NaN for a label of no class."""
    classes = shape[axis]
    if dtype_name(labels.dtype) in ("int8", "uint8", "int16", "uint16"):
        labels = xp.astype(labels, xp.int32)  # the number of classes may not fit into these
    labels = xp.expand_dims(labels, axis=axis)
    places = xp.arange(classes, dtype=labels.dtype, device=array_api_compat.device(labels))
    lane = [1] * len(shape)
    lane[axis] = classes
    hot = xp.astype(labels == xp.reshape(places, tuple(lane)), dtype)
    # Under a trace the labels' values are unknown, so a wrong one cannot raise; it must not
    # count as a lane without a class either, whose loss would be 0.
    known = (labels >= 0) & (labels < classes)
    return xp.where(known, hot, xp.full_like(hot, math.nan))
