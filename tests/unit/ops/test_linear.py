"""dense: an affine map of the last axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import ops
from polylux.errors import ArrayMixError


def test_value_is_the_affine_map_for_any_number_of_axes(library: Any) -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.integers(-3, 4, (3, 2)), rng.integers(-3, 4, 2)  # exact in any order
    for shape in [(3,), (4, 3), (2, 4, 3), (0, 3)]:
        x = rng.integers(-3, 4, shape)
        computed = ops.dense(*map(library.array, (x, weight, bias)))
        np.testing.assert_array_equal(
            library.host(computed), np.einsum("...i,ij", x, weight) + bias
        )


def test_bias_may_be_none(library: Any) -> None:
    x, weight = library.array([[1.0, 2.0]]), library.array([[1.0], [10.0]])
    np.testing.assert_array_equal(library.host(ops.dense(x, weight, None)), [[21.0]])


def test_gradients_are_the_closed_forms(differentiating: Any) -> None:
    rng = np.random.default_rng(1)
    parts = {"x": rng.normal(size=(4, 3)), "w": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}
    seed = rng.normal(size=(4, 2))

    def total(parts: Any, seed: Any) -> Any:
        y = ops.dense(parts["x"], parts["w"], parts["b"])
        return polylux.array_namespace(y).sum(seed * y)

    found = polylux.to_host(
        polylux.gradient(
            total,
            differentiating.selector,
            {name: differentiating.array(v) for name, v in parts.items()},
            differentiating.array(seed),
        )
    )
    np.testing.assert_allclose(found["x"], seed @ parts["w"].T, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(found["w"], parts["x"].T @ seed, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(found["b"], seed.sum(axis=0), rtol=1e-14, atol=1e-14)


def test_arrays_of_two_libraries_are_an_error(differentiating: Any) -> None:
    x, weight = differentiating.array([[1.0]]), np.ones((1, 1))
    with pytest.raises(ArrayMixError, match="dense got arrays of different libraries"):
        ops.dense(x, weight, None)
