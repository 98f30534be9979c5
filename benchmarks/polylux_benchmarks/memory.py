"""Suite `memory`: growth over many steps, the peak of a step, and what the operators keep.

Each amount is found in a process of its own, since a process's peak never falls. Arrays of a
framework are not Python's memory: the resident set holds both.
"""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.util
import resource
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polylux import (
    ADType,
    AutoAutograd,
    AutoJax,
    AutoTorch,
    array_namespace,
    to_backend,
    value_and_gradient,
)
from polylux_benchmarks._amounts import Amount
from polylux_benchmarks._children import in_child
from polylux_benchmarks._comparison import Comparison
from polylux_benchmarks._steps import RATE, bowl
from polylux_benchmarks.train import SIZES, ours

STEPS, WARM = 10_000, 1_000
NOISE = 2**20
"""Bytes by which a process grows, over so many steps, for reasons of its allocators."""

PEAK = 1.05
SIZE = 2 * 10**7
"""Parameters, in float32 80 MB: what a process holds besides is then little."""

CLOSURES = {"jax": 600, "torch": 10_000, "autograd": 10_000}
"""Each closure under jit is a compilation. The operators keep 128, so 600 show a leak as well."""

SELECTORS: dict[str, ADType] = {
    "jax": AutoJax(),
    "torch": AutoTorch(),
    "autograd": AutoAutograd(),
}
_PEERS = {
    "jax": ("jax_steps", "donated jit, optax"),
    "torch": ("torch_steps", "fused Adam"),
    "autograd": ("autograd_steps", "autograd.numpy, numpy Adam"),
}


def pairs() -> Iterator[Comparison]:
    """On every framework that is installed."""
    for backend in _installed():
        peer = _PEERS[backend][1]
        yield Amount(
            "memory", f"growth of a run, step {WARM:,} to {STEPS:,}", backend, str(SIZES[0]),
            functools.partial(in_child, "memory:grown", backend), lambda: NOISE,
            "what allocators do", "B", 1.0,
        )  # fmt: skip
        yield Amount(
            "memory", "peak of three steps", backend, f"{SIZE:.0e} parameters".replace("+0", ""),
            functools.partial(in_child, "memory:peak", backend, True),
            functools.partial(in_child, "memory:peak", backend, False),
            peer, "B", PEAK,
        )  # fmt: skip
        count = CLOSURES[backend]
        yield Amount(
            "memory", "growth of value_and_gradient", backend,
            f"closure {count // 3:,} to {count:,}",
            functools.partial(in_child, "memory:kept", backend), lambda: NOISE,
            "what allocators do", "B", 1.0,
        )  # fmt: skip


def grown(backend: str) -> int:
    """Bytes by which this process grows from step WARM to step STEPS."""
    return _growth(ours(SIZES[0], SELECTORS[backend]), WARM, STEPS)


def kept(backend: str) -> int:
    """Bytes by which this process grows while it differentiates ever new closures."""
    selector = SELECTORS[backend]
    x = to_backend(np.ones(4, np.float32), selector)

    def fresh() -> Any:
        some = object()  # so that each is another closure
        return lambda x: (some, array_namespace(x).sum(x * x))[1]

    count = CLOSURES[backend]
    return _growth(lambda: value_and_gradient(fresh(), selector, x), count // 3, count)


def peak(backend: str, is_ours: bool) -> int:
    """Bytes that three steps down a bowl of SIZE parameters add to the peak of this process."""
    module = importlib.import_module(f"polylux_benchmarks.peers.{_PEERS[backend][0]}")
    make: Callable[[list[Any]], Callable[[], Any]]
    if is_ours:
        make = functools.partial(bowl, SELECTORS[backend])
    else:
        make = functools.partial(module.bowl, rate=RATE)
    small = make([np.ones(2, np.float32)])  # what is imported, and compiled, at a first step
    for _ in range(3):
        float(small())
    leaves = [np.ones(SIZE, np.float32)]
    before = _peak()
    step = make(leaves)
    for _ in range(3):
        float(step())
    return _peak() - before


def _growth(call: Callable[[], Any], first: int, last: int) -> int:
    """Bytes by which the peak grows from one call to another."""
    for _ in range(first):
        call()
    gc.collect()
    before = _peak()
    for _ in range(last - first):
        call()
    return _peak() - before


def _peak() -> int:
    """The largest resident set so far, in bytes."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def _installed() -> Iterator[str]:
    if importlib.util.find_spec("jax") and importlib.util.find_spec("optax"):
        yield "jax"
    for name in ("torch", "autograd"):
        if importlib.util.find_spec(name):
            yield name
