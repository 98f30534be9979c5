"""Optimizer updates by torch's kernels for many tensors at once, on plain tuples of tensors.

There is no `torch.optim.Optimizer`: its own Python costs as much as a small model's backward pass.
The kernels work out bias corrections in double precision, as the neutral rules do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch

from polylux_torch import _foreach
from polylux_torch._namespace import namespace
from polylux_torch._state import unrecorded

Arrays = tuple[Any, ...]
Update = Callable[[Arrays, Arrays, tuple[Arrays, ...], int], tuple[Arrays, tuple[Arrays, ...]]]
Apply = Callable[[Arrays, int], None]
"""`apply(gradients, count)`: an update of the tensors that it is bound to."""

Kernel = Callable[[list[Any], list[list[Any]]], Apply]
"""`kernel(parameters, slots)`: the update bound to these, which are of one dtype."""

# Between these no square of an entry vanishes or overflows in float32 so that it would show.
_SMALLEST_NORM, _LARGEST_NORM = 1e-12, 1e12


def fused_update(rule: Any, in_place: bool) -> Update | None:
    """The update of a rule by a fused kernel, or None if there is none for its kind."""
    if rule.kind in _COMPOSED:
        return _COMPOSED[rule.kind](rule, in_place)
    make = _KERNELS.get(rule.kind)
    return None if make is None else _update_by(make(rule), in_place)


def _update_by(kernel: Kernel, in_place: bool) -> Update:
    # Of the latest call in place, which the next one mostly continues: what it returned, and the
    # kernel bound to that. Replaced as a whole, since several threads may step.
    known: tuple[Any, Any, Apply] | None = None

    def update(
        parameters: Arrays, gradients: Arrays, slots: tuple[Arrays, ...], count: int
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        nonlocal known
        # Kernels walk memory without looking at strides, so all must be contiguous.
        if not all(map(_is_contiguous, gradients)):
            gradients = tuple(g.contiguous() for g in gradients)
        latest = known
        if latest is None or latest[0] is not parameters or latest[1] is not slots:
            groups = (parameters, *slots)
            if not (in_place and all(map(_is_contiguous, itertools.chain(*groups)))):
                with torch.inference_mode(False):
                    parameters = _copies(parameters)
                    slots = tuple(map(_copies, slots))
            latest = (parameters, slots, _by_dtype(kernel, parameters, slots))
            if in_place:
                known = latest
        unrecorded(latest[2], gradients, count)
        return parameters, slots

    return update


_is_contiguous = torch.Tensor.is_contiguous


def _by_dtype(kernel: Kernel, parameters: Arrays, slots: tuple[Arrays, ...]) -> Apply:
    """The kernel bound to these, of which each call takes one dtype only."""
    kinds = {p.dtype: None for p in parameters}  # none at all: kernels refuse empty lists
    if len(kinds) == 1:
        return kernel(list(parameters), [list(slot) for slot in slots])
    bound = []
    for kind in kinds:
        places = [i for i, p in enumerate(parameters) if p.dtype is kind]
        own = [[slot[i] for i in places] for slot in slots]
        bound.append((places, kernel([parameters[i] for i in places], own)))

    def apply(gradients: Arrays, count: int) -> None:
        for places, part in bound:
            part(tuple([gradients[i] for i in places]), count)

    return apply


def _sgd(rule: Any) -> Kernel:
    momentum, nesterov = rule.momentum, rule.nesterov

    def bind(parameters: list[Any], slots: list[list[Any]]) -> Apply:
        def apply(gradients: Arrays, count: int) -> None:
            # A buffer of zeros gives torch's first step too: there is no first step to tell apart.
            torch._fused_sgd_(
                parameters, gradients, slots[0] if slots else [],
                weight_decay=0.0, momentum=momentum, dampening=0.0, nesterov=nesterov,
                lr=rule.value("learning_rate", count), maximize=False, is_first_step=False,
            )  # fmt: skip

        return apply

    return bind


def _adam(rule: Any) -> Kernel:
    return _adam_by(torch._fused_adam_, rule, lambda count: 0.0)


def _adamw(rule: Any) -> Kernel:
    return _adam_by(torch._fused_adamw_, rule, lambda count: rule.value("weight_decay", count))


def _adam_by(fused: Callable[..., Any], rule: Any, weight_decay: Callable[[int], float]) -> Kernel:
    (beta1, beta2), epsilon = rule.betas, rule.epsilon

    def bind(parameters: list[Any], slots: list[list[Any]]) -> Apply:
        first, second, *rest = slots
        largest = rest[0] if rest else []
        step = _step_like(parameters[0])
        steps = [step] * len(parameters)

        def apply(gradients: Arrays, count: int) -> None:
            step.fill_(count)
            fused(
                parameters, gradients, first, second, largest, steps,
                lr=rule.value("learning_rate", count), beta1=beta1, beta2=beta2,
                weight_decay=weight_decay(count), eps=epsilon, amsgrad=bool(rest), maximize=False,
            )  # fmt: skip

        return apply

    return bind


def _adagrad(rule: Any) -> Kernel:
    def bind(parameters: list[Any], slots: list[list[Any]]) -> Apply:
        step = _step_like(parameters[0])
        steps = [step] * len(parameters)

        def apply(gradients: Arrays, count: int) -> None:
            step.fill_(count)
            torch._fused_adagrad_(
                parameters, gradients, slots[0], steps,
                lr=rule.value("learning_rate", count), lr_decay=0.0, weight_decay=0.0,
                eps=rule.epsilon, maximize=False,
            )  # fmt: skip

        return apply

    return bind


def _step_like(parameter: Any) -> Any:
    """A number of the step, as torch's kernels take it."""
    with torch.inference_mode(False):
        return torch.zeros((), dtype=torch.float32, device=parameter.device)


