"""Suite `losses`: each loss with its gradient on a (4096, 128) float32 batch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    losses,
    prepare,
    to_backend,
    value_and_gradient,
)
from polylux_benchmarks._children import KEEPS_MEMORY, Remote
from polylux_benchmarks._timing import Pair

SHAPE = (4096, 128)
SETTING = "4096 x 128, float32"
OWN, HAND, AUTOGRAD = 1.05, 2.0, 0.7
"""Bars: against a framework's own function, a hand-written form, and plain autograd.numpy."""


CASES: dict[str, tuple[Any, str]] = {
    "MSE": (losses.MSELoss(), "real"),
    "MAE": (losses.MAELoss(), "real"),
    "Huber": (losses.HuberLoss(), "real"),
    "MSLE": (losses.MSLELoss(), "positive"),
    "Poisson": (losses.PoissonLoss(), "positive"),
    "Hinge": (losses.HingeLoss(), "signs"),
    "SquaredHinge": (losses.SquaredHingeLoss(), "signs"),
    "Siamese": (losses.SiameseContrastiveLoss(), "distances"),
    "BCE logits": (losses.BinaryCrossEntropyLoss(logits=True), "logits"),
    "BCE": (losses.BinaryCrossEntropyLoss(), "chances"),
    "BinaryFocal": (losses.BinaryFocalLoss(), "chances"),
    "CrossEntropy logits": (losses.CrossEntropyLoss(logits=True), "class logits"),
    "CrossEntropy labels": (losses.CrossEntropyLoss(logits=True), "labels"),
    "CrossEntropy": (losses.CrossEntropyLoss(), "classes"),
    "Focal": (losses.FocalLoss(), "classes"),
    "KL": (losses.KLDivergenceLoss(), "classes"),
    "Dice": (losses.DiceCoeffLoss(), "chances"),
}
"""Losses, each with the kind of its data."""


def pairs() -> Iterator[Remote]:
    """Every loss on every framework that is installed.

    In processes that keep their memory: at 2 MB for each array what the system does for a fresh one
    takes longer than torch's kernels do, and at random.
    """
    for backend in _PAIRS:
        if importlib.util.find_spec(backend):
            for name in CASES:
                yield Remote(
                    "losses", name, backend, SETTING, "losses:pair", (backend, name), KEEPS_MEMORY
                )


def pair(backend: str, name: str) -> Pair:
    """A loss and its gradient, against what there is of the kind."""
    loss, kind = CASES[name]
    p, t = _data(kind)
    ours, theirs, peer, bar, wait = _PAIRS[backend](name, loss, p, t)
    return Pair("losses", name, backend, SETTING, ours, theirs, peer, bar, wait)


def _data(kind: str) -> tuple[Any, Any]:
    """Predictions and targets by the name under which a loss asks for them."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=SHAPE).astype(np.float32)
    other = rng.normal(size=SHAPE).astype(np.float32)
    shares = np.exp(real) / np.exp(real).sum(-1, keepdims=True)
    given = np.exp(other) / np.exp(other).sum(-1, keepdims=True)
    chances = (1 / (1 + np.exp(-real))).astype(np.float32)
    bits = (other > 0).astype(np.float32)
    return {
        "real": (real, other),
        "positive": (np.abs(real) + 0.1, np.abs(other) + 0.1),
        "signs": (real, np.sign(other)),
        "logits": (real, bits),
        "chances": (chances, bits),
        "distances": (np.abs(real), bits),
        "classes": (shares, given),
        "class logits": (real, given),
        "labels": (real, rng.integers(0, SHAPE[1], SHAPE[0]).astype(np.int32)),
    }[kind]


class _Sides(NamedTuple):
    """What differs between the frameworks."""

    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    peer: str
    bar: float
    wait: Callable[[Any], Any] = lambda result: result


def _jax(name: str, loss: Any, p: Any, t: Any) -> _Sides:
    import jax

    from polylux_benchmarks.peers import jax_losses

    selector = AutoJax()
    p, t = to_backend((p, t), selector)
    function, is_own = jax_losses.FUNCTIONS[name]
    prepared = prepare(value_and_gradient, loss, selector, p, t)
    jitted = jax.jit(jax.value_and_grad(function))
    peer, bar = ("optax, jitted", OWN) if is_own else ("hand-written, jitted", HAND)
    return _Sides(
        lambda: prepared(p, t), lambda: jitted(p, t), peer, bar, jax.block_until_ready
    )


def _torch(name: str, loss: Any, p: Any, t: Any) -> _Sides:
    import torch

    from polylux_benchmarks.peers import torch_losses

    selector = AutoTorch()
    p, t = to_backend((p, t), selector)
    if not t.is_floating_point():
        t = t.long()  # torch's own losses take int64 labels; ours take any
    function, is_own = torch_losses.FUNCTIONS[name]

    def theirs() -> Any:
        leaf = p.detach().requires_grad_()
        value = function(leaf, t)
        return value.detach(), torch.autograd.grad(value, leaf)

    peer, bar = ("torch.nn.functional", OWN) if is_own else ("hand-written, eager", HAND)
    return _Sides(lambda: value_and_gradient(loss, selector, p, t), theirs, peer, bar)


def _autograd(name: str, loss: Any, p: Any, t: Any) -> _Sides:
    from autograd import value_and_grad

    from polylux_benchmarks.peers import autograd_losses

    selector = AutoAutograd()
    own_p, own_t = to_backend((p, t), selector)
    differentiated = value_and_grad(autograd_losses.FUNCTIONS[name])
    return _Sides(
        lambda: value_and_gradient(loss, selector, own_p, own_t),
        lambda: differentiated(p, t),
        "autograd.numpy",
        AUTOGRAD,
    )


_PAIRS: dict[str, Callable[[str, Any, Any, Any], _Sides]] = {
    "jax": _jax,
    "torch": _torch,
    "autograd": _autograd,
}
