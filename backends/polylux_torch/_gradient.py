"""Derivatives, eager: value_and_gradient, pullback and pushforward.

`torch.autograd.grad` on leaves of our own: `torch.func`, used where nothing else works (inside a
transformation of its own, such as vmap), is 2.5 times slower. A call
that stands inside another derivative differentiates by an alias of each leaf and keeps its graph,
so that the outer derivative flows through; a call at the top returns constants.
"""

from __future__ import annotations

import functools
import importlib
import operator
import threading
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.autograd import forward_ad as _forward_ad

from polylux.errors import LeakedTracerError
from polylux_torch import _functional
from polylux_torch._beginning import beginning_of
from polylux_torch._state import STATE

Arrays = tuple[Any, ...]
Function = Callable[..., tuple[Any, Arrays]]
Map = Callable[..., tuple[Arrays, Arrays]]
Pull = Callable[[Arrays], Arrays]


forward_ad: Any = _forward_ad  # torch leaves it without annotations


LEAKED = (
    "a value of a trace that has ended was used again: under AutoTorch(compile=...) an objective "
    "must not keep values in lists, globals or attributes; return them in the stats"
)


# The level of dual numbers is a global of torch's, which ends for all threads when one leaves it.
_DUAL_NUMBERS = threading.RLock()

# `torch.autograd.grad` costs 12 us of Python around this call, a fifth of a small model's step.
_run_backward = torch.autograd.Variable._execution_engine.run_backward


def is_tracing() -> bool:
    """Whether this thread is inside a derivative or a trace."""
    return STATE.depth > 0 or STATE.staging or _functional.is_functional()


