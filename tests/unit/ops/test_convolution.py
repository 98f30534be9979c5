"""Convolution: values, gradients and second derivatives, exact in whole numbers."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import pytest

import polylux
from polylux import ops
from polylux.errors import ArrayMixError, ShapeError


class Case(NamedTuple):
    """A convolution's shapes and settings."""

    x: tuple[int, ...]
    weight: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def settings(self) -> Any:
        return self.stride, self.padding, self.dilation, self.groups


CASES = {
    "1-d": Case((2, 3, 5), (2, 3, 2), (1,), ((0, 0),), (1,), 1),
    "1-d, all settings": Case((2, 2, 7), (4, 1, 3), (2,), ((1, 2),), (2,), 2),
    "2-d, all settings": Case((1, 4, 5, 4), (2, 2, 3, 2), (2, 1), ((1, 1), (0, 1)), (1, 2), 2),
    "3-d": Case(
        (1, 1, 3, 3, 2), (2, 1, 2, 2, 2), (1, 2, 1), ((1, 0), (1, 1), (0, 0)), (1, 1, 1), 1
    ),
}


def _whole(case: Case) -> tuple[Any, Any, Any]:
    """Small whole numbers: their sums of products are exact in any order."""
    rng = np.random.default_rng(0)
    return (
        rng.integers(-3, 4, case.x).astype(float),
        rng.integers(-3, 4, case.weight).astype(float),
        rng.integers(-3, 4, case.weight[0]).astype(float),
    )


def _by_definition(x: Any, weight: Any, case: Case) -> Any:
    """The sum that defines a convolution, place by place."""
    x = np.pad(x, ((0, 0), (0, 0), *case.padding))
    outputs, per_group, *kernel = weight.shape
    lengths = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape[2:], kernel, case.stride, case.dilation, strict=True)
    ]
    y = np.zeros((x.shape[0], outputs, *lengths))
    for o, place in itertools.product(range(outputs), itertools.product(*map(range, lengths))):
        first = o // (outputs // case.groups) * per_group
        for c, k in itertools.product(range(per_group), itertools.product(*map(range, kernel))):
            at = tuple(
                t * s + j * d
                for t, s, j, d in zip(place, case.stride, k, case.dilation, strict=True)
            )
            y[(slice(None), o, *place)] += x[(slice(None), first + c, *at)] * weight[(o, c, *k)]
    return y


def _slopes(function: Any, shape: Any) -> Any:
    """The gradient of a linear function: its value at each unit vector."""
    units = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    return np.asarray([function(unit) for unit in units]).reshape(shape)


@pytest.mark.parametrize(
    ("case", "dtype"),
    [(case, np.float64) for case in CASES.values()] + [(CASES["1-d"], np.float32)],
    ids=[*CASES, "1-d, float32"],
)
def test_value_is_the_sum_that_defines_it(case: Case, dtype: Any, library: Any) -> None:
    x, weight, bias = _whole(case)
    moved = [library.array(array, dtype) for array in (x, weight, bias)]
    y = library.host(ops.convolution(*moved, *case.settings))
    expected = _by_definition(x, weight, case) + bias.reshape(-1, *[1] * len(case.stride))
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, expected)
    y = library.host(ops.convolution(*moved[:2], None, *case.settings))
    np.testing.assert_array_equal(y, _by_definition(x, weight, case))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("1-d, all settings", "kernel"),
        ("1-d, all settings", "neutral"),
        ("2-d, all settings", "kernel"),
    ],
)
def test_gradient_and_second_derivative_are_exact(
    name: str, form: str, differentiating: Any
) -> None:
    case, selector = CASES[name], differentiating.selector
    x, weight, bias = _whole(case)
    rng = np.random.default_rng(1)
    shape = _by_definition(x, weight, case).shape
    t, v = rng.integers(-2, 3, shape), rng.integers(-2, 3, x.shape)
    t, v = t.astype(float), v.astype(float)
    function = ops.convolution if form == "kernel" else ops.convolution.neutral
    t_, v_ = polylux.to_backend((t, v), selector)

    def total(ps: Any) -> Any:
        y = function(ps["x"], ps["weight"], ps["bias"], *case.settings)
        return polylux.array_namespace(y).sum(y * t_)

    def slope(ps: Any) -> Any:
        found = polylux.gradient(total, selector, ps)["x"]
        return polylux.array_namespace(found).sum(found * v_)

    ps = polylux.to_backend({"x": x, "weight": weight, "bias": bias}, selector)
    found = polylux.to_host(polylux.gradient(total, selector, ps))
    np.testing.assert_array_equal(
        found["x"], _slopes(lambda u: np.sum(t * _by_definition(u, weight, case)), x.shape)
    )
    np.testing.assert_array_equal(
        found["weight"], _slopes(lambda u: np.sum(t * _by_definition(x, u, case)), weight.shape)
    )
    np.testing.assert_array_equal(found["bias"], t.sum(axis=(0, *range(2, t.ndim))))
    # The slope along v is linear in the weight.
    found = polylux.to_host(polylux.gradient(slope, selector, ps))
    np.testing.assert_array_equal(
        found["weight"], _slopes(lambda u: np.sum(t * _by_definition(v, u, case)), weight.shape)
    )
    np.testing.assert_array_equal(found["x"], np.zeros_like(x))


