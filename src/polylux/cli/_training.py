"""The demo's training runs: one task, the same for all backends, and what a run of it measured."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polylux import arrays, tree
from polylux.cli._digits import CLASSES, Digits
from polylux.layers import Chain, Dense, setup
from polylux.losses import CrossEntropyLoss
from polylux.optimizers import Adam, Rule
from polylux.precision import f32, f64
from polylux.selectors import ADType
from polylux.training import TrainState, compute_objective, single_train_step_
from polylux.typing import Model, PyTree

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]

_LOSS = CrossEntropyLoss(logits=True)
_BATCH = 64


@dataclasses.dataclass(frozen=True)
class Task:
    """Everything that a run depends on: host arrays, equal for every backend."""

    model: Model
    parameters: PyTree
    states: PyTree
    optimizer: Rule
    digits: Digits
    epochs: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches among the training images."""
        return len(self.digits.train[0]) // _BATCH

    @property
    def steps(self) -> int:
        """Updates of a whole run."""
        return self.epochs * self.steps_per_epoch

    def batches(self) -> Iterator[tuple[Floats, Floats]]:
        """The batches of a run, in an order that depends on the seed only.

        Each epoch leaves its last few images out, so that all batches have one shape and a
        compiled step is compiled once.
        """
        x, y = self.digits.train
        rng = np.random.default_rng([self.seed, 1])
        for _ in range(self.epochs):
            order = rng.permutation(len(x))
            for start in range(0, len(x) - _BATCH + 1, _BATCH):
                chosen = order[start : start + _BATCH]
                yield x[chosen], y[chosen]


@dataclasses.dataclass(frozen=True)
class Run:
    """What training with one backend gave.

    Attributes
    ----------
    losses : array of shape (steps,)
        Loss of each batch before its update.
    leaves : tuple of arrays
        The final parameters.
    final_loss : float
        Over all training images, with the final parameters.
    accuracy : float
        Share of the test images that are classified correctly.
    seconds_per_step : float
        Median over all steps but the first, which may trace and compile; each until its loss is
        a number on the host. NaN if there was only one.
    """

    losses: Floats
    leaves: tuple[Floats, ...]
    final_loss: float
    accuracy: float
    seconds_per_step: float


def make_task(digits: Digits, dtype: str, epochs: int, seed: int) -> Task:
    """A multilayer perceptron 64-64-10 on the digits, with Adam."""
    model = Chain(Dense(64, 64, activation="relu"), Dense(64, CLASSES))
    parameters, states = setup(np.random.default_rng([seed, 0]), model)
    parameters = {"float32": f32, "float64": f64}[dtype](parameters)
    return Task(model, parameters, states, Adam(3e-3), digits, epochs, seed)


def run(task: Task, selector: ADType, on_step: Callable[[float], None]) -> Run:
    """Train with one backend; `on_step` is called after each step with its loss."""
    state = TrainState(task.model, task.parameters, task.states, task.optimizer)
    losses, seconds = [], []
    for batch in task.batches():
        start = time.perf_counter()
        _, loss, _, state = single_train_step_(
            selector, _LOSS, batch, state, return_gradients=False
        )
        losses.append(float(loss))  # waits, where the framework runs ahead of Python
        seconds.append(time.perf_counter() - start)
        on_step(losses[-1])
    final_loss, accuracy = _evaluate(selector, task.digits, state)
    found, _ = tree.flatten(arrays.to_host(state.parameters), arrays.is_array)
    return Run(
        losses=np.asarray(losses, dtype=task.digits.train[0].dtype),
        leaves=found,
        final_loss=final_loss,
        accuracy=accuracy,
        seconds_per_step=float(np.median(seconds[1:])) if len(seconds) > 1 else float("nan"),
    )


def _evaluate(selector: ADType, digits: Digits, state: TrainState) -> tuple[float, float]:
    """Loss over the training images, and accuracy on the test images."""
    images, targets = digits.test
    _, loss, stats, _ = compute_objective(selector, _final, (digits.train, images), state)
    predicted = np.argmax(arrays.to_host(stats["logits"]), axis=-1)
    return float(loss), float(np.mean(predicted == np.argmax(targets, axis=-1)))


def _final(model: Any, ps: PyTree, st: PyTree, data: Any) -> tuple[Any, PyTree, PyTree]:
    """An objective: the loss over known images, and the logits of unseen ones among the stats."""
    (images, targets), unseen = data
    predicted, _ = model(images, ps, st)
    logits, _ = model(unseen, ps, st)
    return _LOSS(predicted, targets), st, {"logits": logits}
