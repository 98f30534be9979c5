"""The parts of losses that a backend may have a fused kernel for."""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.ops import log_softmax, native


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
        The negative sum of `target * log_softmax(logits)`; its gradient in the logits is
        `softmax(logits) * sum(target) - target`.

    Examples
    --------
    >>> import numpy as np
    >>> logits, target = np.zeros((1, 4)), np.asarray([[0.0, 1.0, 0.0, 0.0]])
    >>> softmax_cross_entropy(logits, target, -1)  # log 4
    array([1.38629436])
    """
    xp = array_namespace(logits)
    return -xp.sum(target * log_softmax.neutral(logits, dim), axis=dim)


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
