"""Training steps by flax.nnx and optax: a cached partial of one jitted function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx


def step(parameters: Sequence[Any], x: Any, y: Any, rate: float) -> Callable[[], Any]:
    """A call that makes one step on the batch."""
    random = nnx.Rngs(0)
    layers: list[Any] = []
    for w, b in parameters:
        layer = nnx.Linear(*w.shape, rngs=random)
        layer.kernel[...] = jnp.asarray(w)
        layer.bias[...] = jnp.asarray(b)
        layers += [layer, jax.nn.relu]
    model = nnx.Sequential(*layers[:-1])
    optimizer = nnx.Optimizer(model, optax.adam(rate), wrt=nnx.Param)

    def loss_of(model: Any, x: Any, y: Any) -> Any:
        return jnp.mean(optax.softmax_cross_entropy(model(x), y))

    def one(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        value, gradients = nnx.value_and_grad(loss_of)(model, x, y)
        optimizer.update(model, gradients)
        return value

    # nnx's own advice for small models: the graph of the model is not walked at each step
    jitted = nnx.cached_partial(nnx.jit(one), model, optimizer)
    x, y = jnp.asarray(x), jnp.asarray(y)
    return lambda: jitted(x, y)
