"""Training steps by equinox and optax: one `filter_jit` that donates the model and its slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax


class _Dense(eqx.Module):  # type: ignore[misc]  # equinox has no types where it is absent
    weight: Any
    bias: Any

    def __call__(self, x: Any) -> Any:
        return x @ self.weight + self.bias


class _Perceptron(eqx.Module):  # type: ignore[misc]  # as above
    layers: list[_Dense]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers[:-1]:
            x = jax.nn.relu(layer(x))
        return self.layers[-1](x)


def step(parameters: Sequence[Any], x: Any, y: Any, rate: float) -> Callable[[], Any]:
    """A call that makes one step on the batch."""
    rule = optax.adam(rate)
    # copies, since they are given away to the first step
    model = _Perceptron(
        [_Dense(jnp.array(w, copy=True), jnp.array(b, copy=True)) for w, b in parameters]
    )
    state = rule.init(eqx.filter(model, eqx.is_array))

    def loss_of(model: Any, x: Any, y: Any) -> Any:
        return jnp.mean(optax.softmax_cross_entropy(model(x), y))

    @eqx.filter_jit(donate="all-except-first")  # type: ignore[untyped-decorator]  # as above
    def one(batch: Any, model: Any, state: Any) -> Any:
        value, gradients = eqx.filter_value_and_grad(loss_of)(model, *batch)
        updates, state = rule.update(gradients, state, eqx.filter(model, eqx.is_array))
        return eqx.apply_updates(model, updates), state, value

    batch = jnp.asarray(x), jnp.asarray(y)

    def call() -> Any:
        nonlocal model, state
        model, state, value = one(batch, model, state)
        return value

    return call
