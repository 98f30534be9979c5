"""Training steps by hand in JAX: one jitted function with donated parameters, and optax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax


def step(parameters: Sequence[Any], x: Any, y: Any, rate: float) -> Callable[[], Any]:
    """A call that makes one step on the batch; parameters are pairs of weight and bias."""
    rule = optax.adam(rate)
    # copies, since they are given away to the first step
    ps = [(jnp.array(w, copy=True), jnp.array(b, copy=True)) for w, b in parameters]
    state = rule.init(ps)

    def loss_of(ps: Any, x: Any, y: Any) -> Any:
        for w, b in ps[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = ps[-1]
        return jnp.mean(optax.softmax_cross_entropy(x @ w + b, y))

    def one(ps: Any, state: Any, x: Any, y: Any) -> Any:
        value, gradients = jax.value_and_grad(loss_of)(ps, x, y)
        updates, state = rule.update(gradients, state, ps)
        return optax.apply_updates(ps, updates), state, value

    jitted = jax.jit(one, donate_argnums=(0, 1))
    x, y = jnp.asarray(x), jnp.asarray(y)

    def call() -> Any:
        nonlocal ps, state
        ps, state, value = jitted(ps, state, x, y)
        return value

    return call


def bowl(leaves: Sequence[Any], rate: float) -> Callable[[], Any]:
    """A call that makes one step down the sum of squares of these leaves."""
    rule = optax.adam(rate)
    ps = [jnp.array(leaf, copy=True) for leaf in leaves]
    state = rule.init(ps)

    def loss_of(ps: Any) -> Any:
        return sum(jnp.sum(p * p) for p in ps)

    def one(ps: Any, state: Any) -> Any:
        value, gradients = jax.value_and_grad(loss_of)(ps)
        updates, state = rule.update(gradients, state, ps)
        return optax.apply_updates(ps, updates), state, value

    jitted = jax.jit(one, donate_argnums=(0, 1))

    def call() -> Any:
        nonlocal ps, state
        ps, state, value = jitted(ps, state)
        return value

    return call
