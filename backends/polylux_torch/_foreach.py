"""Optimizer updates for which torch has no fused kernel, by its operations on lists of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Tensors = list[Any]
Kernel = Callable[[Tensors, Tensors, list[Tensors], int], None]
Apply = Callable[[tuple[Any, ...], int], None]
Bind = Callable[[Tensors, list[Tensors]], Apply]


def bound(make: Callable[[Any], Kernel]) -> Callable[[Any], Bind]:
    """Kernels that take their tensors first, and compute float16 and bfloat16 in float32."""

    def make_bound(rule: Any) -> Bind:
        kernel = make(rule)

        def bind(p: Tensors, slots: list[Tensors]) -> Apply:
            if p[0].dtype.itemsize >= 4:
                return lambda gradients, count: kernel(p, list(gradients), slots, count)

            def widened(gradients: tuple[Any, ...], count: int) -> None:
                targets = [p, *slots]
                wide = [[a.float() for a in group] for group in targets]
                kernel(wide[0], [a.float() for a in gradients], wide[1:], count)
                for group, values in zip(targets, wide, strict=True):
                    torch._foreach_copy_(group, values)

            return widened

        return bind

    return make_bound


def _update_moments(rule: Any, g: Tensors, m: Tensors, v: Tensors) -> None:
    b1, b2 = rule.betas
    _average(m, b1, g)
    torch._foreach_mul_(v, b2)
    torch._foreach_addcmul_(v, g, g, 1 - b2)


def _average(mean: Tensors, decay: float, new: Tensors) -> None:
    torch._foreach_mul_(mean, decay)
    torch._foreach_add_(mean, new, alpha=1 - decay)


def _rmsprop(rule: Any) -> Kernel:
    def kernel(p: Tensors, g: Tensors, slots: list[Tensors], count: int) -> None:
        (eta,), named = rule.scalars(count), dict(zip(rule.slots, slots, strict=True))
        v = named["mean_square"]
        torch._foreach_mul_(v, rule.decay)
        torch._foreach_addcmul_(v, g, g, 1 - rule.decay)
        if rule.centered:
            a = named["mean"]
            _average(a, rule.decay, g)
            root = torch._foreach_addcmul(v, a, a, -1.0)
            torch._foreach_clamp_min_(root, 0.0)
            torch._foreach_sqrt_(root)
        else:
            root = torch._foreach_sqrt(v)
        torch._foreach_add_(root, rule.epsilon)
        if rule.momentum:
            b = named["momentum"]
            torch._foreach_mul_(b, rule.momentum)
            torch._foreach_addcdiv_(b, g, root)
            torch._foreach_add_(p, b, alpha=-eta)
        else:
            torch._foreach_addcdiv_(p, g, root, -eta)

    return kernel


def _radam(rule: Any) -> Kernel:
    def kernel(p: Tensors, g: Tensors, slots: list[Tensors], count: int) -> None:
        (step_size, factor, summand), (m, v) = rule.scalars(count), slots
        _update_moments(rule, g, m, v)
        root = torch._foreach_sqrt(v)
        torch._foreach_mul_(root, factor)
        torch._foreach_add_(root, summand)
        torch._foreach_addcdiv_(p, m, root, -step_size)

    return kernel


def _nadam(rule: Any) -> Kernel:
    def kernel(p: Tensors, g: Tensors, slots: list[Tensors], count: int) -> None:
        (of_gradient, of_moment, root_of_correction), (m, v) = rule.scalars(count), slots
        _update_moments(rule, g, m, v)
        root = torch._foreach_sqrt(v)
        torch._foreach_div_(root, root_of_correction)
        torch._foreach_add_(root, rule.epsilon)
        torch._foreach_addcdiv_(p, g, root, -of_gradient)
        torch._foreach_addcdiv_(p, m, root, -of_moment)

    return kernel


def _adamax(rule: Any) -> Kernel:
    def kernel(p: Tensors, g: Tensors, slots: list[Tensors], count: int) -> None:
        (step_size,), (m, u), (b1, b2) = rule.scalars(count), slots, rule.betas
        _average(m, b1, g)
        size = torch._foreach_abs(g)
        torch._foreach_add_(size, rule.epsilon)
        torch._foreach_mul_(u, b2)
        torch._foreach_maximum_(u, size)
        torch._foreach_addcdiv_(p, m, u, -step_size)

    return kernel


def _adabelief(rule: Any) -> Kernel:
    def kernel(p: Tensors, g: Tensors, slots: list[Tensors], count: int) -> None:
        (step_size, root_of_correction), (m, s), (b1, b2) = rule.scalars(count), slots, rule.betas
        _average(m, b1, g)
        away = torch._foreach_sub(g, m)
        torch._foreach_mul_(s, b2)
        torch._foreach_addcmul_(s, away, away, 1 - b2)
        torch._foreach_add_(s, rule.epsilon)
        root = torch._foreach_sqrt(s)
        torch._foreach_div_(root, root_of_correction)
        torch._foreach_add_(root, rule.epsilon)
        torch._foreach_addcdiv_(p, m, root, -step_size)

    return kernel


def _adadelta(rule: Any) -> Kernel:
    def kernel(p: Tensors, g: Tensors, slots: list[Tensors], count: int) -> None:
        (eta,), (v, a) = rule.scalars(count), slots
        torch._foreach_mul_(v, rule.decay)
        torch._foreach_addcmul_(v, g, g, 1 - rule.decay)
        root = torch._foreach_add(v, rule.epsilon)
        torch._foreach_sqrt_(root)
        step = torch._foreach_add(a, rule.epsilon)
        torch._foreach_sqrt_(step)
        torch._foreach_div_(step, root)
        torch._foreach_mul_(step, g)
        torch._foreach_mul_(a, rule.decay)
        torch._foreach_addcmul_(a, step, step, 1 - rule.decay)
        torch._foreach_add_(p, step, alpha=-eta)

    return kernel


KERNELS: dict[str, Callable[[Any], Bind]] = {
    "rmsprop": bound(_rmsprop),
    "radam": bound(_radam),
    "nadam": bound(_nadam),
    "adamax": bound(_adamax),
    "adabelief": bound(_adabelief),
    "adadelta": bound(_adadelta),
}
"""By the kind of the rule; each for lists that are not empty, in place."""
