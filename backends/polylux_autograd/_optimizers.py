"""Optimizer updates in place on flat buffers: SGD, Adam and AdamW."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polylux.selectors import ADType
from polylux_autograd._flat import flat_group

Arrays = tuple[Any, ...]
Update = Callable[[Arrays, Arrays, tuple[Arrays, ...], int], tuple[Arrays, tuple[Arrays, ...]]]
Vector = np.ndarray[Any, Any]


def fused_update(rule: Any, in_place: bool, selector: ADType) -> Update | None:
    """The update of a rule that this file knows, else None.

    Parameters and slots come back as views of flat vectors. When they are handed in again the
    vectors themselves are worked on, in blocks that stay in the processor's cache.
    """
    prepare = _RULES.get(rule.kind)
    if prepare is None:
        return None

    def update(
        parameters: Arrays, gradients: Arrays, slots: tuple[Arrays, ...], count: int
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        first = flat_group(parameters, None, in_place)
        groups = [first, *[flat_group(slot, first.layout, in_place) for slot in slots]]
        if not in_place:
            # Those that were flattened just now are copies already.
            given = (parameters, *slots)
            groups = [g.copy() if g is old else g for g, old in zip(groups, given, strict=True)]
        step = prepare(rule, count)
        with np.errstate(all="ignore"):  # an overflow shows in the parameters
            for which, piece, gradient in first.layout.blocks(gradients):
                vectors = [group.vectors[which][piece] for group in groups]
                if gradient.dtype == np.float16:
                    _step_in_float32(step, gradient, vectors)
                else:
                    step(gradient, np.empty_like(gradient), *vectors)
        return groups[0], tuple(groups[1:])

    return update


def _step_in_float32(step: Callable[..., None], gradient: Vector, vectors: list[Vector]) -> None:
    wide = [vector.astype(np.float32) for vector in vectors]
    step(gradient.astype(np.float32), np.empty_like(wide[0]), *wide)
    for vector, values in zip(vectors, wide, strict=True):
        vector[...] = values


def _sgd(rule: Any, count: int) -> Callable[..., None]:
    learning_rate = rule.value("learning_rate", count)
    momentum, nesterov = rule.momentum, rule.nesterov

    def plain(g: Vector, work: Vector, p: Vector) -> None:
        p -= np.multiply(g, learning_rate, out=work)

    def heavy(g: Vector, work: Vector, p: Vector, buffer: Vector) -> None:
        buffer *= momentum
        buffer += g
        if nesterov:
            np.multiply(buffer, momentum, out=work)
            work += g
            work *= learning_rate
        else:
            np.multiply(buffer, learning_rate, out=work)
        p -= work

    return heavy if momentum else plain


def _adam(rule: Any, count: int, shrink: float = 1.0) -> Callable[..., None]:
    b1, b2 = rule.betas
    root = (1 - b2**count) ** 0.5
    # step * m / (sqrt(v) / root + epsilon), numerator and denominator times root: a pass less.
    step_size = rule.value("learning_rate", count) / (1 - b1**count) * root
    epsilon = rule.epsilon * root

    def step(g: Vector, work: Vector, p: Vector, m: Vector, v: Vector) -> None:
        np.multiply(g, 1 - b1, out=work)
        m *= b1
        m += work
        np.multiply(g, g, out=work)
        work *= 1 - b2
        v *= b2
        v += work
        np.sqrt(v, out=work)
        work += epsilon
        np.divide(m, work, out=work)
        work *= step_size
        if shrink != 1.0:
            p *= shrink
        p -= work

    return step


def _adamw(rule: Any, count: int) -> Callable[..., None]:
    decay = rule.value("learning_rate", count) * rule.value("weight_decay", count)
    return _adam(rule, count, shrink=1 - decay)


_RULES: dict[str, Callable[..., Callable[..., None]]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
}
