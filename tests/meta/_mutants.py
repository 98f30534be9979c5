"""Deliberately wrong backends, each a small subclass of autograd's, and who must catch each.

`MUTANTS` maps the name of a mistake to the class that makes it and to the checks that must fail.
"""

from __future__ import annotations

import os
import random
import threading
import warnings
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from polylux import ops
from polylux.backend import Capability, Numbers
from polylux.errors import UnsupportedError
from polylux.losses._kernels import mean_of_items
from polylux_autograd._backend import AutogradBackend
from polylux_autograd._tracing import value_and_gradient as plain_value_and_gradient
from polylux_autograd.array_api._array import Array

Arrays = tuple[Any, ...]


class Right(AutogradBackend):
    """No mistake: what is caught here is the suite's own."""


class Gradients(AutogradBackend):
    """Base of the mutants that change the gradients only."""

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        value, gradients, aux = super().value_and_gradient(function, leaves, selector)
        if self.is_tracing():  # keep the mistakes at first order, where each is a small one
            return value, gradients, aux
        return value, self.mutated(gradients, leaves), aux

    def mutated(self, gradients: Arrays, leaves: Arrays) -> Arrays:
        pairs = zip(gradients, leaves, strict=True)
        return tuple(self.one(np.array(g._data), p) for g, p in pairs)

    def one(self, gradient: np.ndarray[Any, Any], leaf: Any) -> Any:
        raise NotImplementedError


def gradients(change: Callable[[np.ndarray[Any, Any], Any], Any]) -> type[AutogradBackend]:
    """A mutant from `change(gradient, leaf)`, both as they come; it returns the wrong gradient."""

    class Mutant(Gradients):
        def one(self, gradient: np.ndarray[Any, Any], leaf: Any) -> Any:
            return Array(np.asarray(change(gradient, leaf)))

    return Mutant


class NoneForUnused(Gradients):
    def mutated(self, gradients: Arrays, leaves: Arrays) -> Arrays:
        return tuple(g if np.any(g._data) else None for g in gradients)


class LeavesSwapped(Gradients):
    def mutated(self, gradients: Arrays, leaves: Arrays) -> Arrays:
        alike = len({(g.shape, g.dtype) for g in gradients}) == 1
        return gradients[::-1] if alike else gradients


class WrongAfterTen(Gradients):
    def mutated(self, gradients: Arrays, leaves: Arrays) -> Arrays:
        return (*gradients[:10], *(g * 2 for g in gradients[10:]))


class StaleClosure(AutogradBackend):
    """Takes two functions of one code for one function."""

    def __init__(self) -> None:
        self.known: dict[Any, Any] = {}

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        answer = super().value_and_gradient(function, leaves, selector)
        points = tuple((a.shape, str(a.dtype), a._data.tobytes()) for a in leaves
                       if isinstance(a, Array))  # fmt: skip
        return self.known.setdefault((_users_code(function), points), answer)


def _users_code(function: Any) -> Any:
    """The code of the function that a user wrote, within the core's own."""
    for cell in function.__closure__ or ():
        content = getattr(cell.cell_contents, "objective", cell.cell_contents)
        if hasattr(content, "__code__") and "polylux/src" not in content.__code__.co_filename:
            return content.__code__
    return function.__code__


class StaleData(AutogradBackend):
    """Keeps what it found for a leaf, whatever the data are."""

    def __init__(self) -> None:
        self.known: dict[Any, Any] = {}

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        answer = super().value_and_gradient(function, leaves, selector)
        points = tuple((a.shape, str(a.dtype), a._data.tobytes()) for a in leaves
                       if isinstance(a, Array))  # fmt: skip
        return answer[0], self.known.setdefault(points, answer[1]), answer[2]


class AliasedBuffer(Gradients):
    """Writes all gradients of one shape into one buffer."""

    def __init__(self) -> None:
        self.buffers: dict[Any, Any] = {}

    def one(self, gradient: np.ndarray[Any, Any], leaf: Any) -> Any:
        buffer = self.buffers.setdefault((gradient.shape, gradient.dtype), gradient)
        buffer[...] = gradient
        return Array(buffer)


