"""Options of the losses: their domains, and what a bad one is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polylux import losses
from polylux.errors import DomainError, OptionError, ShapeError
from polylux.losses import (
    BinaryCrossEntropyLoss,
    BinaryFocalLoss,
    CrossEntropyLoss,
    DiceCoeffLoss,
    FocalLoss,
    GenericLossFunction,
    HuberLoss,
    KLDivergenceLoss,
    MSLELoss,
    PoissonLoss,
    SiameseContrastiveLoss,
)

P = np.full((4, 3), 0.5)

OUTSIDE: list[tuple[Any, str, Any, str]] = [
    *[(loss, "label_smoothing", a, r"in \[0, 1\]")
      for loss in (BinaryCrossEntropyLoss, CrossEntropyLoss, KLDivergenceLoss)
      for a in (-0.1, 1.1, float("nan"))],
    *[(loss, "gamma", g, "at least 0 and finite")
      for loss in (BinaryFocalLoss, FocalLoss) for g in (-1, -1e-9, float("inf"))],
    *[(HuberLoss, "delta", d, "above 0 and finite") for d in (0, -1, float("nan"), float("inf"))],
    (SiameseContrastiveLoss, "margin", -0.5, "at least 0 and finite"),
    (DiceCoeffLoss, "smooth", -1, "at least 0 and finite"),
    *[(loss, "epsilon", e, "at least 0 and finite")
      for loss in (MSLELoss, PoissonLoss, FocalLoss, BinaryFocalLoss, KLDivergenceLoss)
      for e in (-1e-9, float("nan"))],
]  # fmt: skip

OF_ANOTHER_TYPE: list[tuple[Any, str, Any]] = [
    (HuberLoss, "delta", None),
    (HuberLoss, "delta", "1"),
    (FocalLoss, "gamma", True),
    (SiameseContrastiveLoss, "margin", True),
    (BinaryCrossEntropyLoss, "logits", 1),
    (KLDivergenceLoss, "dim", 1.0),
    (FocalLoss, "dim", (0, 1)),
    (CrossEntropyLoss, "ignore_index", 1.5),
]


@pytest.mark.parametrize(("loss", "name", "value", "domain"), OUTSIDE)
def test_option_outside_its_domain_is_an_error(
    loss: Any, name: str, value: float, domain: str
) -> None:
    with pytest.raises(DomainError, match=rf"{loss.__name__}\({name}=...\) must be {domain}, got"):
        loss(**{name: value})


@pytest.mark.parametrize(("loss", "name", "value"), OF_ANOTHER_TYPE)
def test_option_of_another_type_is_an_error(loss: Any, name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=rf"{loss.__name__}\({name}=...\) takes .*, got ") as it:
        loss(**{name: value})
    assert repr(value) in str(it.value)


@pytest.mark.parametrize("dim", [2, -3])
@pytest.mark.parametrize("loss", [CrossEntropyLoss, FocalLoss, KLDivergenceLoss])
def test_axis_out_of_range_is_an_error(loss: Any, dim: int) -> None:
    with pytest.raises(ShapeError, match=rf"{loss.__name__}\(dim={dim}\) .* has no axis {dim}"):
        loss(dim=dim)(P, P)


@pytest.mark.parametrize(
    "name", sorted(n for n in losses.__all__ if n[0].isupper() and n != "Loss")
)
def test_shapes_that_differ_are_an_error_of_every_loss(name: str) -> None:
    loss = getattr(losses, name)
    made = loss(lambda p, t: p - t) if name == "GenericLossFunction" else loss()
    for p, t in ((P, P[:1]), (P[:, 0], P[:, :1]), (P[:, :1], P[:, 0]), (P, P[:, 0])):
        with pytest.raises(ShapeError, match="a prediction of shape .* and a target of shape"):
            made(p, t)


@pytest.mark.parametrize(
    "name", sorted(n for n in losses.__all__ if n[0].isupper() and n != "Loss")
)
def test_every_loss_is_a_value_that_prints_as_it_is_made(name: str) -> None:
    loss = getattr(losses, name)
    args = (max,) if name == "GenericLossFunction" else ()
    made = loss(*args, agg="sum")
    assert made == loss(*args, agg="sum") != loss(*args)
    assert hash(made) == hash(loss(*args, agg="sum"))
    if not args:
        assert eval(repr(made), vars(losses)) == made


# --- a function of the user's --------------------------------------------------------------------


def test_function_gets_two_arrays_of_one_shape_and_dtype() -> None:
    seen = []

    def f(p: Any, t: Any) -> Any:
        seen.append((p.shape, p.dtype, t.shape, t.dtype))
        return p * t

    GenericLossFunction(f)(P.astype(np.float16), 1)
    GenericLossFunction(f)(P, np.ones((4, 3), int))
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    assert seen == [((4, 3), single, (4, 3), single), ((4, 3), double, (4, 3), double)]


@pytest.mark.parametrize("result", [np.ones(4), np.ones((4, 1)), 1.0, None], ids=repr)
def test_function_that_returns_another_shape_is_an_error(result: Any) -> None:
    with pytest.raises(ShapeError, match=r"array of the prediction's shape \(4, 3\), got"):
        GenericLossFunction(lambda p, t: result)(P, P)


def test_function_is_what_generic_loss_needs() -> None:
    with pytest.raises(OptionError, match="takes a function of prediction and target, got 'mean'"):
        GenericLossFunction("mean")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="takes its options by keyword, got 'sum'"):
        GenericLossFunction(max, "sum")  # type: ignore[call-arg]
