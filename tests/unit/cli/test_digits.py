"""The digits: scaled, split and always the same."""

from __future__ import annotations

import numpy as np
import pytest

from polylux.cli._digits import load_digits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_and_one_hot_targets_have_the_dtype(dtype: str) -> None:
    digits = load_digits(dtype)
    for (x, y), count in ((digits.train, 1437), (digits.test, 360)):
        assert x.shape == (count, 64)
        assert y.shape == (count, 10)
        assert x.dtype == y.dtype == dtype
        assert (x.min(), x.max()) == (0.0, 1.0)
        assert set(np.unique(y)) == {0.0, 1.0}
        assert (y.sum(axis=1) == 1).all()


def test_every_image_is_in_one_part() -> None:
    import sklearn.datasets

    digits = load_digits("float64")
    ours = np.concatenate([digits.train[0], digits.test[0]])
    theirs = sklearn.datasets.load_digits().data / 16
    assert sorted(map(tuple, ours)) == sorted(map(tuple, theirs))


def test_the_split_is_stratified() -> None:
    digits = load_digits("float64")
    total = digits.train[1].sum(axis=0) + digits.test[1].sum(axis=0)
    assert (np.abs(digits.test[1].sum(axis=0) - total / 5) < 1).all()
