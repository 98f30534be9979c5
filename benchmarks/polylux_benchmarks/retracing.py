"""How often a step calls its objective and compiles, part of suite `dispatch`."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polylux import (
    ADType,
    AutoAutograd,
    AutoJax,
    AutoTorch,
    TrainState,
    setup,
    single_train_step_,
    to_backend,
)
from polylux.layers import Dense
from polylux.losses import MSELoss
from polylux.optimizers import Adam
from polylux_benchmarks._amounts import Amount
from polylux_benchmarks._counting import Counted, jax_compilations

SETTING = "dense layer 4-2"


def pairs() -> Iterator[Amount]:
    """First batch, later ones, and one of a new size, against what the framework itself needs."""
    if importlib.util.find_spec("jax"):
        yield from _calls("jax", AutoJax(), first=1, later=0, other=1)
        for name, batches, allowed in _BATCHES[1:]:  # the first makes many: arrays in, slots
            yield Amount(
                "dispatch", f"compilations, {name}", "jax", SETTING,
                functools.partial(_compilations, AutoJax(), batches),
                functools.partial(float, allowed), "jax.jit", "calls", 1.0, True,
            )  # fmt: skip
    if importlib.util.find_spec("torch"):
        yield from _calls("torch", AutoTorch(), first=1, later=1, other=1)
    if importlib.util.find_spec("autograd"):
        yield from _calls("autograd", AutoAutograd(), first=1, later=1, other=1)


_BATCHES = (("first batch", [8], 1), ("third batch", [8, 8, 8], 0), ("a new size", [8, 8, 5], 1))
"""Sizes; what is counted is what the last one does."""


def _calls(backend: str, selector: ADType, first: int, later: int, other: int) -> Iterator[Amount]:
    for (name, batches, _), needed in zip(_BATCHES, (first, later, other), strict=True):
        # one extra trace is allowed when a trace is made at all
        traced = needed and selector == AutoJax()
        yield Amount(
            "dispatch", f"calls of the objective, {name}", backend, SETTING,
            functools.partial(_objective_calls, selector, batches),
            functools.partial(float, needed), "one call or trace", "calls",
            2.0 if traced else 1.0, True,
        )  # fmt: skip


def _objective_calls(selector: ADType, batches: list[int]) -> float:
    counted = Counted(MSELoss())
    *before, last = _steps(selector, counted, batches)
    for step in before:
        step()
    so_far = counted.calls
    last()
    return counted.calls - so_far


def _compilations(selector: ADType, batches: list[int]) -> float:
    *before, last = _steps(selector, MSELoss(), batches)
    for step in before:
        step()
    with jax_compilations() as found:
        last()
    return len(found)


def _steps(selector: ADType, objective: Any, batches: list[int]) -> list[Callable[[], None]]:
    """One call for each batch, of that many samples."""
    model = Dense(4, 2)
    state = TrainState(model, *setup(np.random.default_rng(0), model), Adam())

    def make(size: int) -> Callable[[], None]:
        data = np.ones((size, 4), np.float32), np.ones((size, 2), np.float32)
        batch = to_backend(data, selector)

        def call() -> None:
            nonlocal state
            state = single_train_step_(selector, objective, batch, state).train_state

        return call

    return [make(size) for size in batches]