class GradientIsTheLeafsMemory(Gradients):
    """Gives back data or constants themselves, where they are the gradient."""

    def mutated(self, gradients: Arrays, leaves: Arrays) -> Arrays:
        first: dict[Any, Any] = {}
        return tuple(
            first.setdefault((g.shape, g._data.tobytes()), g) for g in gradients
        )


class ComputedInFloat32(AutogradBackend):
    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        value, gradients, aux = super().value_and_gradient(function, leaves, selector)
        if self.is_tracing():
            return value, gradients, aux
        return _rounded(value), tuple(map(_rounded, gradients)), aux


def _rounded(array: Any) -> Any:
    return Array(array._data.astype(np.float32).astype(array._data.dtype))


class InputMutated(AutogradBackend):
    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        answer = super().value_and_gradient(function, leaves, selector)
        for leaf in leaves:
            if isinstance(leaf, Array) and leaf._data.flags.writeable:
                leaf._data[...] *= 1.5
        return answer


class StateNotAdvanced(AutogradBackend):
    def __init__(self) -> None:
        self.known: dict[Any, Any] = {}

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        value, gradients, aux = super().value_and_gradient(function, leaves, selector)
        key = tuple((a.shape, str(a.dtype)) for a in (*leaves, *aux))
        return value, gradients, self.known.setdefault(key, aux)


class AuxZero(AutogradBackend):
    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        value, gradients, aux = super().value_and_gradient(function, leaves, selector)
        return value, gradients, tuple(a * 0 for a in aux)


class GradientOfAux(AutogradBackend):
    """Differentiates the sum of the value and of all auxiliary output."""

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        def summed(*own: Any) -> Any:
            value, aux = function(*own)
            xp = self.namespace
            extra = sum(xp.sum(a) * 0.5 for a in aux if a.dtype == value.dtype)
            return value + extra, (*aux, value)

        _, gradients, aux = super().value_and_gradient(summed, leaves, selector)
        return aux[-1], gradients, aux[:-1]


class AuxIsTraced(AutogradBackend):
    """Hands out what hangs on a tape."""

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        kept: list[Any] = []

        def keeping(*own: Any) -> Any:
            value, aux = function(*own)
            kept[:] = aux
            return value, aux

        value, gradients, _ = super().value_and_gradient(keeping, leaves, selector)
        return value, gradients, tuple(kept)


# --- global state ---------------------------------------------------------------------------------


def _careless(change: Callable[[], Any]) -> type[AutogradBackend]:
    class Mutant(AutogradBackend):
        def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
            change()
            return super().value_and_gradient(function, leaves, selector)

    return Mutant


class FlagLeftAfterAnError(AutogradBackend):
    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        former = np.seterr(divide="ignore")
        answer = super().value_and_gradient(function, leaves, selector)
        np.seterr(**former)
        return answer


# --- errors, calls and threads --------------------------------------------------------------------


class ExceptionSwallowed(AutogradBackend):
    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        try:
            return super().value_and_gradient(function, leaves, selector)
        except Exception:  # noqa: BLE001  # the mistake
            zero = Array(np.zeros((), leaves[0]._data.dtype))
            return zero, tuple(leaf * 0 for leaf in leaves), ()


class ExceptionWrapped(AutogradBackend):
    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        try:
            return super().value_and_gradient(function, leaves, selector)
        except Exception as error:
            raise RuntimeError("the objective failed") from error


class ExceptionCopied(AutogradBackend):
    def diagnose(self, error: BaseException) -> Any:
        return UnsupportedError(str(error))


class WrongAfterAnError(Gradients):
    failed = False

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        try:
            return super().value_and_gradient(function, leaves, selector)
        except Exception:
            self.failed = True
            raise

    def one(self, gradient: np.ndarray[Any, Any], leaf: Any) -> Any:
        return Array(gradient * (0.5 if self.failed else 1.0))


class TracingForEver(AutogradBackend):
    failed = False

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        try:
            return super().value_and_gradient(function, leaves, selector)
        except Exception:
            self.failed = True
            raise

    def is_tracing(self) -> bool:
        return self.failed or super().is_tracing()


