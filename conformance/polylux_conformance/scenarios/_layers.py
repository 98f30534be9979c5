"""Layers with an input for each: what a network may be made of."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from polylux import layers
from polylux_conformance.scenarios._smooth import normal


class Model(NamedTuple):
    """A model and what it is called with.

    Attributes
    ----------
    layer : callable
    x : array or tuple of arrays
        Float64 ones are cast to the dtype under test.
    """

    layer: Any
    x: Any


_ROWS = normal(4, 3)
_IMAGE = normal(2, 4, 5, 6)
_SEQUENCE = normal(2, 5, 3)
# In each window of 2 x 2 the entries are far apart, so that a difference changes no order.
_STEPS = np.abs(_IMAGE) + 4 * (np.arange(5)[:, None] % 2) + 12 * (np.arange(6) % 2)


def _add(x: Any, y: Any) -> Any:
    return x + y


MODELS: dict[str, Model] = {
    "Dense": Model(layers.Dense(3, 2), _ROWS),
    "Dense, gelu": Model(layers.Dense(3, 2, activation="gelu"), _ROWS),
    "Chain": Model(layers.Chain(layers.Dense(3, 4, activation="tanh"), layers.Dense(4, 2)), _ROWS),
    "Conv": Model(
        layers.Conv((3, 2), 4, 6, activation="tanh", padding=1, stride=2, groups=2), _IMAGE
    ),
    "MaxPool": Model(layers.Chain(layers.Scale(6), layers.MaxPool((2, 2))), _STEPS),
    "MeanPool": Model(layers.Chain(layers.Conv((1, 1), 4, 3), layers.MeanPool((2, 3))), _IMAGE),
    "Flatten": Model(layers.Chain(layers.Flatten(), layers.Dense(120, 2)), _IMAGE),
    "Dropout": Model(layers.Chain(layers.Dense(3, 8), layers.Dropout(0.5)), _ROWS),
    "BatchNorm": Model(layers.Chain(layers.Dense(3, 4), layers.BatchNorm(4)), normal(6, 3)),
    "LayerNorm": Model(layers.Chain(layers.Dense(3, 4), layers.LayerNorm(4)), _ROWS),
    "GroupNorm": Model(layers.GroupNorm(4, 2), _IMAGE),
    "RMSNorm": Model(layers.Chain(layers.Dense(3, 4), layers.RMSNorm(4)), _ROWS),
    "Bilinear": Model(layers.Bilinear(3, 2, 2), (_ROWS, normal(4, 2))),
    "Embedding": Model(layers.Embedding(5, 3), np.asarray([[0, 4, 4], [1, 0, 2]], np.int32)),
    "Scale": Model(layers.Scale(3), _ROWS),
    "Parallel": Model(layers.Parallel(_add, layers.Dense(3, 2), layers.Dense(3, 2)), _ROWS),
    "SkipConnection": Model(
        layers.SkipConnection(layers.Dense(3, 3, activation="tanh"), _add), _ROWS
    ),
    "WrappedFunction": Model(
        layers.Chain(layers.Dense(3, 2), layers.WrappedFunction(lambda x: x * x)), _ROWS
    ),
    "RNNCell": Model(layers.Recurrence(layers.RNNCell(3, 4), return_sequence=True), _SEQUENCE),
    "LSTMCell": Model(layers.Recurrence(layers.LSTMCell(3, 4)), _SEQUENCE),
    "GRUCell": Model(layers.Recurrence(layers.GRUCell(3, 4), return_sequence=True), _SEQUENCE),
}  # fmt: skip
"""A new layer is added here; the suite's own tests see to it that each public one occurs."""
