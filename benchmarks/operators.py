"""Operators beside the frameworks' own: times of paired calls, and their ratio.

Run as `python benchmarks/operators.py [--rounds 60]`. Ours and theirs take turns, in an order that
is drawn anew for each pair, so that a busy machine slows both. A ratio is the median of the pairs';
the spread beside it is that between its first and third quartiles.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import torch

import polylux
from polylux import AutoJax, AutoTorch, array_namespace, to_backend

Pair = tuple[str, Callable[[], Any], Callable[[], Any], Callable[[Any], Any]]


def network(size: int, width: int, depth: int) -> tuple[Callable[..., Any], Any, list[Any]]:
    """A vector function: layers of tanh; its point and its weights, in float32."""
    rng = np.random.default_rng(0)
    sizes = [size, *[width] * depth]
    weights = [
        (rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
        for shape in itertools.pairwise(sizes)
    ]

    def layers(x: Any, *weights: Any) -> Any:
        xp = array_namespace(x)
        for weight in weights:
            x = xp.tanh(x @ weight)
        return x

    return layers, rng.normal(size=size).astype(np.float32), weights


def energy(x: Any, *weights: Any) -> Any:
    """A scalar function of the same kind."""
    xp = array_namespace(x)
    for weight in weights:
        x = xp.tanh(x @ weight)
    return xp.sum(x * x)


def jax_pairs() -> Iterator[Pair]:
    for name, size, width in (("tall", 64, 512), ("wide", 512, 64), ("square", 256, 256)):
        layers, x, weights = network(size, width, 3)
        x, weights = to_backend((x, weights), AutoJax())
        fastest = jax.jacrev if width < size else jax.jacfwd
        yield from jax_pair(f"jacobian {name}", polylux.jacobian, fastest, layers, x, weights)
        for mode, theirs in (("forward", jax.jacfwd), ("reverse", jax.jacrev)):
            yield from jax_pair(
                f"jacobian {name} {mode}", polylux.jacobian, theirs, layers, x, weights, mode
            )
    for size in (64, 256):
        _, x, weights = network(size, size, 3)
        x, weights = to_backend((x, weights), AutoJax())
        yield from jax_pair(f"hessian {size}", polylux.hessian, jax.hessian, energy, x, weights)


def jax_pair(
    name: str, ours: Any, theirs: Any, f: Any, x: Any, weights: Any, mode: Any = None
) -> Iterator[Pair]:
    selector = AutoJax(mode=mode)
    raw = jax.jit(theirs(f))
    prepared = polylux.prepare(ours, f, selector, x, *weights)
    yield (
        f"JAX {name}", lambda: ours(f, selector, x, *weights), lambda: raw(x, *weights),
        jax.block_until_ready,
    )  # fmt: skip
    yield (
        f"JAX {name}, prepared", lambda: prepared(x, *weights), lambda: raw(x, *weights),
        jax.block_until_ready,
    )  # fmt: skip


def torch_pairs() -> Iterator[Pair]:
    for size in (64, 512):
        _, x, weights = network(size, size, 3)
        x, weights = to_backend((x, weights), AutoTorch())
        v = torch.ones_like(x)

        def product(x: Any = x, weights: Any = weights, v: Any = v) -> Any:
            gradient = torch.func.grad(lambda z: energy(z, *weights))
            return torch.func.jvp(gradient, (x,), (v,))[1]

        yield (
            f"torch hvp {size}",
            lambda x=x, weights=weights, v=v: polylux.hvp(energy, AutoTorch(), x, v, *weights),
            product,
            lambda result: result,
        )
        yield (
            f"torch hessian {size}",
            lambda x=x, weights=weights: polylux.hessian(energy, AutoTorch(), x, *weights),
            lambda x=x, weights=weights: torch.func.hessian(energy)(x, *weights),
            lambda result: result,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sys.stdout.write(f"{'':34} {'ours':>10} {'theirs':>10} {'ratio':>7}  quartiles\n")
    for name, ours, theirs, wait in (*jax_pairs(), *torch_pairs()):
        if options.only in name:
            sys.stdout.write(measured(name, ours, theirs, wait, options.rounds) + "\n")
            sys.stdout.flush()


def measured(name: str, ours: Any, theirs: Any, wait: Any, rounds: int) -> str:
    found, expected = wait(ours()), wait(theirs())
    scale = float(abs(np.asarray(expected)).max())
    np.testing.assert_allclose(
        np.asarray(found), np.asarray(expected), rtol=0, atol=1e-5 * scale
    )  # float32, two orders of summation
    pairs = []
    for _ in range(rounds):
        both = {}
        for which in random.sample((0, 1), 2):
            start = time.perf_counter()
            wait((ours, theirs)[which]())
            both[which] = time.perf_counter() - start
        pairs.append((both[0], both[1]))
    ratios = [a / b for a, b in pairs]
    first, middle, third = statistics.quantiles(ratios, n=4)
    mine, other = (statistics.median(column) * 1e6 for column in zip(*pairs, strict=True))
    return f"{name:34} {mine:7.0f} us {other:7.0f} us {middle:7.3f}  {first:.3f} to {third:.3f}"


if __name__ == "__main__":
    main()
