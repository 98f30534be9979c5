"""Values and gradients of the losses of predicted classes, against closed forms."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

import polylux
from polylux.errors import DomainError, OptionError, ShapeError
from polylux.losses import CrossEntropyLoss, softmax_cross_entropy, softmax_cross_entropy_mean
from polylux.losses._kernels import softmax_cross_entropy_labels_mean
from polylux.losses._softmax import cross_entropy_of_labels, cross_entropy_of_lanes

EPS = 2.0**-52
SHAPES = [((4, 3), -1), ((4, 3), 0), ((2, 5, 3, 2), 1), ((3,), -1)]
shapes = pytest.mark.parametrize(("shape", "dim"), SHAPES, ids=str)


def _data(shape: tuple[int, ...], seed: int = 0) -> tuple[Any, Any]:
    """Positive predictions, used as probabilities and as logits; soft targets with zeros."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(0, 1, shape)
    return rng.uniform(0.05, 0.95, shape), np.where(t < 0.3, 0.0, t)


def _exact(p: Any, t: Any, dim: int, logits: bool, epsilon: float, alpha: float) -> Any:
    """The items by 50-digit arithmetic, one lane at a time."""
    p, t = np.moveaxis(p, dim, -1), np.moveaxis(t, dim, -1)
    items = np.empty(p.shape[:-1])
    for lane in np.ndindex(items.shape):
        with mp.workdps(50):
            ps, ts = [mp.mpf(v) for v in p[lane]], [mp.mpf(v) for v in t[lane]]
            ts = [v * (1 - mp.mpf(alpha)) + mp.mpf(alpha) / len(ts) for v in ts]
            if logits:
                total = mp.log(mp.fsum(mp.exp(v) for v in ps))
                logs = [v - total for v in ps]
            else:
                logs = [
                    mp.log(v + epsilon) if y else mp.mpf(0) for v, y in zip(ps, ts, strict=True)
                ]
            items[lane] = float(-mp.fsum(y * v for y, v in zip(ts, logs, strict=True)))
    return items


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [None, 0.0, 0.15, 1.0])
@pytest.mark.parametrize("logits", [False, True], ids=["probabilities", "logits"])
@shapes
def test_items_are_the_closed_form(
    shape: Any, dim: int, logits: bool, alpha: float | None, library: Any
) -> None:
    p, t = _data(shape)
    loss = CrossEntropyLoss(dim=dim, logits=logits, label_smoothing=alpha, agg=None)
    items = library.host(loss(library.array(p), library.array(t)))
    expected = _exact(p, t, dim, logits, EPS, alpha or 0.0)
    np.testing.assert_allclose(items, expected, rtol=16 * EPS, atol=16 * EPS)


