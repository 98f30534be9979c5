"""Further wrong backends: in one mode, at one size or layout only, or in what they keep."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from _mutants import Arrays, Gradients, _careless, gradients

from polylux_autograd._backend import AutogradBackend
from polylux_autograd.array_api._array import Array


class WrongAfterThirty(Gradients):
    def mutated(self, gradients: Arrays, leaves: Arrays) -> Arrays:
        return (*gradients[:30], *(g * 2 for g in gradients[30:]))


class OrderOfMemoryTaken(AutogradBackend):
    """Reads arrays as they lie in memory."""

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        taken = tuple(
            Array(np.ravel(a._data, order="K").reshape(a.shape)) if isinstance(a, Array) else a
            for a in leaves
        )
        return super().value_and_gradient(function, taken, selector)


class KnowsWhereItIs(AutogradBackend):
    """Base of the mutants that are wrong inside one kind of derivative only."""

    forward = 0
    depth = 0

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        self.depth += 1
        try:
            return super().value_and_gradient(function, leaves, selector)
        finally:
            self.depth -= 1

    def pushforward(self, function: Any, leaves: Arrays, tangents: Arrays, selector: Any) -> Any:
        self.forward += 1
        try:
            return super().pushforward(function, leaves, tangents, selector)
        finally:
            self.forward -= 1


class ForwardDoesNotStop(KnowsWhereItIs):
    def stop_gradient(self, array: Any) -> Any:
        return array if self.forward else super().stop_gradient(array)


class _RulesIgnoredWhere(KnowsWhereItIs):
    def here(self) -> bool:
        raise NotImplementedError

    def custom_rule(self, rule: Any) -> Any:
        ruled = super().custom_rule(rule)

        def either(*operands: Any, **settings: Any) -> Any:
            return (rule.plain if self.here() else ruled)(*operands, **settings)

        return either


class RulesIgnoredForward(_RulesIgnoredWhere):
    def here(self) -> bool:
        return self.forward > 0


class RulesIgnoredInside(_RulesIgnoredWhere):
    def here(self) -> bool:
        return self.depth > 1


class CheckpointKeepsAll(AutogradBackend):
    def checkpoint(self, function: Any, arguments: Arrays, selector: Any) -> Any:
        return function(*arguments)


class CheckpointOfTheFirst(AutogradBackend):
    def checkpoint(self, function: Any, arguments: Arrays, selector: Any) -> Any:
        others = map(self.stop_gradient, arguments[1:])
        return super().checkpoint(function, (arguments[0], *others), selector)


class CheckpointOnce(KnowsWhereItIs):
    """Cannot be differentiated again."""

    def checkpoint(self, function: Any, arguments: Arrays, selector: Any) -> Any:
        found = super().checkpoint(function, arguments, selector)
        return tuple(map(self.stop_gradient, found)) if self.depth > 1 else found


class CurvatureDoubled(AutogradBackend):
    """Right at first order, a factor of 2 too much at second."""

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        value, gradients, aux = super().value_and_gradient(function, leaves, selector)
        if self.is_tracing():
            gradients = tuple(g + (g - self.stop_gradient(g)) for g in gradients)
        return value, gradients, aux


class CotangentsStopped(AutogradBackend):
    def pullback(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        outputs, pull, aux = super().pullback(function, leaves, selector)
        return outputs, lambda c: pull(tuple(map(self.stop_gradient, c))), aux


class TangentsOverwritten(AutogradBackend):
    def pushforward(self, function: Any, leaves: Arrays, tangents: Arrays, selector: Any) -> Any:
        answer = super().pushforward(function, leaves, tangents, selector)
        for tangent in tangents:
            if isinstance(tangent, Array) and tangent._data.flags.writeable:
                tangent._data[...] *= 1.5
        return answer


def _foreign(change: Callable[[Any], Any]) -> type[AutogradBackend]:
    class Mutant(AutogradBackend):
        def from_foreign(self, arrays: Any, selector: Any) -> Any:
            return [Array(change(np.asarray(a))) for a in arrays]

    return Mutant


class KeepsEveryFunction(AutogradBackend):
    def __init__(self) -> None:
        self.kept: list[Any] = []

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        self.kept.append(function)
        return super().value_and_gradient(function, leaves, selector)


FURTHER: dict[str, tuple[type[AutogradBackend], tuple[str, ...]]] = {
    "wrong above 2**20 entries": (
        gradients(lambda g, p: g * 2 if g.size > 2**20 else g),
        ("gradient/a large leaf [float32]",),
    ),
    "wrong after the thirtieth leaf": (WrongAfterThirty, ("gradient/many leaves [float64]",)),
    "wrong for seven axes": (
        gradients(lambda g, p: g * 2 if g.ndim > 6 else g), ("gradient/high rank [float64]",),
    ),
    "NaN in gradients turned into zero": (
        gradients(lambda g, p: np.where(np.isnan(g), 0, g).astype(g.dtype)),
        ("gradient/infinities and NaN [float64]",),
    ),
    "infinite slopes clipped": (
        gradients(lambda g, p: np.clip(g, -np.finfo(g.dtype).max, np.finfo(g.dtype).max)),
        ("gradient/infinities and NaN [float32]",),
    ),
    "wrong only in float16": (
        gradients(lambda g, p: g * 2 if g.dtype == np.float16 else g),
        ("modifier/half precision",),
    ),
    "float16 computed, float32 returned": (
        gradients(lambda g, p: g.astype(np.float32) if g.dtype == np.float16 else g),
        ("modifier/half precision",),
    ),
    "float64 zeros for an unused leaf": (
        gradients(lambda g, p: g if g.any() else g.astype(np.float64)),
        ("gradient/unused leaves [float32]",),
    ),
    "order of memory taken": (OrderOfMemoryTaken, ("modifier/own strided arrays",)),
    "stop_gradient ignored in forward mode": (ForwardDoesNotStop, ("mode/stop_gradient",)),
    "rules ignored in forward mode": (RulesIgnoredForward, ("mode/custom rule",)),
    "rules ignored inside a derivative": (
        RulesIgnoredInside, ("second/rules, checkpoints, pullbacks",),
    ),
    "checkpoint keeps everything": (CheckpointKeepsAll, ("mode/checkpoint",)),
    "checkpoint of the first argument": (CheckpointOfTheFirst, ("mode/checkpoint",)),
    "checkpoint once only": (CheckpointOnce, ("second/rules, checkpoints, pullbacks",)),
    "curvature doubled": (
        CurvatureDoubled, ("second/hvp and hessian", "second/Hessian of quadratic"),
    ),
    "cotangents are constants": (CotangentsStopped, ("second/rules, checkpoints, pullbacks",)),
    "tangents overwritten": (TangentsOverwritten, ("mode/pushforward",)),
    "from_foreign aliases": (_foreign(lambda a: a), ("training/arrays of another",)),
    "from_foreign narrows": (
        _foreign(lambda a: np.array(a, np.float32)), ("training/arrays of another",),
    ),
    "keeps every function": (KeepsEveryFunction, ("purity/nothing is kept",)),
    "logging changed": (
        _careless(lambda: logging.getLogger().setLevel(logging.getLogger().level + 1)),
        ("purity/global settings",),
    ),
    "import path changed": (
        _careless(lambda: sys.path.append("/mutant")), ("purity/global settings",),
    ),
}  # fmt: skip
