"""Training steps by Keras: `train_on_batch` of a compiled model, on the framework it was set to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras


def step(parameters: Sequence[Any], x: Any, y: Any, rate: float) -> Callable[[], Any]:
    """A call that makes one step on the batch."""
    last = len(parameters) - 1
    model = keras.Sequential(
        [keras.Input((x.shape[1],))]
        + [
            keras.layers.Dense(len(b), activation=None if i == last else "relu")
            for i, (_, b) in enumerate(parameters)
        ]
    )
    model.set_weights([array for pair in parameters for array in pair])
    model.compile(
        optimizer=keras.optimizers.Adam(rate, epsilon=1e-8),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    x, y = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)
    return lambda: model.train_on_batch(x, y)
