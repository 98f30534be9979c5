"""The update of parameters by a rule: its own array code, or a backend's fused one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polylux.backend import Backend, Capability, StepUpdate
from polylux.optimizers import Rule
from polylux.selectors import ADType

Arrays = tuple[Any, ...]
Carry = Sequence[Any]
"""Parameters and optimizer slots."""

Check = Callable[[Arrays, Arrays], None]
"""Looks at the parameters before and after."""


def neutral_update(
    backend: Backend, rule: Rule, carry: Carry, gradients: Arrays, scalars: Any, check: Check
) -> Carry:
    """One update by the rule's own array code."""
    trainable, slots = carry
    steps, slots = rule.update(backend.namespace, scalars, gradients, trainable, slots)
    new = tuple(p - step for p, step in zip(trainable, steps, strict=True))
    check(trainable, new)
    return new, slots


def staged_update(backend: Backend, rule: Rule, check: Check) -> StepUpdate:
    """The update of a staged step."""
    return lambda carry, gradients, scalars: neutral_update(
        backend, rule, carry, gradients, scalars, check
    )


def eager_update(
    backend: Backend, selector: ADType, rule: Rule, in_place: bool, check: Check
) -> Callable[[Carry, Arrays, int], Carry]:
    """The update of one call after another: the backend's fused one, or else the rule's own."""
    fused = backend.fused_update(rule, in_place, selector)
    if fused is not None:
        return lambda carry, gradients, count: fused(carry[0], gradients, carry[1], count)
    return lambda carry, gradients, count: neutral_update(
        backend, rule, carry, gradients, rule.scalars(count), check
    )


def is_donated(backend: Backend, in_place: bool) -> bool:
    """Whether a staged update overwrites what it is given."""
    return in_place and Capability.DONATION in backend.capabilities