def value(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """`function(*arguments)`, without a graph unless an outer derivative needs it."""
    if STATE.depth:
        return function(*arguments)
    # Results that inference mode has made could not take part in a later derivative.
    with torch.inference_mode(False), torch.no_grad():
        leaves = [leaf for group in arguments for leaf in _tensors_of(group)]
        return _all_constant(function(*arguments), tuple(leaves))


def _tensors_of(group: Any) -> Sequence[Any]:
    return group if isinstance(group, tuple) else (group,)


def _all_constant(result: Any, leaves: Arrays) -> Any:
    """Nested tuples with every tensor made a constant, apart from the leaves' memory."""
    if isinstance(result, torch.Tensor):
        return next(_constants((result,), leaves))
    if type(result) is tuple:
        return tuple(_all_constant(part, leaves) for part in result)
    return result


def value_and_gradient(
    function: Function, leaves: Arrays, selector: object = None
) -> tuple[Any, Arrays, Arrays]:
    """Value, gradients by the leaves, and auxiliary output; the same for every selector."""
    if _functional.is_functional():
        return _functional.value_and_gradient(function, leaves)
    if torch.is_inference_mode_enabled():
        with torch.inference_mode(False):
            return value_and_gradient(function, _recordable(leaves))
    nested = _is_nested(leaves)
    tracked = _aliases(leaves) if nested else _tracked(leaves)
    value, aux = _call(function, tracked)
    if nested:
        return value, _attached_gradients((value,), tracked, None), aux
    if isinstance(value, FakeTensor) and not STATE.staging:
        raise LeakedTracerError(LEAKED)
    found: Sequence[Any] = (None,) * len(leaves)
    if value.requires_grad:
        ends, cotangents = beginning_of(value)
        found = _run_backward(
            ends, cotangents, False, False, tuple(tracked),
            allow_unreachable=True, accumulate_grad=False,
        )  # fmt: skip
    gradients = _filled(found, leaves) if STATE.staging else _apart(found, leaves)
    if not aux and not value.is_leaf and not value._is_view():
        return value.detach(), gradients, ()
    value, *rest = _constants((value, *aux), leaves)
    return value, gradients, tuple(rest)


def pullback(function: Map, leaves: Arrays) -> tuple[Arrays, Pull, Arrays]:
    """Outputs, the map from their cotangents to those of the leaves, and auxiliary output."""
    if _functional.is_functional():
        return _functional.pullback(function, leaves)
    if torch.is_inference_mode_enabled():
        with torch.inference_mode(False):
            return pullback(function, _recordable(leaves))
    nested = _is_nested(leaves)
    tracked = _aliases(leaves) if nested else _tracked(leaves)
    outputs, aux = _call(function, tracked)

    def pull(cotangents: Arrays) -> Arrays:
        with torch.inference_mode(False):
            if nested or (torch.is_grad_enabled() and _any_tracked(cotangents)):
                return _attached_gradients(outputs, tracked, cotangents)
            found: Sequence[Any] = (None,) * len(leaves)
            if _any_tracked(outputs):
                present, seeds = _on_graph(outputs, cotangents)
                found = torch.autograd.grad(
                    present, tracked, seeds, retain_graph=True, allow_unused=True
                )
            return _fresh(found, leaves)

    if nested:
        return outputs, pull, aux
    constants = tuple(_constants((*outputs, *aux), leaves))
    return constants[: len(outputs)], pull, constants[len(outputs) :]


def pushforward(
    function: Map, leaves: Arrays, tangents: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    """Outputs, their derivatives along the tangents, and auxiliary output."""
    if torch.is_inference_mode_enabled():
        with torch.inference_mode(False):
            return pushforward(function, _recordable(leaves), _recordable(tangents))
    by_duals, by_pullbacks = _pushforward_by_duals, _pushforward_by_pullbacks
    if _functional.is_functional():
        by_duals, by_pullbacks = _functional.pushforward, _functional.pushforward_by_pullbacks
    if STATE.forward:
        return by_pullbacks(function, leaves, tangents)
    _load_forward_rules()
    try:
        with _DUAL_NUMBERS:
            return by_duals(function, leaves, tangents)
    except NotImplementedError:
        # Some operations of torch have no forward rule; one of the user's own errors comes again.
        return by_pullbacks(function, leaves, tangents)


def _pushforward_by_duals(
    function: Map, leaves: Arrays, tangents: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    nested = _is_nested(leaves)
    with forward_ad.dual_level(), torch.set_grad_enabled(nested):
        duals = [
            forward_ad.make_dual(leaf.view_as(leaf) if nested else leaf.detach(), tangent)
            for leaf, tangent in zip(leaves, tangents, strict=True)
        ]
        STATE.forward = True
        STATE.depth += 1
        try:
            results, aux = function(*duals)
        finally:
            STATE.depth -= 1
            STATE.forward = False
        pairs = [forward_ad.unpack_dual(dual) for dual in results]
        outputs = tuple(pair.primal for pair in pairs)
        derivatives = tuple(
            torch.zeros_like(pair.primal) if pair.tangent is None else pair.tangent
            for pair in pairs
        )
        aux = tuple(forward_ad.unpack_dual(array).primal for array in aux)
        if nested:
            return outputs, derivatives, aux
    constants = tuple(_constants((*outputs, *aux), leaves))
    return (
        constants[: len(outputs)],
        tuple(_constants(derivatives, tangents)),
        constants[len(outputs) :],
    )


@functools.cache
def _load_forward_rules() -> None:
    """Import what torch's first dual number would, without the warning that torch gives itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch._decomp.decompositions_for_jvp")


def _pushforward_by_pullbacks(
    function: Map, leaves: Arrays, tangents: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    """Forward mode as the derivative of a pullback, which is linear, by its cotangents."""
    nested = _is_nested(leaves)
    tracked = _aliases(leaves) if nested else _tracked(leaves)
    outputs, aux = _call(function, tracked)
    with torch.enable_grad():
        cotangents = tuple(torch.zeros_like(output).requires_grad_() for output in outputs)
        pulled = _attached_gradients(outputs, tracked, cotangents)
    derivatives = _attached_gradients(pulled, cotangents, tangents)
    if nested:
        return outputs, derivatives, aux
    constants = tuple(_constants((*outputs, *aux), leaves))
    derivatives = tuple(derivative.detach() for derivative in derivatives)
    return constants[: len(outputs)], derivatives, constants[len(outputs) :]


def _is_nested(leaves: Arrays) -> bool:
    """Whether an outer derivative may flow through: ours, or one that the user runs with torch."""
    if STATE.depth:
        return True
    # A tensor that hangs on a graph is a value of a derivative; a leaf that requires a gradient,
    # such as torch.nn.Parameter, is only a parameter.
    if any(map(_requires_grad, leaves)) and not all(leaf.is_leaf for leaf in leaves):
        return torch.is_grad_enabled()
    return False


def _tracked(leaves: Arrays) -> list[Any]:
    """Tensors of the same memory, of which a graph is recorded."""
    if STATE.staging:
        return [leaf.detach().requires_grad_() for leaf in leaves]
    # At half the cost of `detach`, which also has a common count of changes in place.
    tracked = [leaf.data for leaf in leaves]
    for tensor in tracked:
        tensor.requires_grad = True
    return tracked


def _aliases(leaves: Arrays) -> list[Any]:
    """Other tensors of the same values, on the graph and with the tangents of the leaves.

    A derivative by the alias leaves out what reaches the value by another way than this call.
    """
    with torch.enable_grad():
        aliases = [leaf.view_as(leaf) for leaf in leaves]
    return [a if a.requires_grad else a.requires_grad_() for a in aliases]


def _call(function: Function, tracked: Sequence[Any]) -> tuple[Any, Arrays]:
    state = STATE
    state.depth += 1
    try:
        if torch.is_grad_enabled():
            return function(*tracked)
        with torch.enable_grad():
            return function(*tracked)
    finally:
        state.depth -= 1


def _any_tracked(tensors: Arrays) -> bool:
    return any(tensor.requires_grad for tensor in tensors)


def _on_graph(outputs: Arrays, cotangents: Arrays) -> tuple[Arrays, Arrays]:
    """The outputs that depend on anything, and their cotangents: torch refuses the others."""
    pairs = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o.requires_grad]
    return tuple([output for output, _ in pairs]), tuple([cotangent for _, cotangent in pairs])


def _attached_gradients(
    outputs: Arrays, tracked: Sequence[Any], cotangents: Arrays | None
) -> Arrays:
    if not _any_tracked(outputs):
        return tuple(torch.zeros_like(a) for a in tracked)
    ends: Sequence[Any] = outputs
    seeds: Sequence[Any] | None = cotangents
    if cotangents is not None:
        ends, seeds = _on_graph(outputs, cotangents)
    return torch.autograd.grad(
        ends, tracked, seeds, create_graph=True, allow_unused=True, materialize_grads=True
    )


def _fresh(found: Sequence[Any], leaves: Arrays) -> Arrays:
    """Gradients in buffers of their own: dense, and shared neither among them nor with a leaf."""
    # In a trace there is no memory to be shared, and in vmap none that can be asked for: what comes
    # out of either is seen to there.
    if STATE.staging or _functional.is_functional():
        return _filled(found, leaves)
    return _apart(found, leaves)


def _filled(found: Sequence[Any], leaves: Arrays) -> Arrays:
    """The gradients, with zeros where there is none."""
    return tuple(
        torch.zeros_like(leaf) if gradient is None else gradient
        for gradient, leaf in zip(found, leaves, strict=True)
    )


def _apart(found: Sequence[Any], leaves: Arrays) -> Arrays:
    """`_fresh`, where there is memory to be looked at."""
    if types.NoneType not in map(type, found):  # mostly all is well at once
        places = {*map(_address, leaves), *map(_address, found)}
        if len(places) == 2 * len(found):
            found = tuple(map(_contiguous, found))
            for gradient in found:
                if _is_view(gradient) and gradient._base.numel() != gradient.numel():
                    break
            else:
                return found
    gradients: list[Any] = []
    taken = set(map(_address, leaves))
    for gradient, leaf in zip(found, leaves, strict=True):
        if gradient is None:
            gradient = torch.zeros_like(leaf, memory_format=torch.contiguous_format)
            place = gradient.data_ptr()
        elif (
            (place := gradient.data_ptr()) in taken  # both terms of a sum may get the same tensor
            or not gradient.is_contiguous()  # a sum's gradient is one number with strides of zero
            or (gradient._is_view() and gradient._base.numel() != gradient.numel())
        ):
            gradient = gradient.clone(memory_format=torch.contiguous_format)
            place = gradient.data_ptr()
        taken.add(place)
        gradients.append(gradient)
    return tuple(gradients)


_requires_grad = operator.attrgetter("requires_grad")
_address = torch.Tensor.data_ptr
_contiguous = torch.Tensor.contiguous
_is_view = torch.Tensor._is_view


def _constants(arrays: Arrays, leaves: Arrays) -> Iterator[Any]:
    """Arrays off the graph; copies of those that share memory with a leaf, which may change."""
    storages: set[int] | None = None
    for array in arrays:
        constant = array.detach()
        if not STATE.staging and (array.is_leaf or array._is_view()):
            if storages is None:
                storages = {leaf.untyped_storage().data_ptr() for leaf in leaves}
            if array.untyped_storage().data_ptr() in storages:
                constant = constant.clone()
        yield constant


def _recordable(arrays: Arrays) -> Arrays:
    """What inference mode has made, as tensors that may be saved for a backward pass."""
    return tuple(a.clone() if a.is_inference() else a for a in arrays)
