"""Backend: the abstract class between the core and one framework."""

from __future__ import annotations

import contextlib
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from polylux.backend._capability import Accuracy, Capability
from polylux.backend._directions import each_unit_direction, unit_directions
from polylux.backend._rule import DerivativeRule
from polylux.errors import DTypeError, PolyluxError, UnsupportedError

if TYPE_CHECKING:
    import numpy as np

    from polylux.selectors import ADType

CONTRACT_VERSION = 1
"""Raised when a plugin written for the former version would no longer work."""

Arrays = tuple[Any, ...]
Function = Callable[..., tuple[Any, Arrays]]
"""`function(*leaves) -> (value, aux)`: `value` a 0-d real array, `aux` a tuple of arrays."""

Map = Callable[..., tuple[Arrays, Arrays]]
"""`function(*leaves) -> (outputs, aux)`: tuples of arrays; outputs are real floating."""

Pull = Callable[[Arrays], Arrays]
"""`pull(cotangents)`: one cotangent for each output, like it; gives one for each leaf."""

Staged = Callable[..., tuple[Any, Any]]
"""`function(*groups) -> (groups, static)`; see `Backend.stage`."""

Gradient = Callable[..., tuple[Any, Arrays, Any]]
"""`gradient(parameters, *groups) -> (outputs, gradients, static)`; see `Backend.stage_step`."""

StepUpdate = Callable[[Any, Arrays, Sequence[Any]], Any]
"""`update(carry, gradients, numbers) -> carry`; see `Backend.stage_step`."""

Update = Callable[[Arrays, Arrays, tuple[Arrays, ...], int], tuple[Arrays, tuple[Arrays, ...]]]
"""`update(parameters, gradients, slots, count) -> (parameters, slots)`."""


