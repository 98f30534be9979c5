"""The methods beyond the standard that numpy's, PyTorch's and JAX's arrays share."""

from __future__ import annotations

import numpy as np
import pytest

import polylux_autograd.array_api as xp
from polylux import AutoAutograd, gradient, to_host


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "std", "var"])
def test_reduction_is_a_method_too(name):
    data = np.asarray([[1.0, 2.0], [5.0, 3.0]])
    x = xp.asarray(data)
    np.testing.assert_allclose(float(getattr(x, name)()), getattr(data, name)(), rtol=1e-15)
    for axis in (0, 1):
        expected = getattr(data, name)(axis)
        np.testing.assert_allclose(np.asarray(getattr(x, name)(axis)), expected, rtol=1e-15)
        np.testing.assert_allclose(np.asarray(getattr(x, name)(axis=axis)), expected, rtol=1e-15)


def test_methods_are_traced():
    x = np.asarray([1.0, 2.0, 3.0, 4.0])
    slope = gradient(lambda z: (z.reshape(2, 2) ** 2).sum(0).mean(), AutoAutograd(), x)
    np.testing.assert_array_equal(to_host(slope), x)


def test_item_and_tolist_are_python_numbers():
    assert xp.asarray(2.5).item() == 2.5
    assert xp.asarray([[1, 2]]).reshape((2,)).tolist() == [1, 2]
    assert xp.asarray([True, False]).any().item() is True
    assert xp.asarray([True, False]).all().item() is False