_KERNELS: dict[str, Callable[[Any], Kernel]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "amsgrad": _adam,
    "adagrad": _adagrad,
    **_foreach.KERNELS,
}


# --- rules made of rules ------------------------------------------------------------------------


def _chain(rule: Any, in_place: bool) -> Update | None:
    """A fused last rule after others that change the gradients and keep no slots."""
    *before, last = rule.rules
    update = fused_update(last, in_place)
    if update is None or any(earlier.slots for earlier in before):
        return None

    def chained(
        parameters: Arrays, gradients: Arrays, slots: tuple[Arrays, ...], count: int
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        with torch.no_grad():
            for earlier in before:
                change = _clip if earlier.kind == "clip_norm" else _changed
                gradients = change(earlier, parameters, gradients, count)
        return update(parameters, gradients, slots, count)

    return chained


def _accumulate(rule: Any, in_place: bool) -> Update | None:
    """A fused rule at each n-th update, and a sum in between."""
    update = fused_update(rule.rule, in_place)
    if update is None:
        return None

    def accumulated(
        parameters: Arrays, gradients: Arrays, slots: tuple[Arrays, ...], count: int
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        total, inner = slots[0], slots[1:]
        if not parameters:
            return parameters, slots
        rule.scalars(count)  # a schedule that fails does so before a buffer is touched
        with torch.inference_mode(False), torch.no_grad():
            if not in_place:
                total = _copies(total)
            torch._foreach_add_(total, torch._foreach_div(gradients, rule.n))
            if rule.acts(count):
                parameters, inner = update(parameters, total, inner, rule.actions(count))
                torch._foreach_zero_(total)
            elif not in_place:
                parameters, inner = _copies(parameters), tuple(map(_copies, inner))
        return parameters, (total, *inner)

    return accumulated


def _parted(rule: Any, in_place: bool) -> Update:
    """Each part by its fused update if it has one, the others by their own array code."""
    known: dict[int, list[tuple[Any, Update]]] = {}

    def parted(
        parameters: Arrays, gradients: Arrays, slots: tuple[Arrays, ...], count: int
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        parts = known.get(len(parameters))
        if parts is None:
            parts = known[len(parameters)] = [
                (part, fused_update(part.rule, in_place) or _neutral(part.rule))
                for part in rule.parts(len(parameters))
            ]
        rule.scalars(count)  # a schedule that fails does so before a buffer is touched
        new, new_slots = [None] * len(parameters), [[None] * len(slot) for slot in slots]
        for part, update in parts:
            own, own_slots = update(
                tuple([parameters[i] for i in part.places]),
                tuple([gradients[i] for i in part.places]),
                part.slots_in(slots),
                count,
            )
            for i, array in zip(part.places, own, strict=True):
                new[i] = array
            for (number, places), arrays in zip(part.slots, own_slots, strict=True):
                for i, array in zip(places, arrays, strict=True):
                    new_slots[number][i] = array
        for old, changed in ((parameters, new), *zip(slots, new_slots, strict=True)):
            missing = [i for i, array in enumerate(changed) if array is None]
            kept = tuple([old[i] for i in missing])
            if not in_place:
                with torch.inference_mode(False):
                    kept = _copies(kept)
            for i, array in zip(missing, kept, strict=True):
                changed[i] = array
        return tuple(new), tuple(map(tuple, new_slots))

    return parted


def _neutral(rule: Any) -> Update:
    def update(
        parameters: Arrays, gradients: Arrays, slots: tuple[Arrays, ...], count: int
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        with torch.inference_mode(False), torch.no_grad():
            steps, slots = rule.update(namespace, rule.scalars(count), gradients, parameters, slots)
            return tuple([p - s for p, s in zip(parameters, steps, strict=True)]), slots

    return update


_COMPOSED: dict[str, Callable[[Any, bool], Update | None]] = {
    "chain": _chain,
    "accumulate": _accumulate,
    "parted": _parted,
}


def _changed(rule: Any, parameters: Arrays, gradients: Arrays, count: int) -> Arrays:
    steps, _ = rule.update(namespace, rule.scalars(count), gradients, parameters, ())
    return tuple(steps)


def _clip(clip: Any, parameters: Arrays, gradients: Arrays, count: int) -> Arrays:
    if len({g.dtype for g in gradients}) == 1 and gradients[0].dtype.itemsize >= 4:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))).item()
        if _SMALLEST_NORM < norm < _LARGEST_NORM:
            largest = clip.value("max_norm", count)
            if norm <= largest:
                return gradients
            return tuple(torch._foreach_mul(gradients, largest / norm))
    # Zero, tiny, huge, not finite or of mixed or short dtypes: the rule's own careful way.
    return _changed(clip, parameters, gradients, count)


def _copies(arrays: Arrays) -> Arrays:
    return tuple(a.detach().clone(memory_format=torch.contiguous_format) for a in arrays)
