"""check_gradient: right gradients pass, wrong ones are found, kinks are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import (
    AutoAutograd,
    AutoFiniteDiff,
    AutoJax,
    AutoTorch,
    NoAutoDiff,
    array_namespace,
    check_gradient,
    stop_gradient,
    to_backend,
)
from polylux.errors import (
    DomainError,
    NothingTrainableError,
    ObjectiveError,
    UnsupportedError,
    WrongGradientError,
)


def total(x: Any) -> Any:
    return array_namespace(x).sum(x)


SMOOTH = {
    "quadratic": lambda x: total(x * x),
    "exponential": lambda x: total(array_namespace(x).exp(3 * x)),
    "oscillating": lambda x: total(array_namespace(x).sin(200 * x)),
    "poles": lambda x: total(1 / (1e-3 + x * x)),
    "large value": lambda x: 1e6 + total(x**3),
    "noisy value": lambda x: total((x + 300) ** 2) - total(0 * x + 90000) - 600 * total(x),
    "constant": lambda x: 0 * total(x) + 3.0,
}
X = np.random.default_rng(1).normal(size=6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", SMOOTH)
def test_a_right_gradient_agrees(name: str, dtype: Any) -> None:
    for seed in range(3):
        report = check_gradient(SMOOTH[name], AutoAutograd(), X.astype(dtype), seed=seed)
        assert report.ok, report


def test_every_selector_is_checked_alike(selector: polylux.ADType) -> None:
    report = check_gradient(SMOOTH["exponential"], selector, X)
    assert report.ok, report
    assert report.value == pytest.approx(float(np.sum(np.exp(3 * X))), rel=1e-14)
    assert report.selector == repr(selector)


def test_differences_of_higher_order_agree_too() -> None:
    assert check_gradient(np.sum, AutoFiniteDiff(order=4), X).ok


def test_two_calls_for_each_direction_where_they_agree() -> None:
    report = check_gradient(SMOOTH["quadratic"], AutoAutograd(), X, directions=5)
    assert report.calls == 2 + 2 * 5
    assert len(report.directions) == 5
    assert report.leaves == ()


def test_the_slopes_are_those_of_closed_forms() -> None:
    report = check_gradient(lambda x: total(x**2), AutoAutograd(), np.asarray(3.0), directions=2)
    for line in report.directions:
        # One leaf of size 3 and one entry: the direction is 3 times its random length in [0.5, 1].
        assert 0.5 * 3 * 6 <= abs(line.by_gradient) <= 3 * 6
        assert line.by_differences == pytest.approx(line.by_gradient, rel=1e-9)


def test_a_stopped_leaf_is_named(selector: polylux.ADType) -> None:
    def f(ps: Any) -> Any:
        return total(ps["w"] ** 2 * stop_gradient(ps["b"][0])) + total(ps["b"][1])

    ps = {"w": X, "b": [np.asarray(2.0), np.ones(3)], "n": np.arange(3), "name": "dense"}
    report = check_gradient(f, selector, ps)
    assert not report.ok
    assert [(line.where, line.ok) for line in report.leaves] == [
        ("x['b'][0]", False), ("x['b'][1]", True), ("x['w']", True),
    ]  # fmt: skip
    assert all(line.by_gradient == 0.0 for line in report.leaves if not line.ok)


def torch_with_a_sign_error() -> Any:
    import torch

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return torch.cos(x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * torch.sin(ctx.saved_tensors[0])

    return Wrong.apply


def jax_with_a_sign_error() -> Any:
    import jax
    import jax.numpy as jnp

    wrong = jax.custom_jvp(jnp.cos)
    wrong.defjvp(lambda primals, tangents: (jnp.cos(*primals), jnp.sin(*primals) * tangents[0]))
    return wrong


@pytest.mark.parametrize(
    ("selector", "make"),
    [(AutoTorch(), torch_with_a_sign_error), (AutoJax(), jax_with_a_sign_error)],
    ids=["torch", "jax"],
)
def test_a_sign_error_in_a_rule_is_found(selector: polylux.ADType, make: Any) -> None:
    cosine = make()
    for dtype in (np.float64, np.float32):
        report = check_gradient(lambda x: total(cosine(x) + x), selector, X.astype(dtype))
        assert not any(line.ok for line in report.directions)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_wrong_entry_among_ten_thousand_is_found(dtype: Any) -> None:
    x = np.random.default_rng(0).normal(size=10_000).astype(dtype)

    def f(x: Any) -> Any:
        xp = array_namespace(x)
        parts = [x[:77], stop_gradient(x[77:78]), x[78:]]
        return total(xp.sin(xp.concat(parts)))

    assert check_gradient(lambda x: total(array_namespace(x).sin(x)), AutoTorch(), x).ok
    assert not check_gradient(f, AutoTorch(), x).ok


def test_an_error_of_one_part_in_a_million_is_found() -> None:
    def f(x: Any) -> Any:
        return total(x * x * (1 - 1e-6)) + total(stop_gradient(x * x * 1e-6))

    assert not check_gradient(f, AutoAutograd(), X).ok


def relu(x: Any) -> Any:
    return array_namespace(x).where(x > 0, x, 0 * x)


def test_a_kink_at_the_point_is_told_and_any_slope_between_is_right() -> None:
    report = check_gradient(lambda x: total(relu(x)), AutoAutograd(), np.zeros(3))
    assert report.ok
    for line in report.directions:
        assert abs(line.jump) > 0.1
        assert "a kink: the gradient is between the slopes" in line.note


def test_a_gradient_outside_the_slopes_of_a_kink_is_off() -> None:
    def f(x: Any) -> Any:
        return total(relu(x) + 2 * x - stop_gradient(2 * x))  # by the gradient 2, by values 0 and 1

    report = check_gradient(f, AutoAutograd(), np.asarray(0.0))
    assert not report.ok
    assert "a kink: the gradient is outside the slopes" in str(report)


@pytest.mark.parametrize("distance", [1e-9, 1e-6, 1e-3, 0.05])
def test_a_kink_beside_the_point_is_no_error(distance: float) -> None:
    report = check_gradient(
        lambda x: total(relu(x) + x**2), AutoAutograd(), np.asarray([distance, 1.0])
    )
    assert report.ok, report


def test_a_nan_gradient_is_off() -> None:
    def f(x: Any) -> Any:
        xp = array_namespace(x)
        return total(xp.where(x > 0, xp.sqrt(xp.where(x > 0, x, 0 * x)), x))  # inf * 0 at x < 0

    report = check_gradient(f, AutoJax(jit=False), np.asarray([-1.0, 2.0]))
    assert not report.ok
    assert "the function or its gradient is not finite here" in str(report)


def test_a_point_near_the_end_of_the_domain() -> None:
    with np.errstate(invalid="ignore"):
        report = check_gradient(
            lambda x: total(array_namespace(x).log(x)), AutoAutograd(), np.asarray(1e-3)
        )
    assert report.ok, report


def test_constants_are_handed_on_and_not_differentiated(selector: polylux.ADType) -> None:
    report = check_gradient(
        lambda x, c, k: total(x * c["a"]) * k, selector, X, {"a": 2 * X}, 3.0
    )
    assert report.ok
    assert report.value == pytest.approx(6 * float(np.sum(X * X)), rel=1e-14)


def test_a_tied_leaf_and_a_python_float() -> None:
    w = np.asarray([1.0, 2.0])
    assert check_gradient(
        lambda p: total(p["a"] * p["b"]) * p["c"], AutoTorch(), {"a": w, "b": w, "c": 2.0}
    ).ok


def test_nothing_of_the_callers_is_changed() -> None:
    x = to_backend(X, AutoTorch())
    check_gradient(lambda x: total(stop_gradient(x) * x), AutoTorch(), x)
    np.testing.assert_array_equal(x.numpy(), X)
    assert not x.requires_grad


def test_the_same_seed_draws_the_same_directions() -> None:
    first, second, other = (
        [line.by_gradient for line in check_gradient(total, AutoAutograd(), X, seed=s).directions]
        for s in (5, 5, 6)
    )
    assert first == second
    assert first != other


def test_raise_if_wrong_raises_the_report() -> None:
    check_gradient(total, AutoAutograd(), X).raise_if_wrong()
    wrong = check_gradient(lambda x: total(stop_gradient(x)), AutoAutograd(), X)
    with pytest.raises(WrongGradientError) as caught:
        wrong.raise_if_wrong()
    assert str(caught.value) == str(wrong)
    assert isinstance(caught.value, AssertionError)


def test_the_printed_report() -> None:
    report = check_gradient(lambda x: total(stop_gradient(x)), AutoAutograd(), X, directions=2)
    lines = repr(report).splitlines()
    assert lines[0].startswith("the gradient by AutoAutograd() is off along 2 of 2 directions (")
    assert lines[1].split() == [
        "by", "gradient", "by", "differences", "difference", "bound",
    ]  # fmt: skip
    assert lines[2].split()[:3] == ["direction", "1", "0"]
    assert lines[2].endswith("off")
    assert lines[5] == "leaf by leaf, along the first of these directions:"
    assert lines[7].split()[:2] == ["x", "0"]


def test_a_function_that_is_random_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ObjectiveError, match=r"two values at one point, .* random numbers"):
        check_gradient(lambda x: total(x) * float(rng.random()), AutoAutograd(), X)


def test_wrong_calls_are_refused() -> None:
    with pytest.raises(DomainError, match="one direction at least, got 0"):
        check_gradient(total, AutoAutograd(), X, directions=0)
    with pytest.raises(NothingTrainableError):
        check_gradient(total, AutoAutograd(), np.arange(3))
    with pytest.raises(UnsupportedError):
        check_gradient(total, NoAutoDiff(), X)
    with pytest.raises(ObjectiveError, match="real scalar, got shape"):
        check_gradient(lambda x: x, AutoAutograd(), X)
