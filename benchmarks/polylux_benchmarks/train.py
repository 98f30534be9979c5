"""Suite `train`: one step of a classifier with Adam, against each framework's hand-written loop."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from polylux import (
    ADType,
    AutoAutograd,
    AutoJax,
    AutoTorch,
    TrainState,
    setup,
    single_train_step_,
    to_backend,
)
from polylux.layers import Chain, Dense
from polylux.losses import CrossEntropyLoss
from polylux.optimizers import Adam
from polylux_benchmarks._timing import Pair

RATE = 1e-3


class Size(NamedTuple):
    """A multilayer perceptron's widths, and its batch; bars by contender."""

    widths: tuple[int, ...]
    batch: int
    bars: dict[str, float]

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.widths))}, batch {self.batch}"


SIZES = (
    Size((4, 8, 2), 8, {"jax": 1.00, "torch": 0.75, "torch compiled": 1.05, "autograd": 0.85}),
    Size((64, 64, 10), 32, {"jax": 1.02, "torch": 0.80, "torch compiled": 1.05, "autograd": 0.85}),
    Size(
        (784, 256, 256, 10),
        128,
        {"jax": 1.03, "torch": 0.95, "torch compiled": 1.02, "autograd": 0.55},
    ),
)


def pairs() -> Iterator[Pair]:
    """Every size on every framework that is installed; compiled torch last, since it compiles."""
    for contender in _contenders():
        for size in SIZES:
            yield from contender(size)


def _contenders() -> Iterator[Callable[[Size], Iterator[Pair]]]:
    if importlib.util.find_spec("jax") and importlib.util.find_spec("optax"):
        yield _jax
    if importlib.util.find_spec("autograd"):
        yield _autograd
    if importlib.util.find_spec("torch"):
        yield _torch
        yield _torch_compiled


def _jax(size: Size) -> Iterator[Pair]:
    import jax

    from polylux_benchmarks.peers import jax_steps

    theirs = jax_steps.step(*_start(size), RATE)
    yield from _both(size, "jax", AutoJax(), theirs, "donated jit, optax", jax.block_until_ready)


def _autograd(size: Size) -> Iterator[Pair]:
    from polylux_benchmarks.peers import autograd_steps

    theirs = autograd_steps.step(*_start(size), RATE)
    yield from _both(size, "autograd", AutoAutograd(), theirs, "autograd.numpy, numpy Adam")


def _torch(size: Size) -> Iterator[Pair]:
    from polylux_benchmarks.peers import torch_steps

    theirs = torch_steps.step(*_start(size), RATE)
    yield from _both(size, "torch", AutoTorch(), theirs, "nn.Sequential, fused Adam")


def _torch_compiled(size: Size) -> Iterator[Pair]:
    from polylux_benchmarks.peers import torch_steps

    theirs = torch_steps.compiled_step(*_start(size), RATE)
    selector = AutoTorch(compile=True)
    yield from _both(size, "torch compiled", selector, theirs, "torch.compile of a whole step")


def _both(
    size: Size,
    backend: str,
    selector: ADType,
    theirs: Callable[[], Any],
    peer: str,
    wait: Callable[[Any], Any] = lambda result: result,
) -> Iterator[Pair]:
    """A step without gradients returned, which is what the peer does, and one with."""
    ours = step(size, selector, return_gradients=False)
    bar = size.bars[backend]
    yield Pair("train", "step", backend, str(size), ours, theirs, peer, bar, wait)
    ours = step(size, selector, return_gradients=True)
    name = "step, gradients returned"
    yield Pair("train", name, backend, str(size), ours, theirs, peer, None, wait)


def step(size: Size, selector: ADType, return_gradients: bool) -> Callable[[], Any]:
    """A call that makes one of polylux's steps on the batch."""
    model = _model(size)
    ps, st = setup(np.random.default_rng(0), model)
    loss = CrossEntropyLoss(logits=True)
    state = TrainState(model, ps, st, Adam(RATE))
    # where the framework's own loop has it
    batch = to_backend(_batch(size), selector)

    def call() -> Any:
        nonlocal state
        result = single_train_step_(selector, loss, batch, state, return_gradients=return_gradients)
        state = result.train_state
        return result.loss

    return call


def _model(size: Size) -> Chain:
    *hidden, last = zip(size.widths, size.widths[1:], strict=False)
    return Chain(*[Dense(*shape, activation="relu") for shape in hidden], Dense(*last))


def _batch(size: Size) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(size.batch, size.widths[0])).astype(np.float32)
    classes = rng.integers(0, size.widths[-1], size.batch)
    return x, np.eye(size.widths[-1], dtype=np.float32)[classes]


def _start(size: Size) -> tuple[list[tuple[Any, Any]], Any, Any]:
    """The same parameters as pairs of weight and bias, and the batch."""
    ps, _ = setup(np.random.default_rng(0), _model(size))
    return [(layer["weight"], layer["bias"]) for layer in ps.values()], *_batch(size)
