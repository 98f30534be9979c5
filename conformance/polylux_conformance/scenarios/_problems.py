"""Small training problems, at least one for each loss: head, loss, targets, optimizer, as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from polylux import optimizers as o

Host = np.ndarray[Any, Any]

STEPS = 8
"""Steps of each trajectory: early ones, before rounding has grown."""

LOOKED_AT = (1, 4, 8)
"""Steps after which parameters are compared."""

RULES: dict[str, o.Rule] = {
    "momentum": o.SGD(0.125, momentum=0.5),
    "clipped and decayed": o.chain(o.ClipNorm(0.25), o.AdamW(0.0625, weight_decay=0.125)),
}
"""The generator of the trajectories knows them by these names, and computes them by itself."""


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A batch and a model `head(x @ weight + bias)` that is trained on it.

    Every number is one of float32, so that each dtype has the same trajectory.

    Attributes
    ----------
    loss : str
        Name of a class in `polylux.losses`.
    head : str
        `"identity"`, `"exp"`, `"sigmoid"` or `"softmax"`: what the loss takes as a prediction.
    target : array
    options : mapping
        Keywords of the loss.
    rule : str
        A key of `RULES`.
    """

    loss: str
    head: str
    target: Host
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    rule: str = "momentum"

    @property
    def name(self) -> str:
        """What it is called in reports and in the stored trajectories."""
        words = [self.loss, *(k for k in ("logits",) if k in self.options)]
        return ", ".join([*words, *([self.rule] if self.rule != "momentum" else [])])


def _numbers(seed: int, *shape: int) -> Host:
    """Multiples of 1/64 between -1.5 and 1.5, of no pattern: the stored results depend on them, so
    that no generator of random numbers may change them.
    """
    angles = (np.arange(np.prod(shape)) + seed) ** 2 * 0.7390625
    return np.asarray(np.round(96 * np.sin(angles)) / 64).reshape(shape)


X = _numbers(1, 6, 3)
WEIGHT, BIAS = _numbers(31, 3, 3) / 2, _numbers(41, 3) / 2

_NUMBERS = _numbers(52, 6, 3)
_SIGNS = np.where(_numbers(71, 6, 3) > 0, 1.0, -1.0)
_BITS = (1 + _SIGNS) / 2
_COUNTS = np.asarray([[0.0, 1.0, 3.0], [2.0, 0.0, 1.0]] * 3)
_ONE_HOT = np.eye(3)[[0, 2, 1, 1, 0, 2]]
_SOFT = np.asarray([[0.25, 0.5, 0.25], [0.125, 0.125, 0.75]] * 3)
# The same for each dtype; the default is the dtype's own epsilon.
_EPS = {"epsilon": 2.0**-10}

PROBLEMS = (
    Problem("MSELoss", "identity", _NUMBERS),
    Problem("MSELoss", "identity", _NUMBERS, rule="clipped and decayed"),
    Problem("MAELoss", "identity", _NUMBERS),
    Problem("HuberLoss", "identity", _NUMBERS, {"delta": 0.75}),
    Problem("MSLELoss", "exp", np.abs(_NUMBERS), _EPS),
    Problem("PoissonLoss", "exp", _COUNTS, _EPS),
    Problem("GenericLossFunction", "identity", _NUMBERS),
    Problem("SiameseContrastiveLoss", "exp", _BITS),
    Problem("HingeLoss", "identity", _SIGNS),
    Problem("SquaredHingeLoss", "identity", _SIGNS),
    Problem("BinaryCrossEntropyLoss", "sigmoid", _BITS, _EPS),
    Problem("BinaryCrossEntropyLoss", "identity", _BITS, {"logits": True}),
    Problem("BinaryFocalLoss", "sigmoid", _BITS, _EPS),
    Problem("CrossEntropyLoss", "softmax", _ONE_HOT, _EPS),
    Problem("CrossEntropyLoss", "identity", _ONE_HOT, {"logits": True}),
    Problem("CrossEntropyLoss", "identity", _SOFT, {"logits": True}, "clipped and decayed"),
    Problem("FocalLoss", "softmax", _ONE_HOT, _EPS),
    Problem("KLDivergenceLoss", "softmax", _SOFT, _EPS),
    Problem("DiceCoeffLoss", "sigmoid", _BITS),
)
"""A new loss is added here; the suite's own tests see to it that each public one occurs."""


def quartic(p: Any, t: Any) -> Any:
    """The items of `GenericLossFunction` here."""
    return (p - t) ** 4 / 4
