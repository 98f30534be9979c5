"""Suite `losses`: each loss with its gradient on a (4096, 128) float32 batch."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

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
from polylux_benchmarks._timing import Pair

SHAPE = (4096, 128)
OWN, HAND, AUTOGRAD = 1.05, 2.0, 0.7
"""Bars: against a framework's own function, a hand-written form, and plain autograd.numpy."""


def _data() -> dict[str, dict[str, Any]]:
    """Predictions and targets by the name under which a loss asks for them."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=SHAPE).astype(np.float32)
    other = rng.normal(size=SHAPE).astype(np.float32)
    shares = np.exp(real) / np.exp(real).sum(-1, keepdims=True)
    given = np.exp(other) / np.exp(other).sum(-1, keepdims=True)
    chances = (1 / (1 + np.exp(-real))).astype(np.float32)
    bits = (other > 0).astype(np.float32)
    return {
        "real": {"p": real, "t": other},
        "positive": {"p": np.abs(real) + 0.1, "t": np.abs(other) + 0.1},
        "signs": {"p": real, "t": np.sign(other)},
        "logits": {"p": real, "t": bits},
        "chances": {"p": chances, "t": bits},
        "distances": {"p": np.abs(real), "t": bits},
        "classes": {"p": shares, "t": given},
        "class logits": {"p": real, "t": given},
        "labels": {"p": real, "t": rng.integers(0, SHAPE[1], SHAPE[0]).astype(np.int32)},
    }


CASES: tuple[tuple[str, Any, str], ...] = (
    ("MSE", losses.MSELoss(), "real"),
    ("MAE", losses.MAELoss(), "real"),
    ("Huber", losses.HuberLoss(), "real"),
    ("MSLE", losses.MSLELoss(), "positive"),
    ("Poisson", losses.PoissonLoss(), "positive"),
    ("Hinge", losses.HingeLoss(), "signs"),
    ("SquaredHinge", losses.SquaredHingeLoss(), "signs"),
    ("Siamese", losses.SiameseContrastiveLoss(), "distances"),
    ("BCE logits", losses.BinaryCrossEntropyLoss(logits=True), "logits"),
    ("BCE", losses.BinaryCrossEntropyLoss(), "chances"),
    ("BinaryFocal", losses.BinaryFocalLoss(), "chances"),
    ("CrossEntropy logits", losses.CrossEntropyLoss(logits=True), "class logits"),
    ("CrossEntropy labels", losses.CrossEntropyLoss(logits=True), "labels"),
    ("CrossEntropy", losses.CrossEntropyLoss(), "classes"),
    ("Focal", losses.FocalLoss(), "classes"),
    ("KL", losses.KLDivergenceLoss(), "classes"),
    ("Dice", losses.DiceCoeffLoss(), "chances"),
)


def pairs() -> Iterator[Pair]:
    """Every loss on every framework that is installed."""
    data = _data()
    if importlib.util.find_spec("jax"):
        yield from _jax(data)
    if importlib.util.find_spec("torch"):
        yield from _torch(data)
    if importlib.util.find_spec("autograd"):
        yield from _autograd(data)


def _pair(name: str, backend: str, ours: Any, theirs: Any, peer: str, bar: float) -> Pair:
    return Pair("losses", name, backend, "4096 x 128, float32", ours, theirs, peer, bar)


def _jax(data: dict[str, Any]) -> Iterator[Pair]:
    import dataclasses

    import jax

    from polylux_benchmarks.peers import jax_losses

    selector = AutoJax()
    for name, loss, kind in CASES:
        p, t = to_backend((data[kind]["p"], data[kind]["t"]), selector)
        theirs, is_own = jax_losses.FUNCTIONS[name]
        prepared = prepare(value_and_gradient, loss, selector, p, t)
        jitted = jax.jit(jax.value_and_grad(theirs))
        pair = _pair(
            name,
            "jax",
            lambda prepared=prepared, p=p, t=t: prepared(p, t),
            lambda jitted=jitted, p=p, t=t: jitted(p, t),
            "optax, jitted" if is_own else "hand-written, jitted",
            OWN if is_own else HAND,
        )
        yield dataclasses.replace(pair, wait=jax.block_until_ready)


def _torch(data: dict[str, Any]) -> Iterator[Pair]:
    import torch

    from polylux_benchmarks.peers import torch_losses

    selector = AutoTorch()

    def differentiated(f: Any, p: Any, t: Any) -> Any:
        leaf = p.detach().requires_grad_()
        value = f(leaf, t)
        return value.detach(), torch.autograd.grad(value, leaf)

    for name, loss, kind in CASES:
        p, t = to_backend((data[kind]["p"], data[kind]["t"]), selector)
        theirs, is_own = torch_losses.FUNCTIONS[name]
        # torch's own losses take int64 labels; ours take any
        labels = t.long() if kind == "labels" else t
        yield _pair(
            name,
            "torch",
            lambda loss=loss, p=p, t=labels: value_and_gradient(loss, selector, p, t),
            lambda f=theirs, p=p, t=labels: differentiated(f, p, t),
            "torch.nn.functional" if is_own else "hand-written, eager",
            OWN if is_own else HAND,
        )


def _autograd(data: dict[str, Any]) -> Iterator[Pair]:
    from autograd import value_and_grad

    from polylux_benchmarks.peers import autograd_losses

    selector = AutoAutograd()
    for name, loss, kind in CASES:
        p, t = data[kind]["p"], data[kind]["t"]
        ours_p, ours_t = to_backend((p, t), selector)
        differentiated = value_and_grad(autograd_losses.FUNCTIONS[name])
        yield _pair(
            name,
            "autograd",
            lambda loss=loss, p=ours_p, t=ours_t: value_and_gradient(loss, selector, p, t),
            lambda f=differentiated, p=p, t=t: f(p, t),
            "autograd.numpy",
            AUTOGRAD,
        )
