"""Suite `scaling`: a step's time against the number of leaves, of parameters, and of samples.

A step's own cost, which a step of one leaf shows, is what the suite `train` is about: here it is
what a leaf more and a parameter more cost that is held to a bar.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from polylux import ADType, AutoAutograd, AutoJax, AutoTorch
from polylux_benchmarks._children import KEEPS_MEMORY, Remote
from polylux_benchmarks._comparison import Comparison
from polylux_benchmarks._steps import RATE, bowl
from polylux_benchmarks._timing import Loop, Measurement, Pair
from polylux_benchmarks.train import Size, ours, start

BAR = 1.1
"""The framework's own cost per leaf, and a tenth."""

LEAVES = (1, 10, 100, 1_000, 10_000)
FEWER_LEAVES = 1_000
"""At most, where XLA takes some 10 ms to compile a leaf, for anyone, and where autograd makes, for
each entry of a dictionary, a dictionary of zeros as large."""

LEAF = (32, 32)
PARAMETERS = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8)
BATCHES = (1, 32, 1_024, 32_768)
LARGE_BATCH = 32_768
"""From here a layer's output is some megabytes."""

MANY_PARAMETERS = 10**6
"""From here the arithmetic takes longer than what comes before it."""


@dataclasses.dataclass(frozen=True)
class PerLeaf:
    """What each leaf after the first adds to a step."""

    many: Pair
    one: Pair
    count: int
    bar: float
    name: str = "per leaf"

    @property
    def suite(self) -> str:
        return self.many.suite

    @property
    def backend(self) -> str:
        return self.many.backend

    @property
    def setting(self) -> str:
        return self.many.setting

    def measured(self, pairs: int, repeats: int) -> Measurement:
        """The steps of one leaf taken from those of many; the interval is that of the latter."""
        many, one = self.many.measured(pairs, repeats), self.one.measured(pairs, repeats)

        def ratio(of_many: float) -> float:
            return (of_many * many.theirs - one.ours) / (many.theirs - one.theirs)

        return dataclasses.replace(
            many, name=self.name, bar=self.bar,
            ours=(many.ours - one.ours) / (self.count - 1),
            theirs=(many.theirs - one.theirs) / (self.count - 1),
            ratio=ratio(many.ratio), low=ratio(many.low), high=ratio(many.high),
        )  # fmt: skip


class Contender(NamedTuple):
    """A selector, and what writes the same step by hand."""

    backend: str
    selector: ADType
    module: str
    peer: str
    is_compiled: bool
    most_leaves: int
    wait: Callable[[Any], Any]


def pairs() -> Iterator[Comparison]:
    """Leaves, first calls, parameters and batches, on every framework that is installed."""
    contenders = list(_contenders())
    for contender in contenders:
        for count in LEAVES:
            if count > contender.most_leaves:
                continue
            setting = f"{count:,} leaves of {LEAF[0]} x {LEAF[1]}"
            if contender.is_compiled:
                yield _bowl(contender, "first step", setting, LEAF, count, is_first_call=True)
            step = _bowl(contender, "step", setting, LEAF, count)
            if count == 1:
                yield step
            else:
                yield PerLeaf(step, _bowl(contender, "step", setting, LEAF), count, BAR)
    for contender in contenders:
        for size in PARAMETERS:
            if not _fits(size):
                continue
            setting = _of_parameters(size)
            if size < MANY_PARAMETERS:
                yield _bowl(contender, "step", setting, (size,))
            else:
                yield _remote(contender, setting, parameters_pair, size)
    for contender in contenders:
        for batch in BATCHES:
            if batch < LARGE_BATCH:
                yield batch_pair(contender.backend, batch)
            else:
                yield _remote(contender, str(_mlp(batch)), batch_pair, batch)


def _remote(
    contender: Contender, setting: str, make: Callable[[str, int], Pair], size: int
) -> Remote:
    name, backend = f"scaling:{make.__name__}", contender.backend
    return Remote("scaling", "step", backend, setting, name, (backend, size), KEEPS_MEMORY)


