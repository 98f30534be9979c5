"""Every rule against optax and torch.optim, step by step, with hyper-parameters off their defaults.

Where the two disagree each case says which of them the rule follows, and what makes the other one
agree: another place of epsilon, a start, a correction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

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
    Constant,
    Cosine,
    Frozen,
    Linear,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    Piecewise,
    RAdam,
    RMSProp,
    Rule,
    WarmUp,
    WeightDecay,
    by_path,
    chain,
)

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
torch = pytest.importorskip("torch")
nn, optim = torch.nn, torch.optim


def exact(schedule: Any) -> Any:
    """The schedule of a float64 count; of an integer count optax works it out in float32."""
    return lambda count: schedule(jax.numpy.asarray(count, dtype="float64"))


B = (0.8, 0.95)
B_OPTAX = {"b1": 0.8, "b2": 0.95}

OPTAX: dict[str, tuple[Rule, Callable[[], Any]]] = {
    "sgd": (SGD(0.05), lambda: optax.sgd(0.05)),
    "momentum": (Momentum(0.05, 0.7), lambda: optax.sgd(0.05, momentum=0.7)),
    "nesterov": (Nesterov(0.05, 0.7), lambda: optax.sgd(0.05, momentum=0.7, nesterov=True)),
    "rmsprop: epsilon outside the root": (
        RMSProp(0.02, decay=0.83, epsilon=1e-3),
        lambda: optax.rmsprop(0.02, decay=0.83, eps=1e-3, eps_in_sqrt=False),
    ),
    "rmsprop, momentum": (
        RMSProp(0.02, decay=0.83, epsilon=1e-3, momentum=0.7),
        lambda: optax.rmsprop(0.02, decay=0.83, eps=1e-3, eps_in_sqrt=False, momentum=0.7),
    ),
    "rmsprop, centered": (
        RMSProp(0.02, decay=0.83, epsilon=1e-2, momentum=0.7, centered=True),
        lambda: optax.rmsprop(
            0.02, decay=0.83, eps=1e-2, eps_in_sqrt=False, momentum=0.7, centered=True
        ),
    ),
    "adam": (Adam(0.02, B, 1e-2), lambda: optax.adam(0.02, **B_OPTAX, eps=1e-2)),
    "adam, no memory": (Adam(0.02, (0, 0), 0.1), lambda: optax.adam(0.02, b1=0, b2=0, eps=0.1)),
    "adamw": (
        AdamW(0.02, B, 1e-2, weight_decay=0.3),
        lambda: optax.adamw(0.02, **B_OPTAX, eps=1e-2, weight_decay=0.3),
    ),
    "amsgrad: maximum before the correction": (
        AMSGrad(0.02, B, 0.0),
        lambda: optax.chain(
            optax.scale_by_amsgrad(**B_OPTAX, eps=0.0, bias_correction_nu=False),
            optax.scale_by_schedule(lambda c: -0.02 * (1 - 0.95 ** (c + 1.0)) ** 0.5),
        ),
    ),
    "radam": (
        RAdam(0.02, (0.8, 0.9), 1e-2),
        lambda: optax.radam(0.02, b1=0.8, b2=0.9, eps=1e-2),
    ),
    "radam, late": (RAdam(0.02, (0, 0.999)), lambda: optax.radam(0.02, b1=0, b2=0.999)),
    "radam, never": (RAdam(0.02, (0.5, 0.55)), lambda: optax.radam(0.02, b1=0.5, b2=0.55)),
    "nadam: constant momentum": (
        NAdam(0.02, B, 1e-2, momentum_decay=None),
        lambda: optax.nadam(0.02, **B_OPTAX, eps=1e-2),
    ),
    "adamax": (AdaMax(0.02, B, 1e-2), lambda: optax.adamax(0.02, **B_OPTAX, eps=1e-2)),
    "adagrad: no epsilon": (
        AdaGrad(0.2, epsilon=0.0, initial_accumulator=0.3),
        lambda: optax.adagrad(0.2, initial_accumulator_value=0.3, eps=0.0),
    ),
    "adadelta": (
        AdaDelta(0.7, decay=0.8, epsilon=1e-2),
        lambda: optax.adadelta(0.7, rho=0.8, eps=1e-2),
    ),
    "adabelief": (
        AdaBelief(0.02, B, 1e-3),
        lambda: optax.adabelief(0.02, **B_OPTAX, eps=1e-3, eps_root=1e-3),
    ),
    "lion": (Lion(0.02, B, 0.3), lambda: optax.lion(0.02, **B_OPTAX, weight_decay=0.3)),
    "weight decay first": (
        chain(WeightDecay(0.1), Adam(0.02)),
        lambda: optax.chain(optax.add_decayed_weights(0.1), optax.adam(0.02)),
    ),
    "weight decay last": (
        chain(SGD(0.5), WeightDecay(0.1)),
        lambda: optax.chain(optax.scale(0.5), optax.add_decayed_weights(0.1), optax.scale(-1.0)),
    ),
    "clip by value": (
        chain(ClipValue(0.2), Adam(0.02)),
        lambda: optax.chain(optax.clip(0.2), optax.adam(0.02)),
    ),
    "clip by norm": (
        chain(ClipNorm(0.7), AdamW(0.01, weight_decay=0.1)),
        lambda: optax.chain(optax.clip_by_global_norm(0.7), optax.adamw(0.01, weight_decay=0.1)),
    ),
    "accumulate": (
        AccumulateGradients(4, Adam(Linear(0.1, 0.01, 7), B)),
        lambda: optax.MultiSteps(
            optax.adam(exact(optax.linear_schedule(0.1, 0.01, 7)), **B_OPTAX),
            4,
            accumulator_dtype="float64",  # float32 unless told otherwise
        ),
    ),
    "by path": (
        by_path({"['b']": SGD(0.1), "*": chain(ClipNorm(0.3), Adam(0.02))}),
        lambda: optax.multi_transform(
            {
                "sgd": optax.sgd(0.1),
                "rest": optax.chain(optax.clip_by_global_norm(0.3), optax.adam(0.02)),
            },
            ["rest", "sgd", "rest"],
        ),
    ),
    "frozen": (
        Frozen(AdamW(0.02), ("['a']",)),
        lambda: optax.multi_transform(
            {"free": optax.adamw(0.02, weight_decay=1e-2), "frozen": optax.set_to_zero()},
            ["frozen", "free", "free"],
        ),
    ),
    "linear": (
        Adam(Linear(0.1, 0.01, 30)),
        lambda: optax.adam(exact(optax.linear_schedule(0.1, 0.01, 30))),
    ),
    "cosine": (
        Adam(Cosine(0.1, 0.02, 30)),
        lambda: optax.adam(exact(optax.cosine_decay_schedule(0.1, 30, alpha=0.2))),
    ),
    "warm-up": (
        Adam(WarmUp(10, Cosine(0.1, 0.0, 25), start=0.01)),
        lambda: optax.adam(exact(optax.warmup_cosine_decay_schedule(0.01, 0.1, 10, 35))),
    ),
    "piecewise": (
        Adam(Piecewise({0: 0.1, 10: Linear(0.1, 0.05, 10), 30: Constant(0.02)})),
        lambda: optax.adam(
            exact(
                optax.join_schedules(
                    [
                        optax.constant_schedule(0.1),
                        optax.linear_schedule(0.1, 0.05, 10),
                        optax.constant_schedule(0.02),
                    ],
                    [10, 30],
                )
            )
        ),
    ),
}


def steps_of_optax(twin: Any, start: Any, gradients: Any) -> Iterator[list[np.ndarray]]:
    theirs = [jax.numpy.asarray(p) for p in start]
    state = twin.init(theirs)
    update = jax.jit(lambda grads, state, p: _updated(twin, grads, state, p))
    for grads in gradients:
        theirs, state = update(list(map(jax.numpy.asarray, grads)), state, theirs)
        yield [np.asarray(p) for p in theirs]


def _updated(twin: Any, grads: Any, state: Any, parameters: Any) -> Any:
    updates, state = twin.update(grads, state, parameters)
    return optax.apply_updates(parameters, updates), state


@pytest.mark.parametrize("name", OPTAX)
def test_rule_follows_optax_at_each_of_fifty_steps(name: str, runs: Any) -> None:
    rule, twin = OPTAX[name]
    mine = runs.steps_of(rule, runs.start, runs.gradients)
    with jax.enable_x64(True):
        theirs = list(steps_of_optax(twin(), runs.start, runs.gradients))
    assert_same(mine, theirs)


def clipped(optimizer: Any, clip: Callable[[], Any]) -> Any:
    """torch's optimizer, whose gradients are clipped before each step."""
    optimizer.register_step_pre_hook(lambda *_: clip())
    return optimizer