def test_pushforward_is_the_convolution_of_the_tangent(selector: Any) -> None:
    case = CASES["1-d, all settings"]
    x, weight, _ = _whole(case)
    v = np.random.default_rng(1).integers(-2, 3, x.shape).astype(float)
    x_, weight_, v_ = polylux.to_backend((x, weight, v), selector)

    def convolved(x: Any) -> Any:
        return ops.convolution(x, weight_, None, *case.settings)

    found = polylux.to_host(polylux.pushforward(convolved, selector, x_, v_))
    np.testing.assert_array_equal(found, _by_definition(v, weight, case))


def test_float16_is_within_a_few_roundings(library: Any) -> None:
    if library.name == "strict":
        pytest.skip("the standard has no float16")
    case = CASES["2-d, all settings"]
    x, weight, bias = _whole(case)  # sums of whole numbers below 2048 are exact in float16
    moved = [library.array(array, np.float16) for array in (x, weight, bias)]
    y = library.host(ops.convolution(*moved, *case.settings))
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y, _by_definition(x, weight, case) + bias.reshape(-1, 1, 1))


@pytest.mark.parametrize(
    ("length", "window", "stride", "dilation"),
    list(itertools.product([1, 4, 5, 6], [1, 2, 3], [1, 2, 3], [1, 2])),
)
def test_same_padding_gives_the_length_over_the_stride(
    length: int, window: int, stride: int, dilation: int
) -> None:
    (pair,) = ops.same_padding((length,), (window,), (stride,), (dilation,))
    assert 0 <= pair[1] - pair[0] <= 1
    (found,) = ops.output_lengths((length,), (window,), (stride,), (pair,), (dilation,))
    assert found == -(-length // stride)


def test_same_padding_is_that_of_xla() -> None:
    from jax import lax

    for n, k, s in itertools.product(range(1, 9), range(1, 5), range(1, 4)):
        expected = lax.padtype_to_pads((n,), (k,), (s,), "SAME")
        assert list(ops.same_padding((n,), (k,), (s,), (1,))) == [tuple(p) for p in expected]


@pytest.mark.parametrize(
    ("x", "weight", "message"),
    [
        ((2, 3), (1, 3, 1), r"over 1 axes needs an input .* got \(2, 3\) and \(1, 3, 1\)"),
        ((2, 3, 4), (1, 2, 1), r"needs 2 input channels .* got an input of shape \(2, 3, 4\)"),
        ((2, 3, 4), (1, 3, 5), r"window of \(5,\) .* does not fit into spatial axes of \(4,\)"),
    ],
    ids=["axes", "channels", "length"],
)
def test_shapes_that_do_not_fit_are_an_error(
    x: Any, weight: Any, message: str, library: Any
) -> None:
    x, weight = library.array(np.ones(x)), library.array(np.ones(weight))
    with pytest.raises(ShapeError, match=message):
        ops.convolution(x, weight, None, (1,), ((0, 0),), (1,), 1)


def test_weight_of_another_library_is_an_error(differentiating: Any) -> None:
    x = differentiating.array(np.ones((1, 1, 3)))
    with pytest.raises(ArrayMixError, match="convolution got arrays of different libraries"):
        ops.convolution(x, np.ones((1, 1, 2)), None, (1,), ((0, 0),), (1,), 1)