class WrongOnTheSecondCall(Gradients):
    """With the same leaves as the call before."""

    former: Any = None

    def mutated(self, gradients: Arrays, leaves: Arrays) -> Arrays:
        points = [leaf._data.tobytes() for leaf in leaves]
        factor = 2 if points == self.former else 1
        self.former = points
        return tuple(g * factor for g in gradients)


class WrongInAThread(Gradients):
    def one(self, gradient: np.ndarray[Any, Any], leaf: Any) -> Any:
        is_main = threading.current_thread() is threading.main_thread()
        return Array(gradient if is_main else -gradient)


class ThreadsMixed(AutogradBackend):
    """Keeps the latest gradients where all threads find them."""

    latest: Any = None
    pause = threading.Event()

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        self.latest = super().value_and_gradient(function, leaves, selector)
        self.pause.wait(0.0005)
        return self.latest


# --- arrays ---------------------------------------------------------------------------------------


class ToHostRounds(AutogradBackend):
    def to_host(self, arrays: Any) -> Any:
        return [a.astype(np.float32).astype(a.dtype) if a.dtype == np.float64 else a
                for a in super().to_host(arrays)]  # fmt: skip


class ToHostHidesNaN(AutogradBackend):
    def to_host(self, arrays: Any) -> Any:
        return [np.nan_to_num(a) if a.dtype.kind == "f" else a for a in super().to_host(arrays)]


class FromHostAliases(AutogradBackend):
    def from_host(self, arrays: Any, selector: Any) -> Any:
        return [Array(np.ascontiguousarray(a).reshape(a.shape)) for a in arrays]


class FromHostIgnoresStrides(AutogradBackend):
    def from_host(self, arrays: Any, selector: Any) -> Any:
        return [Array(np.array(a).ravel(order="K").reshape(a.shape)) for a in arrays]


class FromHostNarrows(AutogradBackend):
    def from_host(self, arrays: Any, selector: Any) -> Any:
        narrow = [a.astype(np.int32) if a.dtype == np.int64 else a for a in arrays]
        return super().from_host(narrow, selector)


class CopyAliases(AutogradBackend):
    def copy(self, arrays: Any, selector: Any) -> Any:
        return list(arrays)


class EveryArrayIsElsewhere(AutogradBackend):
    def device(self, array: Any) -> str:
        return f"cpu:{id(array)}"


# --- modes ----------------------------------------------------------------------------------------


class StopGradientDoesNothing(AutogradBackend):
    def stop_gradient(self, array: Any) -> Any:
        return array


class StopGradientZero(AutogradBackend):
    def stop_gradient(self, array: Any) -> Any:
        return super().stop_gradient(array) * 0


