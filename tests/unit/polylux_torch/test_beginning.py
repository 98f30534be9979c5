"""Backward passes that begin at a loss's prediction give what those from the value give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from polylux import AutoTorch, gradient, value_and_gradient
from polylux.losses import CrossEntropyLoss, Loss, MAELoss, PoissonLoss

SELECTOR = AutoTorch()

W = torch.tensor([[0.5, 1.25, 3.0], [2.0, 0.75, 1.0]])
SHARES = torch.tensor([[0.25, 0.5, 0.25], [1.0, 0.0, 0.5]])
LABELS = torch.tensor([2, 0])


def softmax(z: Any) -> Any:
    return torch.exp(z) / torch.exp(z).sum(1, keepdim=True)


def by_shares(z: Any) -> Any:
    return (softmax(z) * SHARES.double().sum(1, keepdim=True) - SHARES) / 2


def by_labels(z: Any) -> Any:
    return (softmax(z) - torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])) / 2


def by_size(z: Any) -> Any:
    return torch.sign(z - SHARES) / 6


def by_rate(z: Any) -> Any:
    return (1 - SHARES / (z + 0.125)) / 6


CASES: dict[str, tuple[Loss, Any, Callable[[Any], Any]]] = {
    "shares": (CrossEntropyLoss(logits=True), SHARES, by_shares),
    "labels": (CrossEntropyLoss(logits=True), LABELS, by_labels),
    "short labels": (CrossEntropyLoss(logits=True), LABELS.to(torch.int8), by_labels),
    "sizes": (MAELoss(), SHARES, by_size),
    "rates": (PoissonLoss(epsilon=0.125), SHARES, by_rate),
}
case = pytest.mark.parametrize(("loss", "target", "slope"), CASES.values(), ids=CASES)


def is_close(got: Any, true: Any) -> bool:
    return bool((got - true).abs().max() <= 4 * 2**-23 * true.abs().max())


@case
@pytest.mark.parametrize("is_whole", [True, False])
def test_gradient_is_the_formula_and_the_loss_s_own_node_is_left_out(
    loss: Loss, target: Any, slope: Any, is_whole: bool
) -> None:
    ran = []

    def objective(w: Any) -> Any:
        value = loss(2 * w, target)
        value.grad_fn.register_prehook(lambda cotangents: ran.append(cotangents))
        return value if is_whole else value * 1

    assert is_close(gradient(objective, SELECTOR, W), 2 * slope(2 * W.double()))
    assert bool(ran) is not is_whole


@case
def test_gradient_by_the_prediction_itself_is_the_caller_s(
    loss: Loss, target: Any, slope: Any
) -> None:
    def objective(z: Any) -> Any:
        return loss(z, target)

    first = gradient(objective, SELECTOR, W)
    assert is_close(first, slope(W.double()))
    first.zero_()
    assert is_close(gradient(objective, SELECTOR, W), slope(W.double()))


@case
def test_two_losses_of_one_prediction_are_added(loss: Loss, target: Any, slope: Any) -> None:
    def objective(w: Any) -> Any:
        return loss(w, target) + loss(w, target)

    assert is_close(gradient(objective, SELECTOR, W), 2 * slope(W.double()))


@case
def test_a_loss_of_one_of_two_predictions_leaves_the_other_out(
    loss: Loss, target: Any, slope: Any
) -> None:
    def objective(w: Any) -> Any:
        loss(5 * w, target)
        value = loss(2 * w, target)
        loss(7 * w, target)
        return value

    assert is_close(gradient(objective, SELECTOR, W), 2 * slope(2 * W.double()))


@case
def test_a_value_changed_in_place_is_another(loss: Loss, target: Any, slope: Any) -> None:
    def objective(w: Any) -> Any:
        return loss(w, target).mul_(3)

    value, found = value_and_gradient(objective, SELECTOR, W)
    assert value == 3 * loss(W, target)
    assert is_close(found, 3 * slope(W.double()))


def test_a_prediction_changed_in_place_afterwards_is_another() -> None:
    # What torch allows after a loss that keeps nothing of its prediction.
    def objective(w: Any) -> Any:
        z = 2 * w
        value = CrossEntropyLoss(logits=True)(z, SHARES)
        z.mul_(3)
        return value

    assert is_close(gradient(objective, SELECTOR, W), 2 * by_shares(2 * W.double()))


@case
def test_what_a_user_hangs_on_the_value_is_heard(loss: Loss, target: Any, slope: Any) -> None:
    def objective(w: Any) -> Any:
        value = loss(w, target)
        value.register_hook(lambda cotangent: 5 * cotangent)
        return value

    assert is_close(gradient(objective, SELECTOR, W), 5 * slope(W.double()))
    kept = []

    def keeping(w: Any) -> Any:
        kept.append(loss(w, target))
        kept[0].retain_grad()
        return kept[0]

    gradient(keeping, SELECTOR, W)
    assert kept[0].grad == 1


@case
def test_a_derivative_of_the_gradient_is_the_formula_s(
    loss: Loss, target: Any, slope: Any
) -> None:
    # Along the first logit of the first lane, by differences of the closed form.
    def first(w: Any) -> Any:
        return gradient(lambda z: loss(z, target), SELECTOR, w)[0, 0]

    step = torch.zeros_like(W, dtype=torch.float64)
    step[0, 0] = 2.0**-15
    curvature = (slope(W.double() + step) - slope(W.double() - step))[0, 0] / 2**-14
    assert gradient(first, SELECTOR, W)[0, 0] == pytest.approx(float(curvature), rel=1e-5)


def test_a_number_that_is_its_own_derivative_is_given_to_nobody() -> None:
    def itself(x: Any) -> Any:
        return x

    gradient(itself, SELECTOR, torch.tensor(2.0)).numpy()[...] = 0  # unseen by torch
    assert gradient(itself, SELECTOR, torch.tensor(2.0)) == 1
    assert gradient(lambda x: x.sum(), SELECTOR, torch.ones(1)) == 1


def test_a_backward_pass_that_writes_into_its_cotangent_spoils_no_other() -> None:
    class Careless(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, cotangent: Any) -> Any:
            return cotangent.mul_(2).clone()

    for _ in range(2):
        assert gradient(Careless.apply, SELECTOR, torch.tensor(2.0)) == 2
    assert gradient(lambda x: 3 * x, SELECTOR, torch.tensor(2.0)) == 3
