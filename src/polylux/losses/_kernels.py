"""The parts of losses that a backend may have a fused kernel for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.arrays import array_namespace
from polylux.losses._softmax import cross_entropy_of_labels, cross_entropy_of_lanes
from polylux.ops import detach, native
from polylux.rules import CustomRule


@native()
def mean_of_items(
    prediction: Any, target: Any, rule: CustomRule, dim: int | None = None, /, **settings: Any
) -> Any:
    """Mean of the items that an elementwise rule gives, or of their sums along an axis.

    For a backend in which one pass over the items and their slopes is cheaper than each of the
    rule's operations over the whole arrays, or that knows one for a rule of this name.

    Parameters
    ----------
    prediction, target : arrays of one shape and one real floating dtype
        The target is a constant for derivatives.
    rule : CustomRule
        `rule(prediction, target, **settings)`: each entry depends on those at its place alone.
    dim : int, optional
        The items of the mean are sums along this axis; by default each entry is one.
    **settings
        Those of the rule.

    Returns
    -------
    0-d array
        NaN where there is no item.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import custom_rule
    >>> def slopes(items, p, t):
    ...     return 2 * (p - t), None
    >>> square = custom_rule(lambda p, t: (p - t) ** 2, derivative=slopes)
    >>> prediction, target = np.asarray([[1.0, 4.0]]), np.asarray([[1.0, 2.0]])
    >>> float(mean_of_items(prediction, target, square))
    2.0
    >>> float(mean_of_items(prediction, target, square, -1))
    4.0
    """
    xp = array_namespace(prediction)
    items = rule(prediction, detach(target), **settings)
    return xp.mean(items if dim is None else xp.sum(items, axis=dim))


@native()
def mse(prediction: Any, target: Any, /) -> Any:
    """Mean of the squared differences.

    Parameters
    ----------
    prediction, target : arrays of one shape and one real floating dtype

    Returns
    -------
    0-d array
        NaN for arrays without an element.

    Examples
    --------
    >>> import numpy as np
    >>> float(mse(np.asarray([1.0, 4.0]), np.asarray([1.0, 2.0])))
    2.0
    """
    difference = prediction - target
    return array_namespace(prediction).mean(difference * difference)


@native()
def softmax_cross_entropy(logits: Any, target: Any, dim: int = -1, /) -> Any:
    """Cross entropy of `softmax(logits)` with the target, for each lane along `dim`.

    Parameters
    ----------
    logits, target : arrays of one shape and one real floating dtype
    dim : int
        The axis of classes.

    Returns
    -------
    array without that axis
        The negative sum of `target * log_softmax(logits)`, where a term whose target is 0 is 0;
        its gradient in the logits is `softmax(logits) * sum(target) - target`.

    Examples
    --------
    >>> import numpy as np
    >>> logits, target = np.zeros((1, 4)), np.asarray([[0.0, 1.0, 0.0, 0.0]])
    >>> softmax_cross_entropy(logits, target, -1)  # log 4
    array([1.38629436])
    """
    return cross_entropy_of_lanes(logits, target, dim=dim)


@native()
def softmax_cross_entropy_mean(logits: Any, target: Any, dim: int = -1, /) -> Any:
    """Mean of `softmax_cross_entropy(logits, target, dim)` over all lanes.

    Parameters
    ----------
    logits, target : arrays of one shape and one real floating dtype
    dim : int
        The axis of classes.

    Returns
    -------
    0-d array
        NaN where there is no lane.

    Examples
    --------
    >>> import numpy as np
    >>> logits, target = np.zeros((1, 4)), np.asarray([[0.0, 1.0, 0.0, 0.0]])
    >>> round(float(softmax_cross_entropy_mean(logits, target, -1)), 6)  # log 4
    1.386294
    """
    # Through the overridable function: a backend may have a kernel for the lanes only.
    return array_namespace(logits).mean(softmax_cross_entropy(logits, target, dim))


@native()
def softmax_cross_entropy_labels(
    logits: Any, labels: Any, dim: int = -1, check: Callable[[], bool] | None = None, /
) -> Any:
    """`-log_softmax(logits)` at the label of each lane along `dim`.

    Parameters
    ----------
    logits : array of a real floating dtype
    labels : array of integers, of the logits' shape without the axis `dim`
    dim : int
        The axis of classes.
    check : callable, optional
        `check()` says whether all labels are known to be in range, and raises if one is known not
        to be; a kernel that finds that all are need not ask. By default, and where they are not
        known to be, as under a trace, the lane of a label of no class is NaN.

    Returns
    -------
    array without that axis

    Examples
    --------
    >>> import numpy as np
    >>> softmax_cross_entropy_labels(np.zeros((2, 4)), np.asarray([1, 3]))  # log 4
    array([1.38629436, 1.38629436])
    """
    is_known = check is not None and check()
    return cross_entropy_of_labels(logits, labels, dim=dim % logits.ndim, is_known=is_known)


@native()
def softmax_cross_entropy_labels_mean(
    logits: Any, labels: Any, dim: int = -1, check: Callable[[], bool] | None = None, /
) -> Any:
    """Mean of `softmax_cross_entropy_labels(logits, labels, dim, check)` over all lanes.

    Parameters
    ----------
    logits, labels, dim, check
        As for `softmax_cross_entropy_labels`; the mean with a label of no class is NaN.

    Returns
    -------
    0-d array
        NaN where there is no lane.

    Examples
    --------
    >>> import numpy as np
    >>> logits, labels = np.zeros((2, 4)), np.asarray([1, 3])
    >>> round(float(softmax_cross_entropy_labels_mean(logits, labels, -1)), 6)  # log 4
    1.386294
    """
    lanes = softmax_cross_entropy_labels(logits, labels, dim, check)
    return array_namespace(logits).mean(lanes)
