"""Optimizer updates by torch's fused kernels, on plain tuples of tensors.

There is no `torch.optim.Optimizer`: its own Python costs as much as a small model's backward pass.
The kernels work out bias corrections in double precision, as the neutral rules do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from polylux_torch._namespace import namespace

Arrays = tuple[Any, ...]
Update = Callable[[Arrays, Arrays, tuple[Arrays, ...], int], tuple[Arrays, tuple[Arrays, ...]]]
Kernel = Callable[[list[Any], list[Any], list[list[Any]], int], None]

# Between these no square of an entry vanishes or overflows in float32 so that it would show.
_SMALLEST_NORM, _LARGEST_NORM = 1e-12, 1e12


def fused_update(rule: Any, in_place: bool) -> Update | None:
    """The update of a rule by a fused kernel, or None if there is none for its kind."""
    if rule.kind == "chain":
        if len(rule.rules) != 2 or rule.rules[0].kind != "clip_norm":
            return None
        update = fused_update(rule.rules[1], in_place)
        return None if update is None else _after_clipping(rule.rules[0], update)
    make = _KERNELS.get(rule.kind)
    return None if make is None else _update_by(make(rule), in_place)


def _update_by(kernel: Kernel, in_place: bool) -> Update:
    def update(
        parameters: Arrays, gradients: Arrays, slots: tuple[Arrays, ...], count: int
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        # Kernels walk memory without looking at strides, so all must be contiguous.
        if not in_place or not _is_contiguous(parameters, *slots):
            with torch.inference_mode(False):
                parameters = _copies(parameters)
                slots = tuple(map(_copies, slots))
        if not _is_contiguous(gradients):
            gradients = tuple(g.contiguous() for g in gradients)
        with torch.no_grad():
            if len({p.dtype for p in parameters}) <= 1:
                kernel(list(parameters), list(gradients), [list(s) for s in slots], count)
            else:
                _by_dtype(kernel, parameters, gradients, slots, count)
        return parameters, slots

    return update


def _by_dtype(
    kernel: Kernel, parameters: Arrays, gradients: Arrays, slots: tuple[Arrays, ...], count: int
) -> None:
    for dtype in {p.dtype for p in parameters}:
        places = [i for i, p in enumerate(parameters) if p.dtype is dtype]
        kernel(
            [parameters[i] for i in places],
            [gradients[i] for i in places],
            [[slot[i] for i in places] for slot in slots],
            count,
        )


def _sgd(rule: Any) -> Kernel:
    rate, momentum, nesterov = rule.learning_rate, rule.momentum, rule.nesterov

    def kernel(
        parameters: list[Any], gradients: list[Any], slots: list[list[Any]], count: int
    ) -> None:
        if not parameters:
            return
        # A buffer of zeros gives torch's first step too, so there is no first step to tell apart.
        torch._fused_sgd_(
            parameters, gradients, slots[0] if slots else [],
            weight_decay=0.0, momentum=momentum, lr=rate, dampening=0.0, nesterov=nesterov,
            maximize=False, is_first_step=False,
        )  # fmt: skip

    return kernel


def _adam(rule: Any) -> Kernel:
    return _adam_by(torch._fused_adam_, rule, 0.0)


def _adamw(rule: Any) -> Kernel:
    return _adam_by(torch._fused_adamw_, rule, rule.weight_decay)


def _adam_by(fused: Callable[..., Any], rule: Any, weight_decay: float) -> Kernel:
    (beta1, beta2), rate, epsilon = rule.betas, rule.learning_rate, rule.epsilon

    def kernel(
        parameters: list[Any], gradients: list[Any], slots: list[list[Any]], count: int
    ) -> None:
        if not parameters:
            return
        step = torch.full((), count, dtype=torch.float32, device=parameters[0].device)
        fused(
            parameters, gradients, slots[0], slots[1], [], [step] * len(parameters),
            lr=rate, beta1=beta1, beta2=beta2, weight_decay=weight_decay, eps=epsilon,
            amsgrad=False, maximize=False,
        )  # fmt: skip

    return kernel


_KERNELS: dict[str, Callable[[Any], Kernel]] = {"sgd": _sgd, "adam": _adam, "adamw": _adamw}


def _after_clipping(clip: Any, update: Update) -> Update:
    def clipped(
        parameters: Arrays, gradients: Arrays, slots: tuple[Arrays, ...], count: int
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        with torch.no_grad():
            gradients = _clip(clip, parameters, gradients)
        return update(parameters, gradients, slots, count)

    return clipped


def _clip(clip: Any, parameters: Arrays, gradients: Arrays) -> Arrays:
    if len({g.dtype for g in gradients}) == 1 and gradients[0].dtype.itemsize >= 4:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))).item()
        if _SMALLEST_NORM < norm < _LARGEST_NORM:
            if norm <= clip.max_norm:
                return gradients
            return tuple(torch._foreach_mul(gradients, clip.max_norm / norm))
    # Zero, tiny, huge, not finite or of mixed or short dtypes: the rule's own careful way.
    steps, _ = clip.update(namespace, clip.scalars(1), gradients, parameters, ())
    return tuple(steps)


def _is_contiguous(*groups: Arrays) -> bool:
    # By `map`, since this is asked of every tensor at every step.
    return all(all(map(torch.Tensor.is_contiguous, group)) for group in groups)


def _copies(arrays: Arrays) -> Arrays:
    return tuple(a.detach().clone(memory_format=torch.contiguous_format) for a in arrays)