def clip_norm(ps: list[Any], largest: float) -> None:
    """torch's clipping by the norm, which adds 1e-6 to that."""
    norm = nn.utils.get_total_norm([p.grad for p in ps])
    nn.utils.clip_grads_with_norm_(ps, largest, norm - 1e-6)


TORCH: dict[str, tuple[Rule, Callable[[list[Any]], Any]]] = {
    "sgd": (SGD(0.05), lambda ps: optim.SGD(ps, 0.05)),
    "momentum": (Momentum(0.05, 0.7), lambda ps: optim.SGD(ps, 0.05, momentum=0.7)),
    "nesterov": (
        Nesterov(0.05, 0.7),
        lambda ps: optim.SGD(ps, 0.05, momentum=0.7, nesterov=True),
    ),
    "rmsprop": (
        RMSProp(0.02, decay=0.83, epsilon=1e-3),
        lambda ps: optim.RMSprop(ps, 0.02, alpha=0.83, eps=1e-3),
    ),
    "rmsprop, momentum": (
        RMSProp(0.02, decay=0.83, epsilon=1e-3, momentum=0.7),
        lambda ps: optim.RMSprop(ps, 0.02, alpha=0.83, eps=1e-3, momentum=0.7),
    ),
    "rmsprop, centered": (
        RMSProp(0.02, decay=0.83, epsilon=1e-2, momentum=0.7, centered=True),
        lambda ps: optim.RMSprop(ps, 0.02, alpha=0.83, eps=1e-2, momentum=0.7, centered=True),
    ),
    "adam": (Adam(0.02, B, 1e-2), lambda ps: optim.Adam(ps, 0.02, B, 1e-2)),
    "adam, no memory": (Adam(0.02, (0, 0), 0.1), lambda ps: optim.Adam(ps, 0.02, (0.0, 0.0), 0.1)),
    "adamw": (
        AdamW(0.02, B, 1e-2, weight_decay=0.3),
        lambda ps: optim.AdamW(ps, 0.02, B, 1e-2, weight_decay=0.3),
    ),
    "amsgrad": (
        AMSGrad(0.02, (0.8, 0.7), 1e-2),
        lambda ps: optim.Adam(ps, 0.02, (0.8, 0.7), 1e-2, amsgrad=True),
    ),
    "radam: no epsilon": (
        RAdam(0.02, (0.8, 0.9), 0.0),
        lambda ps: optim.RAdam(ps, 0.02, (0.8, 0.9), 0.0),
    ),
    "radam, late": (
        RAdam(0.02, (0.3, 0.999), 0.0),
        lambda ps: optim.RAdam(ps, 0.02, (0.3, 0.999), 0.0),
    ),
    "radam, never": (
        RAdam(0.02, (0.5, 0.55), 0.0),
        lambda ps: optim.RAdam(ps, 0.02, (0.5, 0.55), 0.0),
    ),
    "nadam": (
        NAdam(0.02, B, 1e-2, momentum_decay=0.2),
        lambda ps: optim.NAdam(ps, 0.02, B, 1e-2, momentum_decay=0.2),
    ),
    "adamax": (AdaMax(0.02, B, 1e-2), lambda ps: optim.Adamax(ps, 0.02, B, 1e-2)),
    "adagrad": (
        AdaGrad(0.2, epsilon=1e-2, initial_accumulator=0.3),
        lambda ps: optim.Adagrad(ps, 0.2, eps=1e-2, initial_accumulator_value=0.3),
    ),
    "adadelta": (
        AdaDelta(0.7, decay=0.8, epsilon=1e-2),
        lambda ps: optim.Adadelta(ps, 0.7, rho=0.8, eps=1e-2),
    ),
    "weight decay first": (
        chain(WeightDecay(0.1), Adam(0.02)),
        lambda ps: optim.Adam(ps, 0.02, weight_decay=0.1),
    ),
    "by path": (
        by_path({"['b']": SGD(0.1, momentum=0.9), "*": SGD(0.02)}),
        lambda ps: optim.SGD(
            [{"params": [ps[0], ps[2]]}, {"params": [ps[1]], "lr": 0.1, "momentum": 0.9}], 0.02
        ),
    ),
    "clip by value": (
        chain(ClipValue(0.2), Adam(0.02)),
        lambda ps: clipped(optim.Adam(ps, 0.02), lambda: nn.utils.clip_grad_value_(ps, 0.2)),
    ),
    "clip by norm: without its 1e-6": (
        chain(ClipNorm(0.7), AdamW(0.01, weight_decay=0.1)),
        lambda ps: clipped(optim.AdamW(ps, 0.01, weight_decay=0.1), lambda: clip_norm(ps, 0.7)),
    ),
    "frozen": (
        Frozen(AdamW(0.02), ("['a']",)),
        lambda ps: optim.AdamW(ps[1:], 0.02, weight_decay=1e-2),
    ),
}


