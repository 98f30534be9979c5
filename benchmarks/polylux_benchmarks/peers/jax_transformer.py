"""The transformer blocks by hand in JAX: one jitted step with donated parameters, and optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax


def step(
    parameters: Any, x: Any, y: Any, heads: int, epsilon: float, rate: float
) -> Callable[[], Any]:
    """A call that makes one step on the batch."""
    rule = optax.adam(rate)
    # copies, since they are given away to the first step
    ps = jax.tree.map(lambda a: jnp.array(a, copy=True), parameters)
    state = rule.init(ps)

    def norm(x: Any, scale: Any, bias: Any) -> Any:
        return jax.nn.standardize(x, epsilon=epsilon) * scale + bias

    def attention(x: Any, block: Any) -> Any:
        w, b = block["in"]
        joint = (x @ w + b).reshape(*x.shape[:2], 3, heads, -1).transpose(2, 0, 3, 1, 4)
        queries, keys, values = joint
        weights = jax.nn.softmax(queries @ keys.mT * queries.shape[-1] ** -0.5)
        w, b = block["out"]
        return (weights @ values).transpose(0, 2, 1, 3).reshape(x.shape) @ w + b

    def loss_of(ps: Any, x: Any, y: Any) -> Any:
        for block in ps:
            x = x + attention(norm(x, *block["norm 1"]), block)
            w, b = block["up"]
            hidden = jax.nn.gelu(norm(x, *block["norm 2"]) @ w + b, approximate=False)
            w, b = block["down"]
            x = x + hidden @ w + b
        return jnp.mean((x - y) ** 2)

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
