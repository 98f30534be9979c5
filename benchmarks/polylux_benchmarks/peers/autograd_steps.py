"""Training steps by hand in HIPS autograd: a dictionary of parameters, and Adam in numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad


def step(parameters: Sequence[Any], x: Any, y: Any, rate: float) -> Callable[[], Any]:
    """A call that makes one step on the batch."""
    ps: dict[str, Any] = {}
    for i, (w, b) in enumerate(parameters):
        ps[f"w{i}"], ps[f"b{i}"] = w.copy(), b.copy()
    count = len(parameters)

    def loss_of(ps: Any, x: Any, y: Any) -> Any:
        for i in range(count - 1):
            x = anp.maximum(anp.dot(x, ps[f"w{i}"]) + ps[f"b{i}"], 0)
        z = anp.dot(x, ps[f"w{count - 1}"]) + ps[f"b{count - 1}"]
        shifted = z - anp.max(z, axis=1, keepdims=True)
        logarithms = shifted - anp.log(anp.sum(anp.exp(shifted), axis=1, keepdims=True))
        return -anp.mean(anp.sum(y * logarithms, axis=1))

    return _adam(loss_of, ps, (x, y), rate)


def bowl(leaves: Sequence[Any], rate: float) -> Callable[[], Any]:
    """A call that makes one step down the sum of squares of these leaves."""
    ps = {f"p{i}": leaf.copy() for i, leaf in enumerate(leaves)}

    def loss_of(ps: Any) -> Any:
        total = 0.0
        for i in range(len(leaves)):
            total = total + anp.sum(ps[f"p{i}"] * ps[f"p{i}"])
        return total

    return _adam(loss_of, ps, (), rate)


def _adam(
    loss_of: Callable[..., Any], ps: dict[str, Any], batch: tuple[Any, ...], rate: float
) -> Callable[[], Any]:
    differentiated = value_and_grad(loss_of)
    first = {k: np.zeros_like(p) for k, p in ps.items()}
    second = {k: np.zeros_like(p) for k, p in ps.items()}
    steps = 0

    def call() -> Any:
        nonlocal steps
        steps += 1
        value, gradients = differentiated(ps, *batch)
        size, correction = rate / (1 - 0.9**steps), (1 - 0.999**steps) ** 0.5
        for k, g in gradients.items():
            first[k] = 0.9 * first[k] + 0.1 * g
            second[k] = 0.999 * second[k] + 0.001 * g * g
            ps[k] = ps[k] - size * first[k] / (np.sqrt(second[k]) / correction + 1e-8)
        return value

    return call