def steps_of_torch(make: Any, start: Any, gradients: Any) -> Iterator[list[np.ndarray]]:
    theirs = [torch.tensor(p, requires_grad=True) for p in start]
    optimizer = make(theirs)
    for grads in gradients:
        for p, g in zip(theirs, grads, strict=True):
            p.grad = torch.tensor(g)
        optimizer.step()
        yield [p.detach().numpy().copy() for p in theirs]


@pytest.fixture
def torch_in_double() -> Iterator[None]:
    """NAdam keeps the product of its momenta in torch's default dtype."""
    former = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(former)


@pytest.mark.usefixtures("torch_in_double")
@pytest.mark.parametrize("name", TORCH)
def test_rule_follows_torch_at_each_of_fifty_steps(name: str, runs: Any) -> None:
    rule, make = TORCH[name]
    mine = runs.steps_of(rule, runs.start, runs.gradients)
    assert_same(mine, steps_of_torch(make, runs.start, runs.gradients))


def test_accumulated_gradients_are_torch_s_over_a_mean(runs: Any) -> None:
    mean = [
        [sum(parts) / 5 for parts in zip(*runs.gradients[i : i + 5], strict=True)]
        for i in range(0, 50, 5)
    ]
    expected = list(steps_of_torch(lambda ps: optim.AdamW(ps, 0.05), runs.start, mean))
    rule = AccumulateGradients(5, AdamW(0.05))
    mine = list(runs.steps_of(rule, runs.start, runs.gradients))
    assert_same(mine[4::5], expected)
    for i in (0, 3, 8):
        before = runs.start if i < 4 else mine[i - 4]
        for a, b in zip(mine[i], before, strict=True):
            np.testing.assert_array_equal(a, b)


def assert_same(mine: Any, theirs: Any) -> None:
    for count, (a, b) in enumerate(zip(mine, theirs, strict=True), start=1):
        for got, expected in zip(a, b, strict=True):
            assert math.prod(expected.shape) == got.size
            np.testing.assert_allclose(
                got, expected, rtol=1e-12, atol=1e-13, err_msg=f"after step {count}"
            )