class Backend(ABC):
    """One framework, as the core sees it.

    An instance is made once per process, when the backend is first used; it holds no state of any
    user's run and is used from several threads. Methods get the *selector* of the call, whose
    options they may read. "Leaves" are arrays of this backend with a real floating dtype: the core
    keeps integer, boolean and non-array leaves, trees, tied leaves and constants to itself.

    Attributes
    ----------
    name : str
        Registered name.
    capabilities : frozenset of Capability
        What it claims; the conformance suite tests each claim.
    float64 : Accuracy
        Whether float64 is exact, nominal or absent.
    derivatives : Accuracy
        Whether derivatives are exact, or truncated as difference quotients are.
    kernels : mapping of str to callable
        Native kernels by name (`"relu"`, `"softmax"`, ...), each equal to the neutral definition
        of the same name, kinks included. The names, their signatures and meaning are those of the
        functions decorated with `native` in the core (`polylux.ops`, `polylux.losses`). A
        `PartialKernel` gets the neutral definition too.
    """

    name: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.GRADIENT})
    float64: ClassVar[Accuracy] = Accuracy.EXACT
    derivatives: ClassVar[Accuracy] = Accuracy.EXACT
    kernels: Mapping[str, Callable[..., Any]] = {}

    # --- arrays -----------------------------------------------------------------------------

    @property
    @abstractmethod
    def namespace(self) -> Any:
        """The array-API namespace for this backend's arrays, plain and traced."""

    @abstractmethod
    def owns(self, array_type: type) -> bool:
        """Whether values of this type are this backend's arrays or traced values."""

    @abstractmethod
    def from_host(self, arrays: Sequence[np.ndarray[Any, Any]], selector: ADType) -> list[Any]:
        """New arrays with the values and dtypes of host arrays, on the selector's device.

        Must not alias the host arrays, unless this backend's arrays can never be written to.
        Raises `DTypeError` for a dtype, and a value out of range, that it cannot represent.
        """

    @abstractmethod
    def to_host(self, arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        """Numpy arrays with the values and dtypes of this backend's arrays; may alias them."""

    @abstractmethod
    def stop_gradient(self, array: Any) -> Any:
        """The same value, as a constant for every derivative."""

    def copy(self, arrays: Sequence[Any], selector: ADType) -> list[Any]:
        """The same values in fresh buffers."""
        return self.from_host(self.to_host(arrays), selector)

    def to_device(self, arrays: Sequence[Any], selector: ADType) -> list[Any]:
        """This backend's own arrays where the selector wants them; the same objects if there."""
        return list(arrays)

    def from_foreign(self, arrays: Sequence[Any], selector: ADType) -> list[Any] | None:
        """Arrays of another framework taken over without the host (DLPack), or None.

        Must not alias them unless neither side can write; the core falls back to the host.
        """
        return None

    def device(self, array: Any) -> str:
        """Where an array lives, as a string that two arrays can be compared by."""
        return "cpu"

    def dtype(self, name: str) -> Any:
        """The dtype of that name, as this backend's arrays have it.

        A name of the standard, or `"bfloat16"`. Raises `DTypeError` if there is none.
        """
        found = getattr(self.namespace, name, None)
        if found is None:
            raise DTypeError(f"the backend {self.name!r} has no dtype {name}")
        return found

    def overwrite(self, target: Any, value: Any) -> bool:
        """Put `value` into the buffer of `target`, off every derivative; False if that cannot be.

        Both are this backend's arrays, of one shape, dtype and device. It cannot be where arrays
        are immutable, where `target` is part of a derivative's graph or its entries share memory,
        and where `value` is part of a graph that `target` does not ask for; nothing has changed
        then.
        """
        return False

    def is_tracing(self) -> bool:
        """Whether this thread is inside one of this backend's traces now."""
        return False

    def precision_scope(
        self, arrays: Sequence[Any]
    ) -> contextlib.AbstractContextManager[Any] | None:
        """A context in which these arrays keep their dtypes, or None where that needs none."""
        return None

    # --- values and derivatives: at least one of the last three ------------------------------

    def value(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        """`function(*arguments)` without derivatives.

        The arguments are groups (see `stage`); the arrays in the nested tuples that the function
        returns come back off any graph, in memory that no later update of the arguments reuses.
        """
        return function(*arguments)

    def value_and_gradient(
        self, function: Function, leaves: Arrays, selector: ADType
    ) -> tuple[Any, Arrays, Arrays]:
        """Value, gradient and auxiliary output of `function(*leaves) -> (value, aux)`.

        Returns
        -------
        value : 0-d array
        gradients : tuple of arrays
            One for each leaf, of its shape, dtype and device; zeros where the value does not
            depend on it. Fresh buffers: nothing else may alias them.
        aux : tuple of arrays
            Constants: no graph and no tracer of this call hangs on `value` and `aux`, except that
            inside another derivative of this backend they stay differentiable.
        """
        if type(self).pullback is not Backend.pullback:
            (value,), pull, aux = self.pullback(_as_map(function), leaves, selector)
            return value, pull((self.namespace.ones_like(value),)), aux
        if type(self).pushforward is not Backend.pushforward:
            return self.gradient_by_pushforward(function, leaves, selector)
        raise UnsupportedError(
            f"{selector!r} does not differentiate; choose a selector with a gradient, such as "
            "AutoTorch(), AutoJax() or AutoAutograd()"
        )

    def pullback(
        self, function: Map, leaves: Arrays, selector: ADType
    ) -> tuple[Arrays, Pull, Arrays]:
        """Outputs, the map from their cotangents to those of the leaves, and auxiliary output.

        Asked for where `Capability.REVERSE` is claimed. The map may be called any number of times,
        and with `Capability.SECOND_ORDER` it can itself be differentiated by the cotangents. What
        it gives is as `value_and_gradient` gives gradients: zeros where nothing depends on a leaf,
        in fresh buffers.
        """
        raise UnsupportedError(f"{selector!r} has no pullback (reverse mode)")

    def pushforward(
        self, function: Map, leaves: Arrays, tangents: Arrays, selector: ADType
    ) -> tuple[Arrays, Arrays, Arrays]:
        """Outputs, their derivatives along `tangents`, and auxiliary output.

        Asked for where `Capability.FORWARD` is claimed. The tangents have the leaves' shapes and
        dtypes, the derivatives those of the outputs; zeros where an output depends on no leaf.
        """
        raise UnsupportedError(f"{selector!r} has no pushforward (forward mode)")

    @property
    def has_reverse_gradient(self) -> bool:
        """Whether a gradient takes one sweep, and not a pushforward for each entry."""
        own = type(self)
        return (
            own.value_and_gradient is not Backend.value_and_gradient
            or own.pullback is not Backend.pullback
        )

    @property
    def has_both_modes(self) -> bool:
        """Whether a selector's `mode` is a choice."""
        return {Capability.FORWARD, Capability.REVERSE} <= self.capabilities

    def calls_of_pushforward(self, selector: ADType) -> int:
        """How often `pushforward` calls its function: differences need more than one value."""
        return 1

    def gradient_by_pushforward(
        self, function: Function, leaves: Arrays, selector: ADType
    ) -> tuple[Any, Arrays, Arrays]:
        """What `value_and_gradient` gives, by one pushforward for each entry of each leaf.

        Right, and slow; not meant to be overridden.
        """
        xp = self.namespace
        outputs = _as_map(function)
        sizes = [math.prod(leaf.shape) for leaf in leaves]

        def along(*tangents: Any) -> Arrays:
            (value,), (slope,), aux = self.pushforward(outputs, leaves, tangents, selector)
            return value, slope, *aux

        if sum(sizes) > 1 and Capability.VMAP in self.capabilities:
            stacked = self.vmap(along, unit_directions(xp, leaves), selector)
            value, *aux = (array[0, ...] for array in (stacked[0], *stacked[2:]))
            slopes = stacked[1]
        else:
            found = [along(*direction) for direction in each_unit_direction(xp, leaves)]
            if not found:
                found = [along(*map(xp.zeros_like, leaves))]
            value, _, *aux = found[0]
            slopes = xp.stack([slope for _, slope, *_ in found])
        gradients = []
        for leaf, size, end in zip(leaves, sizes, itertools.accumulate(sizes), strict=True):
            entries = slopes[end - size : end]
            gradients.append(xp.astype(xp.reshape(entries, leaf.shape), leaf.dtype))
        return value, tuple(gradients), tuple(aux)

    # --- derivatives by hand, and transformations: each with its capability --------------------

    def custom_rule(self, rule: DerivativeRule) -> Callable[..., Any]:
        """`rule.plain` as a function whose derivatives are the rule's.

        Asked for once for each rule, where `Capability.CUSTOM_RULES` is claimed. The result takes
        the operands (arrays of this backend, plain or traced) and the settings (keywords), and
        returns what `rule.plain` does. Differentiating it in either mode, to any order, under
        this backend's `stage`, `vmap` and nested derivatives, uses the rule.
        """
        raise UnsupportedError(f"the backend {self.name!r} has no custom rules")

    def checkpoint(
        self, function: Callable[..., Arrays], arguments: Arrays, selector: ADType
    ) -> Arrays:
        """`function(*arguments)`, a tuple of arrays, computed again where a backward pass needs it.

        Asked for where `Capability.CHECKPOINT` is claimed. The arguments are arrays of any dtype.
        """
        raise UnsupportedError(f"{selector!r} has no checkpoint")

    def vmap(
        self, function: Callable[..., Arrays], arguments: Arrays, selector: ADType
    ) -> Arrays:
        """`function` of the items along the first axis of each argument; results are stacked there.

        Asked for where `Capability.VMAP` is claimed. `function(*items)` returns a tuple of arrays;
        what it captures is not mapped over.
        """
        raise UnsupportedError(f"{selector!r} has no vmap")

    # --- speed: each may stay as it is --------------------------------------------------------

    def stage(self, function: Staged, selector: ADType) -> Staged:
        """A function that does what `function` does, perhaps traced or compiled.

        `function(*groups)` takes groups and returns `(groups, static)`: a group is an array or a
        tuple of groups, those returned hold arrays of this backend only, and `static` is one
        opaque Python object.

        A staged function may run `function` once for each combination of shapes and dtypes and
        replay its array work afterwards; it must then return the `static` of the trace that it
        replays. Inside, the core calls this backend's `value_and_gradient` and array code, and
        ordinary Python (trees, checks, a user's objective).
        """
        return function

    def stage_step(
        self,
        gradient: Gradient,
        update: StepUpdate,
        selector: ADType,
        *,
        can_join: bool = False,
        donated: bool = False,
    ) -> Staged:
        """A training step made of these two parts, staged as one function.

        What is returned is `step(carry, numbers, *groups) -> ((outputs, carry), static)`. The carry
        is `(parameters, slots)`, a tuple of arrays and a tuple of such tuples, and the next call
        gets what this one returns. There a staged step may return any sequence of the two, so that
        a backend can keep them in a form of its own (one flat buffer) until someone looks into it;
        it gets a carry in that form, or as tuples. `numbers` are a `Numbers`, such as the learning
        rate: these floats change from call to call and must not become constants of a trace.

        `gradient(parameters, *groups)` gives `(outputs, gradients, static)`, as `stage` has it of a
        function, with one gradient for each parameter. `update(carry, gradients, numbers)` gives
        the new carry, of the same shapes and dtypes; it gets a sequence of floats or 0-d arrays for
        the numbers.

        `can_join` says that the update does the same to each entry, whatever array it is in: it
        may get, and gives back, a carry whose arrays are joined in longer ones, with gradients
        joined alike. `donated` says that the buffers of a carry may be reused for the next one; the
        caller never reads them again. Only asked for where `Capability.DONATION` is claimed.
        """
        return self.stage(in_turn(gradient, update), selector)

    def compile(
        self, function: Callable[..., Arrays], leaves: Sequence[Any], selector: ADType
    ) -> Callable[..., Arrays] | None:
        """A function of arrays that the framework compiles, and whose arguments it compares.

        `function(*leaves)` returns a tuple of arrays. What is returned is called with arrays that
        `owns` knows, in their number, and raises `TypeError` or `ValueError` before it computes
        anything if a shape, a dtype or a device is not that of `leaves`. It never runs `function`
        again. A prepared operator is called through it, with nothing else on the way. None, where
        the framework has no such thing; only asked for where `is_staged` says so.
        """
        return None

    def is_staged(self, selector: ADType) -> bool:
        """Whether `stage` traces under this selector, so that Python values are constants of it."""
        return False

    def fused_update(self, rule: Any, in_place: bool, selector: ADType) -> Update | None:
        """An optimizer update faster than the rule's own array code, or None.

        `rule` is a frozen optimizer rule of `polylux.optimizers`; a backend knows it by its
        `kind` and reads its hyper-parameters; those named in `rule.scheduled` may be schedules,
        and `rule.value(name, count)` is the number. With `in_place` the buffers of parameters and
        slots may be overwritten. Must give the numbers of the rule's own `update`, to rounding.
        The returned callable is kept as long as the train state's cache and may keep buffers of
        its own between calls.
        """
        return None

    # --- errors -------------------------------------------------------------------------------

    def diagnose(self, error: BaseException) -> PolyluxError | None:
        """A clearer error for one that the framework raised in a user's objective, or None.

        For mistakes that come from using several frameworks, such as a numpy constant in a traced
        expression. Anything else is the user's own and passes through as it is.
        """
        return None


def in_turn(gradient: Gradient, update: StepUpdate) -> Staged:
    """A step that runs its two parts one after the other."""

    def step(carry: Any, numbers: Sequence[Any], *groups: Any) -> tuple[Any, Any]:
        outputs, gradients, static = gradient(carry[0], *groups)
        return (outputs, update(carry, gradients, numbers)), static

    return step


def _as_map(function: Function) -> Map:
    def outputs(*leaves: Any) -> tuple[Arrays, Arrays]:
        value, aux = function(*leaves)
        return (value,), aux

    return outputs