@pytest.mark.parametrize("logits", [False, True], ids=["probabilities", "logits"])
@shapes
def test_mean_divides_by_the_number_of_lanes(
    shape: Any, dim: int, logits: bool, library: Any
) -> None:
    p, t = _data(shape)
    value = library.host(
        CrossEntropyLoss(dim=dim, logits=logits)(library.array(p), library.array(t))
    )
    expected = _exact(p, t, dim, logits, EPS, 0.0)
    np.testing.assert_allclose(value, expected.sum() / expected.size, rtol=16 * EPS)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, 1.6076053), ({"agg": "sum"}, 5 * 1.6076053), ({"label_smoothing": 0.15}, 1.5776052)],
    ids=str,
)
def test_worked_example(options: Any, expected: float, library: Any) -> None:
    logits = np.reshape(np.arange(-7.0, 8.0), (5, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = np.eye(3)[[0, 1, 2, 1, 0]]
    value = library.host(
        CrossEntropyLoss(**options)(library.array(p, np.float32), library.array(y, np.float32))
    )
    # The page computes in float32 and shows eight digits.
    np.testing.assert_allclose(value, expected, rtol=2 * 2.0**-23)


def test_uniform_logits_give_the_logarithm_of_the_number_of_classes(library: Any) -> None:
    for size in (2, 10):
        t = np.eye(size)[[0, 1]]
        value = library.host(
            CrossEntropyLoss(logits=True)(library.array(np.full((2, size), 1e4)), library.array(t))
        )
        np.testing.assert_allclose(value, np.log(size), rtol=4 * EPS)


@pytest.mark.parametrize(("dtype", "expected"), [(np.float32, 2.0**-23), (np.float64, 2.0**-52)])
def test_default_epsilon_is_that_of_the_prediction(
    dtype: Any, expected: float, library: Any
) -> None:
    p = library.array([[0.0, 1.0]], dtype)
    value = library.host(CrossEntropyLoss()(p, library.array([[1.0, 0.0]])))  # a float64 target
    np.testing.assert_allclose(value, -np.log(expected), rtol=4 * np.finfo(dtype).eps)


def test_zero_epsilon_allows_probability_zero_where_the_target_is_zero(library: Any) -> None:
    loss = CrossEntropyLoss(epsilon=0)
    p = library.array([[0.0, 0.5, 0.5]])
    value = library.host(loss(p, library.array([[0.0, 0.5, 0.5]])))
    np.testing.assert_allclose(value, np.log(2), rtol=4 * EPS)
    with np.errstate(divide="ignore"):
        assert library.host(loss(p, library.array([[1.0, 0.0, 0.0]]))) == np.inf


def test_one_axis_is_one_sample(library: Any) -> None:
    p, t = library.array([0.25, 0.75]), library.array([0.0, 1.0])
    value = library.host(CrossEntropyLoss(epsilon=0, agg=None)(p, t))
    assert value.shape == ()
    np.testing.assert_allclose(value, -np.log(0.75), rtol=4 * EPS)


# --- gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize("agg", ["mean", "sum"])
@pytest.mark.parametrize("alpha", [None, 0.15])
@shapes
def test_gradient_with_logits_is_softmax_times_total_minus_target(
    shape: Any, dim: int, alpha: float | None, agg: str, differentiating: Any
) -> None:
    p, t = _data(shape)
    p = 40 * p - 20
    loss = CrossEntropyLoss(dim=dim, logits=True, label_smoothing=alpha, agg=agg)
    found = _gradient(loss, p, t, differentiating)
    y = t if alpha is None else t * (1 - alpha) + alpha / shape[dim]
    weights = np.exp(p - p.max(axis=dim, keepdims=True))
    softmax = weights / weights.sum(axis=dim, keepdims=True)
    expected = softmax * y.sum(axis=dim, keepdims=True) - y
    if agg == "mean":
        expected = expected * shape[dim] / p.size
    np.testing.assert_allclose(found, expected, rtol=0, atol=32 * EPS)


CERTAIN = {
    "certain": ([30.0, 0.0, -1.0], [1 - 1e-6, 1e-6, 0.0], 0),
    "certain and wrong": ([30.0, 0.0, -1.0], [1e-6, 0.0, 1 - 1e-6], 2),
    "two largest": ([5.0, 5.0, 1.0], [0.25, 0.5, 0.25], 1),
    "all equal": ([2.0, 2.0, 2.0], [1.0, 0.0, 0.0], 0),
    "next to the largest": ([1.0, 1.0 - 2**-40, -20.0], [0.0, 1.0, 0.0], 1),
    "uncertain": ([0.3, -0.2, 0.1], [0.2, 0.5, 0.3], 2),
    "no chance": ([1.0, -np.inf, 0.0], [0.5, 0.0, 0.5], 0),
}


def _softmax_by_mpmath(lane: list[float]) -> list[Any]:
    weights = [mp.exp(mp.mpf(v)) for v in lane]
    return [w / mp.fsum(weights) for w in weights]


@pytest.mark.parametrize("lane", CERTAIN.values(), ids=CERTAIN.keys())
@pytest.mark.parametrize("by_label", [False, True], ids=["shares", "label"])
def test_cross_entropy_of_logits_has_all_digits(
    by_label: bool, lane: Any, differentiating: Any
) -> None:
    z, shares, label = lane
    if by_label:
        shares = [float(k == label) for k in range(3)]
    with mp.workdps(50):
        p, t = _softmax_by_mpmath(z), [mp.mpf(v) for v in shares]
        total = mp.fsum(t)
        value = -mp.fsum(y * mp.log(q) for y, q in zip(t, p, strict=True) if y)
        slopes = [float(q * total - y) for y, q in zip(t, p, strict=True)]
    target = np.asarray(label) if by_label else np.asarray(shares)

    def lanes(z: Any, y: Any) -> Any:
        if by_label:
            return cross_entropy_of_labels(z, y, dim=0, is_known=True)
        return cross_entropy_of_lanes(z, y, dim=0)

    summed = CrossEntropyLoss(logits=True, agg="sum")
    ignoring = CrossEntropyLoss(logits=True, ignore_index=7)
    for function in (lanes, CrossEntropyLoss(logits=True), summed, ignoring):
        found, gradient = polylux.value_and_gradient(
            function, differentiating.selector, np.asarray(z), target
        )
        np.testing.assert_allclose(polylux.to_host(found), float(value), rtol=8 * EPS)
        largest = max(map(abs, slopes))
        np.testing.assert_allclose(
            polylux.to_host(gradient), slopes, rtol=0, atol=8 * EPS * largest
        )


def test_second_derivative_by_labels(differentiating: Any) -> None:
    z, label = np.asarray([4.0, 0.5, -1.0, 4.0]), np.asarray(0)
    p = np.exp(z - 4) / np.exp(z - 4).sum()
    function = softmax_cross_entropy_labels_mean.neutral
    found = polylux.hessian(function, differentiating.selector, z, label)
    np.testing.assert_allclose(
        polylux.to_host(found), np.diag(p) - np.outer(p, p), rtol=0, atol=4 * EPS
    )
    for k, column in enumerate(np.eye(4)):
        pushed = polylux.pushforward(
            lambda z: polylux.gradient(
                lambda z: function(z, polylux.array_namespace(z).asarray(0)),
                polylux.selector_of(z), z,
            ),
            differentiating.selector, z, column,
        )  # fmt: skip
        np.testing.assert_allclose(
            polylux.to_host(pushed), (np.diag(p) - np.outer(p, p))[k], rtol=0, atol=4 * EPS
        )


@pytest.mark.parametrize("by_label", [False, True], ids=["shares", "label"])
def test_infinite_logits_share_all_there_is(by_label: bool, differentiating: Any) -> None:
    z = np.asarray([[np.inf, 0.0, 1.0], [np.inf, np.inf, 0.0], [np.inf, 3.0, 0.0]])
    labels = np.asarray([0, 1, 1])
    target = labels if by_label else np.eye(3)[labels]
    for agg, expected in (("mean", np.inf), ("sum", np.inf), (None, [0.0, np.log(2), np.inf])):
        loss = CrossEntropyLoss(logits=True, agg=agg)
        found = loss(differentiating.array(z), differentiating.array(target, target.dtype))
        np.testing.assert_allclose(differentiating.host(found), expected, rtol=4 * EPS)
    total = CrossEntropyLoss(logits=True, agg="sum")
    slopes = polylux.gradient(total, differentiating.selector, z, target)
    expected_slopes = [[0, 0, 0], [0.5, -0.5, 0], [1, -1, 0]]
    np.testing.assert_allclose(polylux.to_host(slopes), expected_slopes, atol=4 * EPS)


@pytest.mark.parametrize("neutral", [True, False], ids=["neutral", "kernel"])
@pytest.mark.parametrize("reduced", [False, True], ids=["lanes", "mean"])
def test_gradient_with_logits_is_finite_at_extremes(
    reduced: bool, neutral: bool, differentiating: Any
) -> None:
    native = softmax_cross_entropy_mean if reduced else softmax_cross_entropy
    function = native.neutral if neutral else native

    def total(x: Any, t: Any) -> Any:
        lanes = function(x, t, -1)
        return lanes * 2 if reduced else polylux.array_namespace(x).sum(lanes)

    x = np.asarray([[1e4, -1e4, 0.0], [0.0, 0.0, 0.0]])
    t = np.asarray([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    third = 1 / 3
    np.testing.assert_allclose(
        _gradient(total, x, t, differentiating),
        [[1.0, -1.0, 0.0], [third, third, third - 1]],
        atol=4 * EPS,
    )


@pytest.mark.parametrize("alpha", [None, 0.15])
@shapes
def test_gradient_with_probabilities_is_minus_target_over_prediction(
    shape: Any, dim: int, alpha: float | None, differentiating: Any
) -> None:
    p, t = _data(shape)
    loss = CrossEntropyLoss(dim=dim, epsilon=0.25, label_smoothing=alpha, agg="sum")
    y = t if alpha is None else t * (1 - alpha) + alpha / shape[dim]
    np.testing.assert_allclose(
        _gradient(loss, p, t, differentiating), -y / (p + 0.25), rtol=8 * EPS, atol=8 * EPS
    )


def test_gradient_is_zero_where_the_target_is_zero_even_at_probability_zero(
    differentiating: Any,
) -> None:
    p, t = np.asarray([[0.0, 0.5]]), np.asarray([[0.0, 1.0]])
    found = _gradient(CrossEntropyLoss(epsilon=0), p, t, differentiating)
    np.testing.assert_array_equal(found, [[0.0, -2.0]])


def _gradient(function: Any, p: Any, t: Any, library: Any) -> Any:
    arrays = library.array(p), library.array(t)
    return library.host(polylux.gradient(function, library.selector, *arrays))


# --- integer labels ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "dim", "logits", "dtype"),
    [
        ((4, 3), -1, True, np.int64),
        ((4, 3), 0, False, np.int32),
        ((2, 5, 3, 2), 1, True, np.int16),
        ((3,), -1, False, np.uint8),
    ],
    ids=str,
)
def test_integer_labels_are_one_hot_targets(
    shape: Any, dim: int, logits: bool, dtype: Any, library: Any
) -> None:
    p, _ = _data(shape)
    lanes = np.moveaxis(p, dim, -1).shape[:-1]
    labels = np.random.default_rng(2).integers(0, shape[dim], lanes)
    hot = np.moveaxis(np.eye(shape[dim])[labels], -1, dim)
    loss = CrossEntropyLoss(dim=dim, logits=logits, label_smoothing=0.1)
    by_label = library.host(loss(library.array(p), library.array(labels, dtype)))
    assert by_label == library.host(loss(library.array(p), library.array(hot)))


def test_narrow_labels_reach_classes_beyond_their_range(library: Any) -> None:
    p = library.array(np.zeros((1, 300)))
    labels = library.array([20], np.uint8)  # 20 + 256 must not count as well
    value = library.host(CrossEntropyLoss(logits=True)(p, labels))
    np.testing.assert_allclose(value, np.log(300), rtol=4 * EPS)


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_label_smoothing_outside_its_domain_is_an_error(alpha: float) -> None:
    with pytest.raises(DomainError, match=r"label_smoothing=...\) must be in \[0, 1\]"):
        CrossEntropyLoss(label_smoothing=alpha)


@pytest.mark.parametrize("epsilon", [-1e-9, float("inf"), float("nan")])
def test_epsilon_outside_its_domain_is_an_error(epsilon: float) -> None:
    with pytest.raises(DomainError, match=r"epsilon=...\) must be"):
        CrossEntropyLoss(epsilon=epsilon)


@pytest.mark.parametrize(
    "options",
    [
        {"dim": "class"},
        {"dim": None},
        {"dim": True},
        {"dim": 1.0},
        {"logits": 1},
        {"epsilon": "small"},
        {"label_smoothing": True},
    ],
    ids=str,
)
def test_option_of_the_wrong_type_is_an_error(options: Any) -> None:
    name, value = next(iter(options.items()))
    with pytest.raises(
        OptionError, match=rf"CrossEntropyLoss\({name}=...\) takes .*, got {value!r}"
    ):
        CrossEntropyLoss(**options)


@pytest.mark.parametrize("logits", [False, True], ids=["probabilities", "logits"])
@pytest.mark.parametrize("dim", [2, -3])
def test_missing_axis_is_named(dim: int, logits: bool, library: Any) -> None:
    loss = CrossEntropyLoss(dim=dim, logits=logits)
    p = library.array(np.ones((4, 3)))
    for t in (p, library.array([0, 1, 2, 0], np.int64)):
        with pytest.raises(ShapeError, match=rf"shape \(4, 3\), which has no axis {dim}"):
            loss(p, t)


def test_numpy_integer_is_an_axis() -> None:
    assert CrossEntropyLoss(dim=np.int64(1)) == CrossEntropyLoss(dim=1)  # type: ignore[arg-type]
