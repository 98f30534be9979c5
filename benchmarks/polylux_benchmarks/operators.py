"""Matrices of derivatives and products with them, part of suite `dispatch`: layers of tanh."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import polylux
from polylux import AutoJax, AutoTorch, array_namespace, to_backend
from polylux_benchmarks._timing import Pair

BAR = 1.1
"""A framework's own operator, and a tenth."""


def pairs() -> Iterator[Pair]:
    """Against JAX's and torch's own, where these are installed."""
    if importlib.util.find_spec("jax"):
        yield from _jax()
    if importlib.util.find_spec("torch"):
        yield from _torch()


def _network(size: int, width: int) -> tuple[Any, list[Any]]:
    """A point and the weights of three layers, in float32."""
    rng = np.random.default_rng(0)
    weights = [
        (rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
        for shape in ((size, width), (width, width), (width, width))
    ]
    return rng.normal(size=size).astype(np.float32), weights


def layers(x: Any, *weights: Any) -> Any:
    """A vector function of a vector."""
    xp = array_namespace(x)
    for weight in weights:
        x = xp.tanh(x @ weight)
    return x


def energy(x: Any, *weights: Any) -> Any:
    """A scalar function of the same kind."""
    y = layers(x, *weights)
    return array_namespace(x).sum(y * y)


def _jax() -> Iterator[Pair]:
    import jax

    def pair(name: str, ours: Any, theirs: Any, f: Any, sizes: tuple[int, int]) -> Pair:
        x, weights = to_backend(_network(*sizes), AutoJax())
        prepared = polylux.prepare(ours, f, AutoJax(), x, *weights)
        raw = jax.jit(theirs(f))
        return Pair(
            "dispatch", f"{name}, prepared", "jax", f"{sizes[0]} entries, {sizes[1]} wide",
            lambda: prepared(x, *weights), lambda: raw(x, *weights), f"jitted {theirs.__name__}",
            BAR, jax.block_until_ready,
        )  # fmt: skip

    for sizes in ((64, 512), (512, 64), (256, 256)):
        fastest = jax.jacrev if sizes[1] < sizes[0] else jax.jacfwd
        yield pair("jacobian", polylux.jacobian, fastest, layers, sizes)
    for size in (64, 256):
        yield pair("hessian", polylux.hessian, jax.hessian, energy, (size, size))


def _torch() -> Iterator[Pair]:
    import torch

    def pair(
        name: str, size: int, peer: str, ours: Callable[..., Any], theirs: Callable[..., Any]
    ) -> Pair:
        x, weights = to_backend(_network(size, size), AutoTorch())
        v = torch.ones_like(x)
        return Pair(
            "dispatch", name, "torch", f"{size} entries, {size} wide",
            lambda: ours(x, weights, v), lambda: theirs(x, weights, v), peer, BAR,
        )  # fmt: skip

    def product(x: Any, weights: Any, v: Any) -> Any:
        gradient = torch.func.grad(lambda z: energy(z, *weights))
        return torch.func.jvp(gradient, (x,), (v,))[1]

    for size in (64, 512):
        yield pair(
            "hvp", size, "torch.func.jvp of grad",
            lambda x, weights, v: polylux.hvp(energy, AutoTorch(), x, v, *weights), product,
        )  # fmt: skip
        yield pair(
            "hessian", size, "torch.func.hessian",
            lambda x, weights, v: polylux.hessian(energy, AutoTorch(), x, *weights),
            lambda x, weights, v: torch.func.hessian(energy)(x, *weights),
        )  # fmt: skip
