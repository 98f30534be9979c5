"""Losses of one class among several, for each lane along an axis."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from polylux.arrays import is_array
from polylux.errors import ShapeError
from polylux.losses import _options
from polylux.losses._base import Loss, Targets
from polylux.losses._kernels import (
    mean_of_items,
    softmax_cross_entropy,
    softmax_cross_entropy_labels,
    softmax_cross_entropy_labels_mean,
    softmax_cross_entropy_mean,
)
from polylux.losses._labels import Labels, along, check_dim, from_labels, with_check
from polylux.losses._pointwise import (
    cross_entropy_terms,
    divergence_terms,
    focal_terms_of_class,
)
from polylux.ops import kind_of


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class _LaneLoss(Loss):
    """A loss whose items are the lanes along `dim`."""

    dim: int = -1
    epsilon: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.whole(self, "dim")
        _options.at_least_zero(self, "epsilon", optional=True)


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class _LabelLoss(_LaneLoss):
    """A lane loss that takes integer labels too."""

    ignore_index: int | None = None

    # Whether `_items` and `_mean` take labels as they are.
    _keeps_labels: bool = dataclasses.field(default=False, init=False, repr=False, compare=False)

    needs: ClassVar[str] = (
        "a target of the prediction's shape, or integer labels without the axis of classes"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.whole(self, "ignore_index", optional=True)

    def _class_weights(self, prediction: Any) -> tuple[float, ...] | None:
        return None

    def _fit(self, xp: Any, prediction: Any, target: Any, dtype: Any) -> Targets:
        if self._are_labels(prediction, target):
            return from_labels(
                xp,
                self,
                prediction,
                target,
                dtype,
                self.ignore_index,
                self._class_weights(prediction),
                are_kept=self._keeps_labels,
            )
        return super()._fit(xp, prediction, target, dtype)

    def _are_labels(self, prediction: Any, target: Any) -> bool:
        is_integer = is_array(target) and kind_of(target) == "integer"
        return is_integer and self._are_of_items(prediction, target)

    def _are_of_items(self, prediction: Any, target: Any) -> bool:
        """Whether a target has the prediction's shape without the axis of classes."""
        check_dim(self, prediction)
        shape = tuple(prediction.shape)
        axis = self.dim % len(shape)
        return tuple(target.shape) == shape[:axis] + shape[axis + 1 :]

    def _labels(self, prediction: Any, target: Any) -> Labels | None:
        is_short = self._keeps_labels and self.ignore_index is None
        if not is_short or not self._are_of_items(prediction, target):
            return None
        return with_check(self, target, prediction.shape[self.dim])


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class CrossEntropyLoss(_LabelLoss):
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
    weight : sequence of float, optional
        One number for each class, by which its term is multiplied.
    ignore_index : int, optional
        Label of items that do not count: they are 0, and the mean leaves them out.
    agg : "mean", "sum", "none", None or callable
        What is done with the items; these have the prediction's shape without `dim`.

    Raises
    ------
    DomainError
        At a call, for a label outside 0 .. k-1 that is not `ignore_index`. Under a trace (jit),
        where labels have no values, the item of such a label is NaN instead.

    Notes
    -----
    The target has the prediction's shape (one-hot or soft; it need not add up to 1), or holds
    integer labels in the shape of the items. As in `torch.nn.CrossEntropyLoss`, with labels and
    `weight` the mean is the sum of the items over the sum of their labels' weights; with targets
    of the prediction's shape it is over the number of items.

    References
    ----------
    Utilities page, CrossEntropyLoss.

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

    label_smoothing: float | None = None
    logits: bool = False
    weight: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.flag(self, "logits")
        _options.fraction(self, "label_smoothing")
        _options.weights(self, "weight")
        plain = not self.label_smoothing and self.weight is None
        object.__setattr__(self, "_fused", self.agg == "mean" and plain)
        object.__setattr__(self, "_keeps_labels", self.logits and plain)

    def _mean(self, prediction: Any, target: Any) -> Any:
        check_dim(self, prediction)
        if isinstance(target, Labels):
            return softmax_cross_entropy_labels_mean(
                prediction, target.places, self.dim, target.check
            )
        if self.logits:
            return softmax_cross_entropy_mean(prediction, target, self.dim)
        epsilon = self._epsilon(prediction.dtype)
        return mean_of_items(prediction, target, cross_entropy_terms, self.dim, epsilon=epsilon)

    def _items(self, xp: Any, prediction: Any, target: Any, epsilon: float) -> Any:
        check_dim(self, prediction)
        if isinstance(target, Labels):
            return softmax_cross_entropy_labels(
                prediction, target.places, self.dim, target.check
            )
        target = _smoothed(target, self.label_smoothing, prediction.shape[self.dim])
        weights = self._class_weights(prediction)
        if weights is not None:
            axis = self.dim % prediction.ndim
            target = target * along(xp, weights, prediction, axis, prediction.dtype)
        if self.logits:
            return softmax_cross_entropy(prediction, target, self.dim)
        terms = cross_entropy_terms(prediction, target, epsilon=epsilon)
        return xp.sum(terms, axis=self.dim)

    def _class_weights(self, prediction: Any) -> tuple[float, ...] | None:
        if self.weight is not None and len(self.weight) != prediction.shape[self.dim]:
            raise ShapeError(
                f"CrossEntropyLoss(weight=...) has {len(self.weight)} numbers, but the prediction "
                f"of shape {tuple(prediction.shape)} has {prediction.shape[self.dim]} classes "
                f"along dim={self.dim}"
            )
        return self.weight


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class FocalLoss(_LabelLoss):
    """Focal loss: cross entropy with less weight for what is predicted well.

    An item is one lane along `dim`, the sum of `-t * (1 - q)**gamma * log(q)` for `q = p + epsilon`
    and probabilities `p`; a term with `t = 0` is 0. Where epsilon makes `q` larger than 1, a power
    that is no whole number is that of 0.

    Parameters
    ----------
    gamma : float
        At least 0; with 0, this is the cross entropy.
    dim : int
        The axis of classes.
    epsilon : float, optional
        By default the machine epsilon of the prediction's dtype.
    ignore_index : int, optional
        Label of items that do not count: they are 0, and the mean leaves them out.
    agg : "mean", "sum", "none", None or callable
        What is done with the items; these have the prediction's shape without `dim`.

    Raises
    ------
    DomainError
        At a call, for a label outside 0 .. k-1 that is not `ignore_index`. Under a trace (jit),
        where labels have no values, the item of such a label is NaN instead.

    Notes
    -----
    The target has the prediction's shape, or holds integer labels in the shape of the items.

    References
    ----------
    T.-Y. Lin et al., Focal loss for dense object detection, arXiv:1708.02002, equation 4.
    Utilities page, FocalLoss.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.ops import softmax
    >>> p = softmax(np.reshape(np.arange(-7, 8, dtype=np.float32), (5, 3)))
    >>> y = np.eye(3)[[0, 1, 2, 1, 0]]
    >>> round(float(FocalLoss()(p, y)), 6)
    1.127756
    """

    gamma: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.at_least_zero(self, "gamma")
        object.__setattr__(self, "_fused", self.agg == "mean")

    def _mean(self, prediction: Any, target: Any) -> Any:
        check_dim(self, prediction)
        settings = {"epsilon": self._epsilon(prediction.dtype), "gamma": self.gamma}
        return mean_of_items(prediction, target, focal_terms_of_class, self.dim, **settings)

    def _items(self, xp: Any, prediction: Any, target: Any, epsilon: float) -> Any:
        check_dim(self, prediction)
        terms = focal_terms_of_class(prediction, target, epsilon=epsilon, gamma=self.gamma)
        return xp.sum(terms, axis=self.dim)


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class KLDivergenceLoss(_LaneLoss):
    """Kullback-Leibler divergence of given probabilities from predicted ones.

    An item is one lane along `dim`, the sum of `t * log(t) - y * log(p + epsilon)`, where `y` is
    the smoothed target and a term of weight 0 is 0. Prediction and target are probabilities.

    Parameters
    ----------
    dim : int
        The axis of classes.
    epsilon : float, optional
        By default the machine epsilon of the prediction's dtype.
    label_smoothing : float, optional
        A number `a` in [0, 1]: `y = t * (1 - a) + a / k`, for `k` classes. It does not enter the
        first term, so that the loss may be negative.
    agg : "mean", "sum", "none", None or callable
        What is done with the items; these have the prediction's shape without `dim`.

    References
    ----------
    Utilities page, KLDivergenceLoss.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.full((2, 2), 0.5)
    >>> round(float(KLDivergenceLoss()(p, np.eye(2))), 6)  # log 2
    0.693147
    >>> round(float(KLDivergenceLoss(agg="sum")(p, np.eye(2))), 6)
    1.386294
    >>> float(KLDivergenceLoss(epsilon=0)(p, p))
    0.0
    >>> with np.errstate(divide="ignore"):
    ...     float(KLDivergenceLoss(epsilon=0)(np.eye(2), p))
    inf
    """

    label_smoothing: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _options.fraction(self, "label_smoothing")
        object.__setattr__(self, "_fused", self.agg == "mean" and not self.label_smoothing)

    def _mean(self, prediction: Any, target: Any) -> Any:
        check_dim(self, prediction)
        epsilon = self._epsilon(prediction.dtype)
        return mean_of_items(prediction, target, divergence_terms, self.dim, epsilon=epsilon)

    def _items(self, xp: Any, prediction: Any, target: Any, epsilon: float) -> Any:
        check_dim(self, prediction)
        if not self.label_smoothing:
            terms = divergence_terms(prediction, target, epsilon=epsilon)
        else:
            given = _smoothed(target, self.label_smoothing, prediction.shape[self.dim])
            logarithm = xp.log(xp.where(target == 0, 1.0, target))
            terms = target * logarithm + cross_entropy_terms(prediction, given, epsilon=epsilon)
        return xp.sum(terms, axis=self.dim)


def _smoothed(target: Any, label_smoothing: float | None, classes: int) -> Any:
    if not label_smoothing:
        return target
    return target * (1 - label_smoothing) + label_smoothing / classes
