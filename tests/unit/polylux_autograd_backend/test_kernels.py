"""Each kernel against the neutral definition of its name: values, kinks, orders, modes, dtypes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from polylux import losses, ops
from polylux.backend import PartialKernel
from polylux.selectors import AutoAutograd
from polylux_autograd import array_api as xp
from polylux_autograd._backend import AutogradBackend

BACKEND = AutogradBackend()
SELECTOR = AutoAutograd()

ELEMENTWISE = ("relu", "sigmoid", "silu", "softplus", "log_sigmoid")
EDGES = (-800.0, -40.0, -30.0, -1.0, -1e-3, -0.0, 0.0, 1e-3, 1.0, 30.0, 40.0, 800.0)
RANDOM = np.random.default_rng(7)


def neutral(name: str) -> Callable[..., Any]:
    return getattr(ops if hasattr(ops, name) else losses, name).neutral


def called(name: str) -> Callable[..., Any]:
    """The kernel of this name, as the function that it overrides calls it."""
    found = BACKEND.kernels[name]
    is_partial = isinstance(found, PartialKernel)
    return functools.partial(found, neutral(name)) if is_partial else found


KERNELS = {name: called(name) for name in BACKEND.kernels if name != "mean_of_items"}


def array(data: Any, dtype: Any = np.float64) -> xp.Array:
    return xp.asarray(np.asarray(data, dtype))


def data_of(x: Any) -> np.ndarray:
    return BACKEND.to_host([x])[0]


def normal(*shape: int) -> xp.Array:
    return array(RANDOM.normal(size=shape))


def slopes(function: Callable[..., Any], *points: Any, weight: Any = None) -> tuple[Any, ...]:
    """Gradient of the sum, or of the weighted sum, of what a function gives."""

    def total(*leaves: Any) -> Any:
        out = function(*leaves)
        return xp.sum(out if weight is None else out * weight), ()

    return BACKEND.value_and_gradient(total, points, SELECTOR)[1]


def assert_close(got: Any, expected: Any, ulps: int = 4) -> None:
    got, expected = data_of(got), data_of(expected)
    assert got.dtype == expected.dtype
    tolerance = ulps * np.finfo(got.dtype).eps  # roundings of a handful of operations
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=0, strict=True)


def test_every_kernel_has_a_neutral_definition() -> None:
    assert all(name in ops.natives() for name in KERNELS)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_values_and_slopes_are_the_neutral_ones(name: str, dtype: str) -> None:
    x = array(EDGES, dtype)
    assert_close(KERNELS[name](x), neutral(name)(x))
    (got,), (expected,) = slopes(KERNELS[name], x), slopes(neutral(name), x)
    np.testing.assert_allclose(
        data_of(got).astype(float), data_of(expected).astype(float),
        rtol=4 * np.finfo(dtype).eps, atol=float(np.finfo(dtype).smallest_subnormal),
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:invalid value")  # the neutral definition's -inf * 0
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_values_at_infinity_and_nan_are_the_neutral_ones(name: str) -> None:
    x = array([np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(data_of(KERNELS[name](x)), data_of(neutral(name)(x)))


def test_relu_has_slope_zero_at_zero_and_hands_no_nan_on() -> None:
    x = array([-1.0, -0.0, 0.0, 2.0, np.nan])
    assert data_of(slopes(KERNELS["relu"], x)[0]).tolist() == [0, 0, 0, 1, 1]
    _, pull, _ = BACKEND.pullback(lambda t: ((KERNELS["relu"](t),), ()), (x,), SELECTOR)
    assert data_of(pull((array([np.inf] * 5),))[0]).tolist() == [0, 0, 0, np.inf, np.inf]


def test_relu_takes_a_cotangent_that_is_not_contiguous() -> None:
    x = array([[1.0, -1.0], [2.0, 3.0]])
    (got,) = slopes(lambda t: xp.broadcast_to(xp.sum(KERNELS["relu"](t).T, axis=0), (3, 2)), x)
    assert data_of(got).tolist() == [[3, 0], [3, 3]]


@pytest.mark.parametrize(("name", "slope", "curvature"), [
    ("sigmoid", lambda d: d / (1 + d) ** 2, lambda d: d * (d - 1) / (1 + d) ** 3),
    ("softplus", lambda d: 1 / (1 + d), lambda d: d / (1 + d) ** 2),
    ("log_sigmoid", lambda d: d / (1 + d), lambda d: -d / (1 + d) ** 2),
])  # fmt: skip
@pytest.mark.parametrize("x", [0.0, 0.5, 30.0, 700.0])
def test_slope_and_curvature_keep_their_digits_far_out(
    name: str, slope: Any, curvature: Any, x: float
) -> None:
    decay = np.exp(-x)
    first = lambda t: slopes(KERNELS[name], t)[0]  # noqa: E731
    np.testing.assert_allclose(data_of(first(array(x))), slope(decay), rtol=4e-16)
    np.testing.assert_allclose(
        data_of(slopes(first, array(x))[0]), curvature(decay), rtol=2e-15, atol=0
    )


@pytest.mark.parametrize("approximate", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_gelu_and_its_slope_are_the_neutral_ones(dtype: str, approximate: bool) -> None:
    x = array([*EDGES, *np.linspace(-9, 9, 400)], dtype)
    assert_close(KERNELS["gelu"](x, approximate), neutral("gelu")(x, approximate))
    (got,) = slopes(lambda t: KERNELS["gelu"](t, approximate), x)
    (expected,) = slopes(lambda t: neutral("gelu")(t, approximate), x)
    # The slope has a zero at -0.75, where only its absolute error is small.
    np.testing.assert_allclose(
        data_of(got), data_of(expected), rtol=0, atol=8 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("x", [-30.0, -8.0, -1.0, 0.0, 0.5, 6.0])
def test_the_slope_of_gelu_keeps_its_digits(x: float) -> None:
    with mpmath.workdps(40):
        expected = float(mpmath.ncdf(x) + x * mpmath.npdf(x))
    (slope,) = slopes(KERNELS["gelu"], array([x]))
    np.testing.assert_allclose(data_of(slope), expected, rtol=1e-15)


CALLS: dict[str, tuple[str, Any]] = {
    "gelu": ("gelu", lambda f: lambda x: f(x)),
    "gelu approximate": ("gelu", lambda f: lambda x: f(x, approximate=True)),
    "relu": ("relu", lambda f: lambda x: f(x)),
    "sigmoid": ("sigmoid", lambda f: lambda x: f(x)),
    "silu": ("silu", lambda f: lambda x: f(x)),
    "softplus": ("softplus", lambda f: lambda x: f(x)),
    "log_sigmoid": ("log_sigmoid", lambda f: lambda x: f(x)),
    "softmax": ("softmax", lambda f: lambda x: f(x)),
    "softmax over rows": ("softmax", lambda f: lambda x: f(x, 0)),
    "softmax by keyword": ("softmax", lambda f: lambda x: f(x, dim=0)),
    "log_softmax": ("log_softmax", lambda f: lambda x: f(x)),
    "log_softmax over rows": ("log_softmax", lambda f: lambda x: f(x, 0)),
    "dense": ("dense", lambda f: lambda x, w, b: f(x, w, b)),
    "dense without bias": ("dense", lambda f: lambda x, w: f(x, w)),
    "dense with bias None": ("dense", lambda f: lambda x, w: f(x, w, None)),
    "dense of one row": ("dense", lambda f: lambda x, w, b: f(x[0, :], w, b)),
    "mse": ("mse", lambda f: lambda p, t: f(p, t)),
    "mse of a constant": ("mse", lambda f: lambda p: f(p, xp.zeros_like(p))),
    "softmax_cross_entropy": ("softmax_cross_entropy", lambda f: lambda p, t: f(p, t, -1)),
    "over rows": ("softmax_cross_entropy", lambda f: lambda p, t: f(p, t, 0)),
    "to one target": (
        "softmax_cross_entropy",
        lambda f: lambda p: f(p, xp.asarray(np.eye(4, 3)), -1),
    ),
}


def points_of(call: str) -> tuple[xp.Array, ...]:
    name, make = CALLS[call]
    count = make(None).__code__.co_argcount
    if name == "dense":
        return (normal(4, 3), normal(3, 5), normal(5))[:count]
    return tuple(normal(4, 3) for _ in range(count))


@pytest.mark.parametrize("call", CALLS)
def test_value_and_gradient_are_the_neutral_ones(call: str) -> None:
    name, make = CALLS[call]
    kernel, plain = make(KERNELS[name]), make(neutral(name))
    points = points_of(call)
    out = plain(*points)
    assert_close(kernel(*points), out, ulps=64)
    weight = array(np.cos(np.arange(max(out.size, 1))).reshape(out.shape))
    pairs = zip(
        slopes(kernel, *points, weight=weight), slopes(plain, *points, weight=weight), strict=True
    )
    for got, expected in pairs:
        np.testing.assert_allclose(data_of(got), data_of(expected), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("call", CALLS)
def test_forward_mode_and_curvature_are_the_neutral_ones(call: str) -> None:
    name, make = CALLS[call]
    points = points_of(call)
    tangents = tuple(array(np.sin(1 + np.arange(p.size)).reshape(p.shape)) for p in points)
    found = []
    for f in (make(KERNELS[name]), make(neutral(name))):

        def value(*leaves: Any, f: Any = f) -> Any:
            out = f(*leaves)
            return xp.sum(out * out), ()

        def along(*leaves: Any, value: Any = value) -> Any:
            # Reverse over reverse: the gradient along the tangents, differentiated.
            gradients = BACKEND.value_and_gradient(value, leaves, SELECTOR)[1]
            parts = [xp.sum(g * t) for g, t in zip(gradients, tangents, strict=True)]
            return sum(parts[1:], parts[0]), ()

        def as_map(*leaves: Any, value: Any = value) -> Any:
            return value(*leaves)[:1], ()

        (tangent,) = BACKEND.pushforward(as_map, points, tangents, SELECTOR)[1]
        curvature = BACKEND.value_and_gradient(along, points, SELECTOR)[1]
        found.append((tangent, *curvature))
    for got, expected in zip(*found, strict=True):
        np.testing.assert_allclose(data_of(got), data_of(expected), rtol=1e-12, atol=1e-13)


# "to one target" has a float64 constant.
@pytest.mark.parametrize("call", [c for c in CALLS if c != "to one target"])
def test_float32_stays_float32(call: str) -> None:
    name, make = CALLS[call]
    points = tuple(xp.astype(p, xp.float32) for p in points_of(call))
    f = make(KERNELS[name])
    assert f(*points).dtype == xp.float32
    assert {g.dtype for g in slopes(f, *points)} == {xp.float32}


@pytest.mark.parametrize("call", ["relu", "gelu", "softmax", "log_softmax", "dense", "mse"])
def test_one_kernel_is_one_node_of_the_tape(call: str) -> None:
    name, make = CALLS[call]
    parents = []

    def total(*leaves: Any) -> Any:
        out = make(KERNELS[name])(*leaves)
        parents.extend(out._node.parents)
        assert all(leaf._node in out._node.parents for leaf in leaves)
        return xp.sum(out), ()

    points = points_of(call)
    BACKEND.value_and_gradient(total, points, SELECTOR)
    assert len(parents) == len(points)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_float16_is_summed_in_float32(name: str) -> None:
    x = array(np.linspace(-5, 5, 1000), np.float16)
    assert_close(KERNELS[name](x), neutral(name)(x), ulps=1)


def test_masked_logits_have_probability_and_slope_zero() -> None:
    x = array([0.0, -np.inf, 1.0])
    assert data_of(KERNELS["softmax"](x))[1] == 0
    assert data_of(slopes(KERNELS["softmax"], x, weight=array([1.0, 2.0, 3.0]))[0])[1] == 0


def test_operands_that_a_rule_was_not_made_for_take_the_neutral_way() -> None:
    x, w, b = normal(2, 4, 3), normal(3, 5), normal(1, 5)
    assert_close(KERNELS["dense"](x, w, b), x @ w + b)
    p, t = normal(4, 3), normal(3)
    assert_close(KERNELS["mse"](p, t), xp.mean((p - t) * (p - t)))
    assert_close(
        KERNELS["softmax_cross_entropy"](p, t, -1), neutral("softmax_cross_entropy")(p, t, -1)
    )
