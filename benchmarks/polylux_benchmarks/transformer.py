"""Two transformer blocks as a plain function, part of suite `train`: a step with Adam."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np

from polylux import AutoJax, AutoTorch, array_namespace, ops
from polylux.losses import MSELoss
from polylux_benchmarks._steps import RATE, step
from polylux_benchmarks._timing import Loop, Pair

WIDTH, HEADS, TOKENS, BATCH, BLOCKS = 128, 4, 64, 16, 2
EPSILON = 1e-5
SETTING = f"transformer, {BLOCKS} blocks"
BARS = {"jax": 1.03, "torch": 1.05}


def pairs() -> Iterator[Pair]:
    """Against the same in JAX and in torch, where these are installed."""
    if importlib.util.find_spec("jax") and importlib.util.find_spec("optax"):
        import jax

        from polylux_benchmarks.peers import jax_transformer

        ours = step(AutoJax(), MSELoss(), model, start(), {}, batch())
        theirs = jax_transformer.step(start(), *batch(), HEADS, EPSILON, RATE)
        yield Loop(
            "train", "step", "jax", SETTING, ours, theirs, "donated jit, optax", BARS["jax"],
            jax.block_until_ready,
        )  # fmt: skip
    if importlib.util.find_spec("torch"):
        from polylux_benchmarks.peers import torch_transformer

        ours = step(AutoTorch(), MSELoss(), model, start(), {}, batch())
        for peer, is_fused, bar in (
            ("plain functions, fused Adam", False, BARS["torch"]),
            ("with fused attention", True, None),
        ):
            theirs = torch_transformer.step(start(), *batch(), HEADS, EPSILON, RATE, is_fused)
            yield Loop("train", "step", "torch", SETTING, ours, theirs, peer, bar)


def model(x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
    """The blocks, each normalised first, one after another."""
    for block in ps:
        x = x + _attention(_norm(x, *block["norm 1"]), block)
        hidden = ops.dense(_norm(x, *block["norm 2"]), *block["up"])
        x = x + ops.dense(ops.gelu(hidden), *block["down"])
    return x, st


def _norm(x: Any, scale: Any, bias: Any) -> Any:
    return ops.layer_norm(x, scale, bias, 1, EPSILON)


def _attention(x: Any, block: Any) -> Any:
    xp = array_namespace(x)
    count, length, width = x.shape
    each = width // HEADS
    joint = xp.reshape(ops.dense(x, *block["in"]), (count, length, 3, HEADS, each))
    queries, keys, values = xp.unstack(xp.permute_dims(joint, (2, 0, 3, 1, 4)))
    weights = ops.softmax(queries @ xp.matrix_transpose(keys) * each**-0.5)
    mixed = xp.permute_dims(weights @ values, (0, 2, 1, 3))
    return ops.dense(xp.reshape(mixed, (count, length, width)), *block["out"])


def start() -> list[dict[str, Any]]:
    """Parameters: pairs of weight and bias, of scale and bias."""
    rng = np.random.default_rng(0)

    def dense(n: int, m: int) -> tuple[Any, Any]:
        return (rng.normal(size=(n, m)) / n**0.5).astype(np.float32), np.zeros(m, np.float32)

    def norm() -> tuple[Any, Any]:
        return np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    return [
        {
            "norm 1": norm(),
            "in": dense(WIDTH, 3 * WIDTH),
            "out": dense(WIDTH, WIDTH),
            "norm 2": norm(),
            "up": dense(WIDTH, 4 * WIDTH),
            "down": dense(4 * WIDTH, WIDTH),
        }
        for _ in range(BLOCKS)
    ]


def batch() -> tuple[Any, Any]:
    """Inputs and targets."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, BATCH, TOKENS, WIDTH)).astype(np.float32)
    return x, y
