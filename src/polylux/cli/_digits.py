"""scikit-learn's handwritten digits, scaled and split."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]

CLASSES = 10


@dataclasses.dataclass(frozen=True)
class Digits:
    """Images of shape (n, 64) with entries in [0, 1], and one-hot targets of shape (n, 10)."""

    train: tuple[Floats, Floats]
    test: tuple[Floats, Floats]


def load_digits(dtype: str) -> Digits:
    """The 1,797 digits, four fifths to train with and one fifth to test with.

    The split is stratified and always the same: in the order of their classes, every fifth image
    is a test image.

    References
    ----------
    Alpaydin, Kaynak (1998), Optical recognition of handwritten digits, UCI machine learning
    repository; the test set of it, as scikit-learn ships it.
    """
    import sklearn.datasets  # heavy, and of the extra `demo`

    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    x = (images / 16).astype(dtype)  # pixels count 0 to 16
    y = np.eye(CLASSES, dtype=dtype)[labels]
    by_class = np.argsort(labels, kind="stable")
    is_test = np.arange(len(labels)) % 5 == 0
    train, test = by_class[~is_test], by_class[is_test]
    return Digits((x[train], y[train]), (x[test], y[test]))