def parameters_pair(backend: str, size: int) -> Pair:
    """A step down a bowl of one large leaf."""
    most = 5 if size >= 10**8 else None  # they take a second each
    step = _bowl(_contender(backend), "step", _of_parameters(size), (size,))
    return dataclasses.replace(step, bar=BAR, most=most)


def _of_parameters(size: int) -> str:
    return f"{size:.0e} parameters".replace("+0", "")


def batch_pair(backend: str, batch: int) -> Pair:
    """A step of a small classifier on a batch of this size."""
    contender, mlp = _contender(backend), _mlp(batch)
    theirs = _peer(contender).step(*start(mlp), RATE)
    return Loop(
        "scaling", "step", backend, str(mlp), ours(mlp, contender.selector),
        theirs, contender.peer, BAR, contender.wait,
    )  # fmt: skip


def _mlp(batch: int) -> Size:
    return Size((64, 64, 10), batch, {}, {})


def _contender(backend: str) -> Contender:
    return next(c for c in _contenders() if c.backend == backend)


def _contenders() -> Iterator[Contender]:
    if importlib.util.find_spec("jax") and importlib.util.find_spec("optax"):
        import jax

        yield Contender(
            "jax", AutoJax(), "jax_steps", "donated jit, optax", True, FEWER_LEAVES,
            jax.block_until_ready,
        )  # fmt: skip
    if importlib.util.find_spec("autograd"):
        yield Contender(
            "autograd", AutoAutograd(), "autograd_steps", "autograd.numpy, numpy Adam", False,
            FEWER_LEAVES, _same,
        )  # fmt: skip
    if importlib.util.find_spec("torch"):
        most = max(LEAVES)
        yield Contender("torch", AutoTorch(), "torch_steps", "fused Adam", False, most, _same)


def _bowl(
    contender: Contender,
    name: str,
    setting: str,
    shape: tuple[int, ...],
    count: int = 1,
    is_first_call: bool = False,
) -> Pair:
    """A step down a sum of squares: next to no arithmetic, so that what a leaf costs is seen."""
    sides = (
        functools.partial(bowl, contender.selector),
        functools.partial(_peer(contender).bowl, rate=RATE),
    )
    # The arrays are made when they are needed first: the next pair's do not lie beside these.
    calls = [(_anew if is_first_call else _once)(side, shape, count) for side in sides]
    return Loop(
        "scaling", name, contender.backend, setting, calls[0], calls[1], contender.peer,
        BAR if is_first_call else None, contender.wait, is_first_call,
        3 if is_first_call else 5 if count > 100 else None,
    )  # fmt: skip


def _leaves(shape: tuple[int, ...], count: int) -> list[Any]:
    return [np.full(shape, 1 + i / count, np.float32) for i in range(count)]


def _anew(side: Callable[..., Any], shape: tuple[int, ...], count: int) -> Callable[[], Any]:
    """Begins a new run at each call, and makes its first step."""
    leaves = _leaves(shape, count)
    return lambda: side(leaves)()


def _once(side: Callable[..., Any], shape: tuple[int, ...], count: int) -> Callable[[], Any]:
    """Begins a run at the first call, and makes one step at each."""
    begun: list[Callable[[], Any]] = []

    def call() -> Any:
        if not begun:
            begun.append(side(_leaves(shape, count)))
        return begun[0]()

    return call


def _fits(size: int) -> bool:
    """Whether both sides go into half of the memory that is free now."""
    # parameters, two moments, gradients, and a copy in passing; float32; two sides
    needed = 5 * 4 * size * 2
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on every system
        return size <= 10**7
    return needed <= free / 2


def _peer(contender: Contender) -> Any:
    return importlib.import_module(f"polylux_benchmarks.peers.{contender.module}")


def _same(result: Any) -> Any:
    return result
