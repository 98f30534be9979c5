"""The training API: a state, gradients, updates and whole steps, for any backend."""

from polylux.training._adjust import adjust, freeze, thaw
from polylux.training._apply import apply_gradients, apply_gradients_
from polylux.training._gradients import compute_gradients, compute_objective
from polylux.training._state import TrainState
from polylux.training._step import single_train_step, single_train_step_

__all__ = [
    "TrainState",
    "adjust",
    "apply_gradients",
    "apply_gradients_",
    "compute_gradients",
    "compute_objective",
    "freeze",
    "single_train_step",
    "single_train_step_",
    "thaw",
]
