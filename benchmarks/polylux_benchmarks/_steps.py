"""Polylux's side of a comparison of training steps: a call that makes one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polylux import ADType, TrainState, array_namespace, single_train_step_, to_backend
from polylux.optimizers import Adam

RATE = 1e-3
"""Learning rate of Adam on both sides."""


def step(
    selector: ADType,
    objective: Any,
    model: Any,
    ps: Any,
    st: Any,
    batch: Any,
    return_gradients: bool = False,
) -> Callable[[], Any]:
    """A call that makes one step on the batch, which lies where the framework's own loop has it."""
    state = TrainState(model, ps, st, Adam(RATE))
    batch = to_backend(batch, selector)

    def call() -> Any:
        nonlocal state
        result = single_train_step_(
            selector, objective, batch, state, return_gradients=return_gradients
        )
        state = result.train_state
        return result.loss

    return call


def bowl(selector: ADType, leaves: list[Any]) -> Callable[[], Any]:
    """A call that makes one step down the sum of squares of these leaves."""

    # A function of its own each time, so that nothing was compiled for it before.
    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        xp = array_namespace(data)
        total = xp.sum(data)
        for leaf in ps:
            total = total + xp.sum(leaf * leaf)
        return total, st, {}

    return step(selector, objective, _no_model, leaves, {}, np.zeros(1, np.float32))


def _no_model(x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
    """The objective looks at the parameters alone."""
    return x, st
