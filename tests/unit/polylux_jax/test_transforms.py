"""checkpoint in JAX: what the backward pass keeps, and what it computes again."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from polylux import checkpoint


def block(x: Any) -> Any:
    for _ in range(5):
        x = jnp.sin(x)
    return x


def residual_bytes(f: Any) -> int:
    x = jnp.asarray(np.linspace(-1, 1, 12, dtype=np.float32))
    _, pull = jax.vjp(lambda y: jnp.sum(f(y)), x)
    return sum(leaf.nbytes for leaf in jax.tree.leaves(pull))


def test_a_checkpoint_keeps_its_argument_only() -> None:
    assert residual_bytes(block) == 5 * 12 * 4
    assert residual_bytes(checkpoint(block)) == 12 * 4


def test_the_backward_pass_computes_again() -> None:
    def sines(f: Any) -> int:
        step = jax.jit(jax.value_and_grad(lambda y: jnp.sum(f(y))))
        return step.lower(jnp.ones(3)).as_text().count("stablehlo.sine")

    # The last sine's value is needed by no derivative.
    assert (sines(block), sines(checkpoint(block))) == (5, 9)
