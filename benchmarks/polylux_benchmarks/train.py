"""Suite `train`: one step of a classifier with Adam, against each framework's hand-written loop."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from polylux import ADType, AutoAutograd, AutoJax, AutoTorch, setup
from polylux.layers import Chain, Dense
from polylux.losses import CrossEntropyLoss
from polylux_benchmarks import transformer
from polylux_benchmarks._children import Remote
from polylux_benchmarks._comparison import Comparison
from polylux_benchmarks._steps import RATE, step
from polylux_benchmarks._timing import Loop, Pair


class Size(NamedTuple):
    """A multilayer perceptron's widths, and its batch.

    Attributes
    ----------
    bars : dict
        The ratio to the hand-written loop, by contender.
    keras : dict
        How many times as long Keras takes, by framework.
    """

    widths: tuple[int, ...]
    batch: int
    bars: dict[str, float]
    keras: dict[str, float]

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.widths))}, batch {self.batch}"


SIZES = (
    Size(
        (4, 8, 2),
        8,
        {"jax": 1.00, "torch": 0.75, "torch compiled": 1.05, "autograd": 0.85},
        {"jax": 12, "torch": 8},
    ),
    Size(
        (64, 64, 10),
        32,
        {"jax": 1.02, "torch": 0.80, "torch compiled": 1.05, "autograd": 0.85},
        {"jax": 10, "torch": 6},
    ),
    Size(
        (784, 256, 256, 10),
        128,
        {"jax": 1.03, "torch": 0.95, "torch compiled": 1.02, "autograd": 0.55},
        {"jax": 1.3, "torch": 2},
    ),
)


def pairs() -> Iterator[Comparison]:
    """Every size on every framework that is installed; compiled torch last, since it compiles."""
    for contender in _contenders():
        for number in range(len(SIZES)):
            yield from contender(number)
    yield from transformer.pairs()


def _contenders() -> Iterator[Callable[[int], Iterator[Comparison]]]:
    if _are_installed("jax", "optax"):
        yield _jax
        if _are_installed("flax"):
            yield _nnx
        if _are_installed("equinox"):
            yield _equinox
        if _are_installed("keras"):
            yield lambda number: _keras(number, "jax")
    if _are_installed("autograd"):
        yield _autograd
    if _are_installed("torch"):
        yield _torch
        if _are_installed("keras"):
            yield lambda number: _keras(number, "torch")
        yield _torch_compiled


def _are_installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) for name in names)


def _jax(number: int) -> Iterator[Pair]:
    import jax

    from polylux_benchmarks.peers import jax_steps

    theirs = jax_steps.step(*start(SIZES[number]), RATE)
    yield from _both(number, AutoJax(), theirs, "donated jit, optax", "jax", jax.block_until_ready)


def _nnx(number: int) -> Iterator[Pair]:
    from polylux_benchmarks.peers import nnx_steps

    yield _against(number, nnx_steps.step, "flax.nnx, optax")


def _equinox(number: int) -> Iterator[Pair]:
    from polylux_benchmarks.peers import equinox_steps

    yield _against(number, equinox_steps.step, "equinox, optax")


def _against(number: int, peer: Callable[..., Callable[[], Any]], name: str) -> Pair:
    """JAX under another library's loop."""
    import jax

    size = SIZES[number]
    return Loop(
        "train", "step", "jax", str(size), ours(size, AutoJax()), peer(*start(size), RATE),
        name, None, jax.block_until_ready,
    )  # fmt: skip


def _keras(number: int, framework: str) -> Iterator[Remote]:
    # Which framework Keras runs on is settled when it is imported.
    yield Remote(
        "train", "step", framework, str(SIZES[number]), "train:keras_pair", (number, framework),
        {"KERAS_BACKEND": framework},
    )  # fmt: skip


def keras_pair(number: int, framework: str) -> Pair:
    """A step against Keras's `train_on_batch`; in a process where Keras runs on that framework."""
    from polylux_benchmarks.peers import keras_steps

    size = SIZES[number]
    # The loss of train_on_batch is a number of Python: it has waited.
    wait: Callable[[Any], Any] = lambda loss: float(loss)  # noqa: E731
    selector = {"jax": AutoJax(), "torch": AutoTorch()}[framework]
    return Loop(
        "train", "step", framework, str(size), ours(size, selector),
        keras_steps.step(*start(size), RATE), "Keras train_on_batch",
        1 / size.keras[framework], wait,
    )  # fmt: skip


def _autograd(number: int) -> Iterator[Pair]:
    from polylux_benchmarks.peers import autograd_steps

    theirs = autograd_steps.step(*start(SIZES[number]), RATE)
    yield from _both(number, AutoAutograd(), theirs, "autograd.numpy, numpy Adam", "autograd")


def _torch(number: int) -> Iterator[Pair]:
    from polylux_benchmarks.peers import torch_steps

    theirs = torch_steps.step(*start(SIZES[number]), RATE)
    yield from _both(number, AutoTorch(), theirs, "nn.Sequential, fused Adam", "torch")


def _torch_compiled(number: int) -> Iterator[Pair]:
    from polylux_benchmarks.peers import torch_steps

    theirs = torch_steps.compiled_step(*start(SIZES[number]), RATE)
    selector, peer = AutoTorch(compile=True), "torch.compile of a whole step"
    yield from _both(number, selector, theirs, peer, "torch compiled")


def _both(
    number: int,
    selector: ADType,
    theirs: Callable[[], Any],
    peer: str,
    backend: str,
    wait: Callable[[Any], Any] = lambda result: result,
) -> Iterator[Pair]:
    """A step without gradients returned, which is what the peer does, and one with."""
    size = SIZES[number]
    call, bar = ours(size, selector), size.bars[backend]
    yield Loop("train", "step", backend, str(size), call, theirs, peer, bar, wait)
    call = ours(size, selector, return_gradients=True)
    name = "step, with gradients"
    yield Loop("train", name, backend, str(size), call, theirs, peer, None, wait)


def ours(size: Size, selector: ADType, return_gradients: bool = False) -> Callable[[], Any]:
    """A call that makes one of polylux's steps on the batch."""
    model = _model(size)
    ps, st = setup(np.random.default_rng(0), model)
    loss = CrossEntropyLoss(logits=True)
    return step(selector, loss, model, ps, st, _batch(size), return_gradients)


def _model(size: Size) -> Chain:
    *hidden, last = zip(size.widths, size.widths[1:], strict=False)
    return Chain(*[Dense(*shape, activation="relu") for shape in hidden], Dense(*last))


def _batch(size: Size) -> tuple[Any, Any]:
    """Inputs, and shares of the classes: most of one, a little of each.

    A class by itself is all but certain after some thousand steps on one batch. Polylux then takes
    longer for the digits of a loss that others give as 0, and no training goes on there.
    """
    rng = np.random.default_rng(1)
    x = rng.normal(size=(size.batch, size.widths[0])).astype(np.float32)
    count = size.widths[-1]
    classes = rng.integers(0, count, size.batch)
    return x, (0.9 * np.eye(count)[classes] + 0.1 / count).astype(np.float32)


def start(size: Size) -> tuple[list[tuple[Any, Any]], Any, Any]:
    """The same parameters as pairs of weight and bias, and the batch."""
    ps, _ = setup(np.random.default_rng(0), _model(size))
    return [(layer["weight"], layer["bias"]) for layer in ps.values()], *_batch(size)
