"""Suite `memory`: growth over many steps, the peak of a step, and what the operators keep.

Each amount is found in a process of its own, since a process's peak never falls. Arrays of a
framework are not Python's memory: the resident set holds both.
"""

from __future__ import annotations

import collections
import functools
import gc
import importlib
import importlib.util
import resource
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

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

KEPT = 128
"""Functions of which the operators keep what was made for them."""

CLOSURES = {"jax": 600, "torch": 10_000, "autograd": 10_000}
"""Each closure under jit is a compilation, and 600 are enough to show a leak."""

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
        setting = f"closure {count // 3:,} to {count:,}"
        yield Amount(
            "memory", "growth of value_and_gradient", backend, setting,
            functools.partial(in_child, "memory:kept", backend, True),
            functools.partial(_allowed, backend), "its own growth + 1 MiB", "B", 1.0,
        )  # fmt: skip
        yield Amount(
            "memory", "closures that are kept", backend, setting,
            functools.partial(in_child, "memory:alive", backend), lambda: KEPT,
            "as many as promised", "objects", 1.0, True,
        )  # fmt: skip


def grown(backend: str) -> int:
    """Bytes by which this process grows from step WARM to step STEPS."""
    return _growth(ours(SIZES[0], SELECTORS[backend]), WARM, STEPS)


def kept(backend: str, is_ours: bool) -> int:
    """Bytes by which this process grows while it differentiates ever new closures."""
    selector, count = SELECTORS[backend], CLOSURES[backend]
    x = to_backend(np.ones(4, np.float32), selector)
    if is_ours:
        call: Callable[[], Any] = lambda: value_and_gradient(_Closure(), selector, x)  # noqa: E731
    else:
        import jax

        # A user's own cache of the same size: JAX itself grows a little with each compilation.
        latest: collections.deque[Any] = collections.deque(maxlen=KEPT)

        def call() -> Any:
            latest.append(jax.jit(jax.value_and_grad(_Closure())))
            return latest[-1](x)

    return _growth(call, count // 3, count)


def _allowed(backend: str) -> int:
    """What the framework itself grows by; only a compiler does."""
    return NOISE + (in_child("memory:kept", backend, False) if backend == "jax" else 0)


def alive(backend: str) -> int:
    """How many of the closures are still there after all were differentiated."""
    selector = SELECTORS[backend]
    x = to_backend(np.ones(4, np.float32), selector)
    for _ in range(CLOSURES[backend]):
        value_and_gradient(_Closure(), selector, x)
    gc.collect()
    return len(_Closure.instances)


class _Closure:
    """The sum of squares, as a function that is another object each time."""

    instances: ClassVar[weakref.WeakSet[_Closure]] = weakref.WeakSet()

    def __init__(self) -> None:
        self.instances.add(self)

    def __call__(self, x: Any) -> Any:
        return array_namespace(x).sum(x * x)


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
    before = _present()
    step = make(leaves)
    for _ in range(3):
        float(step())
    return _peak() - before


def _growth(call: Callable[[], Any], first: int, last: int) -> int:
    """Bytes by which this process grows from one call to another."""
    for _ in range(first):
        call()
    gc.collect()
    before = _present()
    for _ in range(last - first):
        call()
    gc.collect()
    return max(0, _present() - before)


def _present() -> int:
    """The resident set now, in bytes; the largest so far where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        return _peak()


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
