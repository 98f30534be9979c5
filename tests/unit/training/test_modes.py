"""Training calls in the mode that their selector asks for."""

from __future__ import annotations

import numpy as np
import pytest

from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    SecondOrder,
    TrainState,
    compute_gradients,
    f64,
    setup,
    single_train_step_,
    to_host,
)
from polylux.layers import Chain, Dense
from polylux.losses import MSELoss
from polylux.optimizers import SGD

RNG = np.random.default_rng(3)
BATCH = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2))
SELECTORS = [
    make(mode=mode)
    for make in (AutoTorch, AutoJax, AutoAutograd)
    for mode in ("forward", "reverse")
]
SELECTORS.append(SecondOrder(AutoJax(mode="reverse"), AutoJax(mode="forward")))


def start():
    model = Dense(3, 2)
    ps, st = setup(np.random.default_rng(0), model)
    ps = f64(ps)
    return ps, TrainState(model, ps, st, SGD(0.1))


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
def test_gradients_of_a_linear_model(selector):
    ps, state = start()
    x, y = BATCH
    residual = x @ ps["weight"] + ps["bias"] - y
    found = to_host(compute_gradients(selector, MSELoss(), BATCH, state).grads)
    # loss = sum(residual**2) / n; sums of 6 products
    np.testing.assert_allclose(found["weight"], 2 / 12 * x.T @ residual, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found["bias"], 2 / 12 * residual.sum(axis=0), rtol=0, atol=1e-14)


@pytest.mark.parametrize("selector", SELECTORS[:6], ids=repr)
def test_steps_are_the_same_in_both_modes(selector):
    model = Chain(Dense(3, 4, activation="tanh"), Dense(4, 2))
    ps, st = setup(np.random.default_rng(0), model)
    ends = []
    for chosen in (AutoAutograd(), selector):
        state = TrainState(model, f64(ps), st, SGD(0.1))
        for _ in range(3):
            *_, state = single_train_step_(chosen, MSELoss(), BATCH, state)
        ends.append(to_host(state.parameters))
    for layer, first in ends[0].items():
        for name, expected in first.items():
            np.testing.assert_allclose(ends[1][layer][name], expected, rtol=0, atol=1e-13)
