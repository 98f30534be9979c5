"""Both sides of a comparison do the same work: their losses are the same, step after step."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polylux import AutoAutograd, AutoJax, AutoTorch
from polylux.losses import MSELoss
from polylux_benchmarks import retracing, train, transformer
from polylux_benchmarks._counting import Counted, jax_compilations
from polylux_benchmarks._steps import RATE, bowl, step

SELECTORS = {"jax": AutoJax(), "torch": AutoTorch(), "autograd": AutoAutograd()}
backends = pytest.mark.parametrize("backend", SELECTORS)


def peer(backend: str, kind: str) -> Any:
    return importlib.import_module(f"polylux_benchmarks.peers.{backend}_{kind}")


def losses(call: Callable[[], Any], steps: int = 4) -> list[float]:
    return [float(call()) for _ in range(steps)]


@backends
def test_steps_of_a_perceptron(backend: str) -> None:
    size = train.SIZES[0]
    ours = losses(train.ours(size, SELECTORS[backend]))
    theirs = losses(peer(backend, "steps").step(*train.start(size), RATE))
    # float32, 3 to 8 terms a sum; the optimizers round their corrections in different places
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert ours[-1] < ours[0]


@backends
def test_steps_down_a_bowl(backend: str) -> None:
    leaves = [np.full((2, 3), 1 + i, np.float32) for i in range(3)]
    ours = losses(bowl(SELECTORS[backend], leaves))
    theirs = losses(peer(backend, "steps").bowl(leaves, RATE))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert ours[0] == 6 * (1 + 4 + 9)


@pytest.mark.parametrize("arguments", [(False,), (True,)], ids=["plain", "fused attention"])
def test_steps_of_transformer_blocks(arguments: tuple[bool, ...]) -> None:
    settings = (transformer.HEADS, transformer.EPSILON, RATE)
    x, y = (array[:2, :8] for array in transformer.batch())
    ours = step(AutoTorch(), MSELoss(), transformer.model, transformer.start(), {}, (x, y))
    theirs = peer("torch", "transformer").step(transformer.start(), x, y, *settings, *arguments)
    np.testing.assert_allclose(losses(ours), losses(theirs), rtol=1e-5)


def test_transformer_blocks_in_jax_are_those_in_torch() -> None:
    settings = (transformer.HEADS, transformer.EPSILON, RATE)
    x, y = (array[:1, :4] for array in transformer.batch())
    first, second = (
        losses(peer(backend, "transformer").step(transformer.start(), x, y, *settings, *more), 2)
        for backend, more in (("jax", ()), ("torch", (False,)))
    )
    np.testing.assert_allclose(first, second, rtol=1e-5)


def test_calls_are_counted() -> None:
    counted = Counted(abs)
    assert (counted(-1), counted(-2), counted.calls) == (1, 2, 2)


def test_compilations_are_counted() -> None:
    import jax

    double = jax.jit(lambda x: x * 2)
    with jax_compilations() as found:
        double(1.0)
        double(2.0)
    assert len(found) == 1
    double(3)
    assert len(found) == 1


@backends
def test_a_step_is_traced_no_more_than_needed(backend: str) -> None:
    for pair in retracing.pairs():
        if pair.backend == backend:
            found = pair.measured(1, 1)
            assert found.verdict == "met", (pair.name, found.ours, found.theirs)
