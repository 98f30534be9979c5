"""Fused updates: the numbers of the rules' own array code, in place or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from polylux.optimizers import (
    SGD,
    AccumulateGradients,
    AdaBelief,
    AdaDelta,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    ClipNorm,
    ClipValue,
    NAdam,
    RAdam,
    RMSProp,
    Rule,
    WeightDecay,
    chain,
)
from polylux.selectors import AutoTorch
from polylux_torch._backend import TorchBackend

BACKEND = TorchBackend()
SELECTOR = AutoTorch()

RULES = [
    SGD(0.1),
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, nesterov=True),
    Adam(1e-2),
    Adam(1e-2, betas=(0.5, 0.7), epsilon=1e-3),
    AdamW(1e-2, weight_decay=0.1),
    AMSGrad(1e-2, betas=(0.5, 0.7), epsilon=1e-3),
    AdaGrad(0.1, epsilon=1e-3, initial_accumulator=0.1),
    RMSProp(1e-2, decay=0.7),
    RMSProp(1e-2, decay=0.7, epsilon=0.1, momentum=0.5, centered=True),
    RAdam(1e-2, betas=(0.5, 0.9), epsilon=1e-3),
    NAdam(1e-2, momentum_decay=0.3),
    AdaMax(1e-2, betas=(0.5, 0.7), epsilon=1e-3),
    AdaBelief(1e-2, epsilon=1e-3),
    AdaDelta(0.5, decay=0.7, epsilon=1e-2),
    chain(ClipNorm(0.5), Adam(1e-2)),
    chain(ClipNorm(1e9), SGD(0.1)),
    chain(ClipNorm(2.0), ClipValue(0.5), WeightDecay(0.1), Adam(1e-2)),
    AccumulateGradients(2, SGD(0.1, momentum=0.9)),
]


def tensors(seed: int, dtype: torch.dtype = torch.float64, scale: float = 1.0) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    shapes = ((3, 2), (2,), ())
    return tuple(torch.as_tensor(scale * rng.normal(size=s)).to(dtype) for s in shapes)


def neutral(
    rule: Rule, parameters: tuple[Any, ...], gradients: tuple[Any, ...], slots: Any, count: int
) -> Any:
    steps, slots = rule.update(BACKEND.namespace, rule.scalars(count), gradients, parameters, slots)
    return tuple(p - s for p, s in zip(parameters, steps, strict=True)), slots


def run(rule: Rule, in_place: bool, dtype: torch.dtype, scale: float = 1.0) -> tuple[Any, Any]:
    """The ends of five fused and five neutral updates."""
    update = BACKEND.fused_update(rule, in_place, SELECTOR)
    assert update is not None
    ends = []
    for step in (update, lambda *args: neutral(rule, *args)):
        parameters = tuple(p.clone() for p in tensors(0, dtype))
        slots = rule.init(BACKEND.namespace, parameters)
        for count in range(1, 6):
            parameters, slots = step(parameters, tensors(count, dtype, scale), slots, count)
        ends.append([*parameters, *(a for slot in slots for a in slot)])
    return ends[0], ends[1]


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize(("dtype", "eps"), [(torch.float64, 2**-52), (torch.float32, 2**-23)])
def test_fused_update_is_the_neutral_update(
    rule: Rule, in_place: bool, dtype: torch.dtype, eps: float
) -> None:
    fused, expected = run(rule, in_place, dtype)
    # 16 eps: five updates of a few roundings each, of numbers of size 1.
    torch.testing.assert_close(fused, expected, rtol=16 * eps, atol=16 * eps)


@pytest.mark.parametrize("scale", [1e-30, 1e30], ids=["tiny", "huge"])
def test_clipping_neither_overflows_nor_underflows(scale: float) -> None:
    fused, expected = run(chain(ClipNorm(0.5), SGD(0.1)), True, torch.float32, scale)
    torch.testing.assert_close(fused, expected, rtol=1e-6, atol=0)
    assert all(torch.isfinite(a).all() for a in fused)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_update_in_place_reuses_the_buffers_and_others_leave_them(rule: Rule) -> None:
    for in_place in (True, False):
        parameters = tensors(0)
        slots = rule.init(BACKEND.namespace, parameters)
        kept = [p.clone() for p in parameters]
        gradients = tensors(1)
        update = BACKEND.fused_update(rule, in_place, SELECTOR)
        assert update is not None
        new, _ = update(parameters, gradients, slots, 1)
        assert [a is b for a, b in zip(new, parameters, strict=True)] == [in_place] * 3
        torch.testing.assert_close(gradients, tensors(1), rtol=0, atol=0)
        if not in_place:
            torch.testing.assert_close(list(parameters), kept, rtol=0, atol=0)
            torch.testing.assert_close(slots, rule.init(BACKEND.namespace, parameters))


def test_strides_do_not_change_the_numbers() -> None:
    # Kernels walk memory in its order, whatever the strides say.
    rule = Adam(1e-2)
    matrix, gradient = torch.arange(6.0).reshape(2, 3), torch.arange(1.0, 7.0).reshape(2, 3)
    update = BACKEND.fused_update(rule, True, SELECTOR)
    assert update is not None
    results = []
    for p, g in ((matrix.clone(), gradient), (matrix.mT.clone().mT, gradient),
                 (matrix.clone(), gradient.mT.clone().mT)):  # fmt: skip
        slots = rule.init(BACKEND.namespace, (p,))
        results.append(update((p,), (g,), slots, 1)[0][0])
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=0)
    torch.testing.assert_close(results[2], results[0], rtol=0, atol=0)


def test_trees_of_mixed_dtypes_are_updated_each_in_its_own() -> None:
    rule = Adam(1e-2)
    parameters = (
        torch.ones(2, dtype=torch.float64),
        torch.ones(2),
        torch.ones((), dtype=torch.float64),
    )
    gradients = tuple(2 * p for p in parameters)
    slots = rule.init(BACKEND.namespace, parameters)
    update = BACKEND.fused_update(rule, False, SELECTOR)
    assert update is not None
    got, expected = (
        update(parameters, gradients, slots, 1),
        neutral(rule, parameters, gradients, slots, 1),
    )
    for a, b in zip(got[0], expected[0], strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b)


def test_bias_correction_is_in_double_precision() -> None:
    # The first step of Adam is eta * g / (|g| + eps'), whatever the betas; in float32 it is not.
    rule = Adam(1.0, betas=(0.9, 0.999), epsilon=0.0)
    p = (torch.zeros(1, dtype=torch.float64),)
    update = BACKEND.fused_update(rule, False, SELECTOR)
    assert update is not None
    (new,), _ = update(
        p, (torch.full((1,), 0.3, dtype=torch.float64),), rule.init(BACKEND.namespace, p), 1
    )
    assert new.item() == pytest.approx(-1.0, rel=1e-15)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_results_can_be_trained_on_outside_the_user_s_context(context: Any) -> None:
    update = BACKEND.fused_update(Adam(), False, SELECTOR)
    assert update is not None
    parameters = tensors(0)
    slots = Adam().init(BACKEND.namespace, parameters)
    with context():
        new, _ = update(parameters, tensors(1), slots, 1)
    assert not any(p.is_inference() or p.requires_grad for p in new)


class Unknown(SGD):
    kind = "a rule of the user"


def test_unknown_rules_and_compiled_selectors_use_the_neutral_update() -> None:
    assert BACKEND.fused_update(Unknown(), True, SELECTOR) is None
    assert BACKEND.fused_update(chain(SGD(momentum=0.9), SGD()), True, SELECTOR) is None
    assert BACKEND.fused_update(chain(ClipNorm(), Unknown()), True, SELECTOR) is None
    assert BACKEND.fused_update(Adam(), True, AutoTorch(compile=True)) is None
