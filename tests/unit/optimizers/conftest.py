"""Small runs of a rule by its own array code, as every test of rules uses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import array_api_compat.numpy as numpy_xp
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
    Cosine,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    RAdam,
    RMSProp,
    Rule,
    SignDecay,
    WarmUp,
    WeightDecay,
    by_path,
    chain,
)

# One of each kind, none with its default values; each tree of the tests has a leaf called 'b'.
RULES: dict[str, Rule] = {
    "sgd": SGD(0.05),
    "momentum": Momentum(0.05, momentum=0.8),
    "nesterov": Nesterov(0.05, momentum=0.8),
    "rmsprop": RMSProp(0.02, decay=0.83, epsilon=1e-3),
    "rmsprop-centered": RMSProp(0.02, decay=0.83, epsilon=0.1, momentum=0.7, centered=True),
    "adam": Adam(0.02, betas=(0.8, 0.95), epsilon=1e-3),
    "adamw": AdamW(0.02, betas=(0.8, 0.95), weight_decay=0.3),
    "amsgrad": AMSGrad(0.02, betas=(0.8, 0.7), epsilon=1e-3),
    "radam": RAdam(0.02, betas=(0.8, 0.9), epsilon=1e-3),
    "nadam": NAdam(0.02, betas=(0.8, 0.95), epsilon=1e-3, momentum_decay=0.2),
    "nadam-constant": NAdam(0.02, betas=(0.8, 0.95), momentum_decay=None),
    "adamax": AdaMax(0.02, betas=(0.8, 0.7), epsilon=1e-2),
    "adagrad": AdaGrad(0.2, epsilon=1e-2, initial_accumulator=0.3),
    "adadelta": AdaDelta(0.7, decay=0.8, epsilon=1e-2),
    "adabelief": AdaBelief(0.02, betas=(0.8, 0.95), epsilon=1e-3),
    "lion": Lion(0.02, betas=(0.8, 0.95), weight_decay=0.3),
    "weight-decay": chain(WeightDecay(0.1), Adam(0.02)),
    "sign-decay": chain(SignDecay(0.1), SGD(0.02)),
    "clip-value": chain(ClipValue(0.2), Adam(0.02)),
    "clip-norm": chain(ClipNorm(0.2), AdamW(0.02)),
    "accumulate": AccumulateGradients(3, Adam(0.1, betas=(0.8, 0.95))),
    "schedule": Adam(WarmUp(2, Cosine(0.05, 0.0, 7))),
    "by-path": by_path({"*['b']": SGD(0.05), "*": chain(ClipNorm(0.2), AdamW(0.02))}),
}


@pytest.fixture(params=RULES.values(), ids=RULES)
def rule(request: pytest.FixtureRequest) -> Rule:
    """One rule of each kind, not bound to a tree."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def every_rule() -> dict[str, Rule]:
    """All of them by name."""
    return RULES


SHAPES = {"a": (3, 4), "b": (4,), "c": ()}


def numbers(seed: int, dtype: Any = np.float64) -> list[np.ndarray]:
    """An array of each shape, of the dtype."""
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=s), dtype=dtype) for s in SHAPES.values()]


def steps_of(
    rule: Rule, start: list[Any], gradients: Any, xp: Any = numpy_xp
) -> Iterator[list[Any]]:
    """The parameters after each update by the rule's own array code."""
    rule = rule.bound(lambda: [(f"['{name}']",) for name in SHAPES][: len(start)])
    parameters = tuple(xp.asarray(p) for p in start)
    slots = rule.init(xp, parameters)
    for count, grads in enumerate(gradients, start=1):
        grads = tuple(xp.asarray(g) for g in grads)
        steps, slots = rule.update(xp, rule.scalars(count), grads, parameters, slots)
        parameters = tuple(p - s for p, s in zip(parameters, steps, strict=True))
        yield list(parameters)


class Runs:
    """What the tests take from this file."""

    numbers = staticmethod(numbers)
    steps_of = staticmethod(steps_of)

    @property
    def start(self) -> list[np.ndarray]:
        return numbers(0)

    @property
    def gradients(self) -> list[list[np.ndarray]]:
        """Fifty gradients, of sizes from 1e-3 to 1e2."""
        return [[10.0 ** (i % 6 - 3) * g for g in numbers(i)] for i in range(1, 51)]


@pytest.fixture
def runs() -> Runs:
    return Runs()