class PullbackOfTheFirst(AutogradBackend):
    """Leaves out the cotangents of further outputs."""

    def pullback(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        outputs, pull, aux = super().pullback(function, leaves, selector)
        return outputs, lambda c: pull((c[0], *(part * 0 for part in c[1:]))), aux


class PullbackOnce(AutogradBackend):
    """Gives at later calls what it gave at the first."""

    def pullback(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        outputs, pull, aux = super().pullback(function, leaves, selector)
        known: list[Any] = []

        def once(cotangents: Any) -> Any:
            known.append(pull(cotangents))
            return known[0]

        return outputs, once, aux


class PushforwardOfTheFirst(AutogradBackend):
    def pushforward(self, function: Any, leaves: Arrays, tangents: Arrays, selector: Any) -> Any:
        first = (tangents[0], *(t * 0 for t in tangents[1:]))
        return super().pushforward(function, leaves, first, selector)


class RulesIgnored(AutogradBackend):
    def custom_rule(self, rule: Any) -> Any:
        return rule.plain


class ClaimsWithoutWorking(AutogradBackend):
    capabilities = AutogradBackend.capabilities | {Capability.VMAP}


class WorksWithoutClaiming(AutogradBackend):
    capabilities = AutogradBackend.capabilities - {Capability.VMAP}

    def vmap(self, function: Any, arguments: Arrays, selector: Any) -> Any:
        return function(*arguments)


class SecondOrderZero(AutogradBackend):
    """Cuts the graph between two derivatives."""

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        value, gradients, aux = super().value_and_gradient(function, leaves, selector)
        return value, tuple(map(self.stop_gradient, gradients)), aux


# --- kernels, staging and updates -----------------------------------------------------------------


def _kernel(name: str, change: Callable[[Any], Any]) -> type[AutogradBackend]:
    """A mutant whose kernel `name` is `change(x, ...)`'s."""

    class Mutant(AutogradBackend):
        kernels = MappingProxyType({**AutogradBackend.kernels, name: change})

    return Mutant


_XP = AutogradBackend().namespace


def _relu_of_one_at_zero(x: Any, /) -> Any:
    return _XP.where(x >= 0, x, _XP.zeros_like(x))


def _sigmoid_without_tail(x: Any, /) -> Any:
    y = ops.sigmoid.neutral(x)
    return _XP.where(x < -20, _XP.zeros_like(y), y)


def _softmax_of_the_last_axis(x: Any, /, dim: int = -1) -> Any:
    return ops.softmax.neutral(x, -1)


def _slightly_steep_huber(p: Any, t: Any, rule: Any, *dim: Any, **settings: Any) -> Any:
    y = mean_of_items.neutral(p, t, rule, *dim, **settings)
    is_huber = rule.__name__ == "huber_error"
    return y + 1e-10 * (y - AutogradBackend().stop_gradient(y)) if is_huber else y


class StageIgnoresLaterShapes(AutogradBackend):
    def stage(self, function: Any, *_: Any, **__: Any) -> Any:
        statics: list[Any] = []

        def staged(*groups: Any) -> Any:
            result, static = function(*groups)
            statics.append(static)
            return result, statics[0]

        return staged


class StageFreezesNumbers(AutogradBackend):
    def stage(self, function: Any, *_: Any, **__: Any) -> Any:
        frozen: list[Any] = []

        def staged(*groups: Any) -> Any:
            frozen.extend(group for group in groups if isinstance(group, Numbers))
            return function(*[frozen[0] if isinstance(g, Numbers) else g for g in groups])

        return staged


class StepJoinsInAnotherOrder(AutogradBackend):
    def stage_step(
        self, gradient: Any, update: Any, *_: Any, can_join: bool = False, **__: Any
    ) -> Any:
        xp = self.namespace

        def join(arrays: Any) -> Any:
            return (xp.concat([xp.reshape(a, (-1,)) for a in arrays]),)

        def step(carry: Any, numbers: Any, *groups: Any) -> Any:
            outputs, gradients, static = gradient(carry[0], *groups)
            if not can_join:
                return (outputs, update(carry, gradients, numbers)), static
            (parameters,), _ = update(
                (join(carry[0]), tuple(map(join, carry[1]))), join(gradients[::-1]), numbers
            )
            new, start = [], 0
            for array in carry[0]:
                new.append(xp.reshape(parameters[start : start + array.size], array.shape))
                start += array.size
            return (outputs, (tuple(new), carry[1])), static

        return step


class Updates(AutogradBackend):
    """Base of the mutants that change fused updates."""

    def fused_update(self, rule: Any, in_place: bool, selector: Any) -> Any:
        update = super().fused_update(rule, in_place, selector)
        return None if update is None else self.changed(update, rule)

    def changed(self, update: Any, rule: Any) -> Any:
        raise NotImplementedError


class BiasCorrectionOff(Updates):
    """As float32 would have it."""

    def changed(self, update: Any, rule: Any) -> Any:
        return lambda p, g, slots, count: update(p, g, slots, max(count, 2))


class UpdateOverwritesGradients(Updates):
    def changed(self, update: Any, rule: Any) -> Any:
        def overwriting(p: Any, g: Any, slots: Any, count: int) -> Any:
            result = update(p, g, slots, count)
            for gradient in g:
                gradient._data[...] *= 2
            return result

        return overwriting


class PureUpdateInPlace(AutogradBackend):
    def fused_update(self, rule: Any, in_place: bool, selector: Any) -> Any:
        return super().fused_update(rule, True, selector)


class SlotsForgotten(Updates):
    def changed(self, update: Any, rule: Any) -> Any:
        def forgetting(p: Any, g: Any, slots: Any, count: int) -> Any:
            parameters, _ = update(p, g, tuple(slots), count)
            return parameters, tuple(tuple(a * 0 for a in slot) for slot in slots)

        return forgetting


class ResultsShareBuffers(AutogradBackend):
    """Hands out views of the parameters' flat buffers."""

    def value_and_gradient(self, function: Any, leaves: Arrays, selector: Any) -> Any:
        return plain_value_and_gradient(function, leaves)


MUTANTS: dict[str, tuple[type[AutogradBackend], tuple[str, ...]]] = {
    "gradient zero": (gradients(lambda g, p: g * 0), ("gradient/quadratic [float64]",)),
    "sign flipped": (gradients(lambda g, p: -g), ("gradient/network [float32]",)),
    "factor two missing": (gradients(lambda g, p: g / 2), ("gradient/quadratic [float32]",)),
    "mean for sum": (gradients(lambda g, p: g / max(g.size, 1)), ("gradient/linear [float64]",)),
    "stale closure": (
        StaleClosure, ("objective/new closures", "objective/changing closure"),
    ),
    "aliased gradient buffer": (AliasedBuffer, ("purity/gradients are fresh",)),
    "None for an unused leaf": (NoneForUnused, ("gradient/unused leaves [float64]",)),
    "float64 computed in float32": (
        ComputedInFloat32, ("gradient/quadratic [float64]", "gradient/logsumexp [float64]"),
    ),
    "float32 result in float64": (
        gradients(lambda g, p: g.astype(np.float32)), ("gradient/quadratic [float64]",),
    ),
    "relative error of 1e-10 in one loss": (
        _kernel("mean_of_items", _slightly_steep_huber),
        ("loss/HuberLoss [float64]", "training/with HuberLoss"),
    ),
    "input mutated": (InputMutated, ("purity/inputs stay",)),
    "state not advanced": (StateNotAdvanced, ("objective/states and odd stats",)),
    "global flag left changed": (
        _careless(lambda: np.seterr(divide="ignore")), ("purity/global settings",),
    ),
    "exception swallowed": (ExceptionSwallowed, ("error/a user's exception passes",)),
    "wrong only at kinks": (
        _kernel("relu", _relu_of_one_at_zero), ("kink/relu: 0 at and below 0", "kernel/relu"),
    ),
    "wrong only on the second call": (WrongOnTheSecondCall, ("modifier/second call",)),
    "wrong only in a thread": (
        WrongInAThread, ("modifier/other thread", "mode/value_and_gradient"),
    ),
    # Those above are the issue's; these are further ways to be wrong.
    "wrong only in float32": (
        gradients(lambda g, p: g * (1 + 1e-5 * (g.dtype == np.float32)).astype(g.dtype)),
        ("gradient/quadratic [float32]",),
    ),
    "wrong only for 0-d leaves": (
        gradients(lambda g, p: g * 2 if g.ndim == 0 else g), ("gradient/0-d leaves [float64]",),
    ),
    "wrong only for empty leaves": (
        gradients(lambda g, p: g.reshape(-1) if not g.size else g),
        ("gradient/empty leaves [float64]",),
    ),
    "wrong only for large leaves": (
        gradients(lambda g, p: g * 1.5 if g.size > 2000 else g),
        ("gradient/a large leaf [float64]",),
    ),
    "wrong only at zeros": (
        gradients(lambda g, p: np.where(p._data == 0, 0, g).astype(g.dtype)),
        ("gradient/linear [float64]",),
    ),
    "wrong only after the tenth leaf": (WrongAfterTen, ("gradient/many leaves [float64]",)),
    "leaves swapped": (LeavesSwapped, ("gradient/non-homogeneous [float64]",)),
    "transposed": (
        gradients(lambda g, p: g.T.reshape(g.shape)), ("gradient/quadratic [float64]",),
    ),
    "NaN turned into zero": (ToHostHidesNaN, ("array/there and back",)),
    "stale data": (StaleData, ("objective/changing data",)),
    "two gradients in one buffer": (GradientIsTheLeafsMemory, ("purity/gradients are fresh",)),
    "aux zero": (AuxZero, ("objective/states and odd stats", "mode/value_and_gradient")),
    "gradient of aux": (
        GradientOfAux, ("objective/states and odd stats", "mode/value_and_gradient"),
    ),
    "aux is traced": (AuxIsTraced, ("objective/aux is constant",)),
    "environment changed": (
        _careless(lambda: os.environ.__setitem__("POLYLUX_MUTANT", "1")),
        ("purity/settings since loading",),
    ),
    "random state used": (_careless(random.random), ("purity/global settings",)),
    "numpy's random state used": (
        _careless(lambda: np.random.rand()), ("purity/global settings",),  # noqa: NPY002
    ),
    "warnings silenced": (
        _careless(lambda: warnings.simplefilter("ignore")), ("purity/global settings",),
    ),
    "flag left after an error": (FlagLeftAfterAnError, ("purity/global settings",)),
    "exception wrapped": (ExceptionWrapped, ("error/a user's exception passes",)),
    "exception copied": (ExceptionCopied, ("error/a user's exception passes",)),
    "wrong after an error": (WrongAfterAnError, ("error/late failures",)),
    "tracing for ever": (TracingForEver, ("error/late failures",)),
    "threads mixed": (ThreadsMixed, ("threads/gradients at once",)),
    "to_host rounds": (ToHostRounds, ("array/there and back",)),
    "from_host aliases": (FromHostAliases, ("array/nothing is shared",)),
    "from_host ignores strides": (
        FromHostIgnoresStrides, ("array/there and back", "modifier/strided input"),
    ),
    "from_host narrows": (FromHostNarrows, ("array/integers out of range",)),
    "copy aliases": (CopyAliases, ("array/nothing is shared",)),
    "devices differ": (EveryArrayIsElsewhere, ("array/devices",)),
    "stop_gradient does nothing": (StopGradientDoesNothing, ("mode/stop_gradient",)),
    "stop_gradient is zero": (StopGradientZero, ("mode/stop_gradient",)),
    "pullback of the first output": (PullbackOfTheFirst, ("mode/pullback", "mode/adjoint")),
    "pullback works once": (PullbackOnce, ("mode/pullback",)),
    "pushforward of the first leaf": (
        PushforwardOfTheFirst, ("mode/pushforward", "mode/adjoint"),
    ),
    "rules ignored": (RulesIgnored, ("mode/custom rule",)),
    "claims what it lacks": (ClaimsWithoutWorking, ("contract/members", "mode/vmap")),
    "works without claiming": (WorksWithoutClaiming, ("contract/unclaimed",)),
    "second order zero": (
        SecondOrderZero, ("second/Hessian of quadratic", "second/gradient penalty"),
    ),
    "kernel without a tail": (_kernel("sigmoid", _sigmoid_without_tail), ("kernel/sigmoid",)),
    "kernel ignores an option": (
        _kernel("softmax", _softmax_of_the_last_axis), ("kernel/softmax",),
    ),
    "stage ignores later shapes": (StageIgnoresLaterShapes, ("staging/shapes and numbers",)),
    "stage freezes numbers": (
        StageFreezesNumbers, ("staging/shapes and numbers", "staging/carried groups"),
    ),
    "step joins in another order": (StepJoinsInAnotherOrder, ("staging/carried groups",)),
    "bias correction off": (BiasCorrectionOff, ("training/Adam", "training/update: Adam")),
    "update overwrites gradients": (
        UpdateOverwritesGradients, ("training/update: SGD", "training/SGD"),
    ),
    "pure update in place": (PureUpdateInPlace, ("training/update: SGD",)),
    "slots forgotten": (
        SlotsForgotten, ("training/SGD, momentum", "training/update: SGD, momentum"),
    ),
    "results share buffers": (ResultsShareBuffers, ("training/results stay",)),
}  # fmt: skip
