"""Backward passes that begin at a loss's prediction give what those from the value give."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from polylux import AutoTorch, gradient, value_and_gradient
from polylux.errors import ShapeError
from polylux.losses import CrossEntropyLoss, Loss, MAELoss, PoissonLoss
from polylux.losses._kernels import softmax_cross_entropy_mean

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
@pytest.mark.parametrize("is_whole", [True, False])
def test_many_lanes_are_as_few(loss: Loss, target: Any, slope: Any, is_whole: bool) -> None:
    given = target.repeat(40, *[1] * (target.ndim - 1))

    def objective(z: Any) -> Any:
        value = loss(z, given)
        return value if is_whole else value * 1

    value, found = value_and_gradient(objective, SELECTOR, W.repeat(40, 1))
    assert float(value) == pytest.approx(float(loss(W, target)), rel=4 * 2**-23)
    assert found.is_contiguous()
    assert is_close(found, slope(W.double()).repeat(40, 1) / 40)


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


def detached(value: Any) -> Any:
    return value.detach_().requires_grad_()


@case
def test_a_value_detached_in_place_has_no_gradient(loss: Loss, target: Any, slope: Any) -> None:
    def objective(w: Any) -> Any:
        return detached(loss(w, target))

    def unrecorded(w: Any) -> Any:
        with torch.no_grad():
            value = loss(w, target)
        return value.requires_grad_()

    for function in (objective, unrecorded):
        assert not gradient(function, SELECTOR, W).any()


@case
def test_a_prediction_detached_in_place_afterwards_is_gone_back_from(
    loss: Loss, target: Any, slope: Any
) -> None:
    # As in truncated backpropagation through time.
    def objective(w: Any) -> Any:
        z = 2 * w
        value = loss(z, target)
        z.detach_()
        return value

    assert is_close(gradient(objective, SELECTOR, W), 2 * slope(2 * W.double()))


def test_labels_changed_afterwards_are_an_error_of_torch() -> None:
    labels = LABELS.clone()

    def objective(w: Any) -> Any:
        value = CrossEntropyLoss(logits=True)(2 * w, labels)
        labels.fill_(1)
        return value

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        gradient(objective, SELECTOR, W)


@case
def test_a_derivative_of_the_user_s_around_the_loss_is_taken(
    loss: Loss, target: Any, slope: Any
) -> None:
    class Constant(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, z: Any) -> Any:
            return loss(z, target)

        @staticmethod
        def backward(ctx: Any, cotangent: Any) -> Any:
            return torch.full_like(W, 42.0) * cotangent

    found = gradient(lambda w: Constant.apply(2 * w), SELECTOR, W)
    assert torch.equal(found, torch.full_like(W, 84.0))


@case
def test_a_loss_outside_of_our_derivatives_is_a_tensor_like_any_other(
    loss: Loss, target: Any, slope: Any
) -> None:
    leaf = W.clone().requires_grad_()
    value = loss(leaf, target)
    value.backward()
    assert is_close(leaf.grad, slope(W.double()))
    assert torch.load(io.BytesIO(saved(value))) == value
    with torch.inference_mode():
        assert loss(leaf, target) == value


def saved(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@case
def test_a_loss_that_is_kept_keeps_nothing_else(loss: Loss, target: Any, slope: Any) -> None:
    kept: list[Any] = []

    def objective(w: Any) -> Any:
        kept.append(loss(2 * w, target))
        return kept[0]

    gradient(objective, SELECTOR, W)
    assert not vars(kept[0])


def test_what_ran_without_memory_is_not_met_with_memory() -> None:
    loss, shares = CrossEntropyLoss(logits=True), torch.full((97, 4), 0.25)  # as many as nowhere
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert loss(torch.zeros(97, 4), shares).shape == ()
    assert float(loss(torch.zeros(97, 4), shares)) == pytest.approx(math.log(4), rel=1e-6)


@pytest.mark.parametrize("target", [torch.ones(3), torch.ones(2, 1), torch.ones(4, 3)], ids=str)
def test_shares_of_another_shape_are_refused_by_the_function_too(target: Any) -> None:
    with pytest.raises((RuntimeError, ShapeError)):
        gradient(lambda z: softmax_cross_entropy_mean(z, target), SELECTOR, W)


def test_shares_of_both_signs_keep_the_digits_that_cancel() -> None:
    z, signs = 3 * W, torch.tensor([[1.0, -2.0, 0.5], [-1.0, 1.0, 0.25]])
    wide = z.double()
    surprise = torch.logsumexp(wide, 1, keepdim=True) - wide
    rest = float((signs.double() * surprise).sum() - signs[0, 1] * surprise[0, 1])
    signs[0, 1] = (1e-4 - rest) / float(surprise[0, 1])
    expected = float((signs.double() * surprise).sum()) / 2
    assert 0 < expected < 1e-3
    assert float(CrossEntropyLoss(logits=True)(z, signs)) == pytest.approx(expected, rel=1e-6)


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
