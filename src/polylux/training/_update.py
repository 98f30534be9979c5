"""The update of parameters by a rule: its own array code, or a backend's fused one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.backend import Backend, Capability
from polylux.optimizers import Rule
from polylux.selectors import ADType

Arrays = tuple[Any, ...]
Check = Callable[[Arrays, Arrays], None]
"""Looks at the parameters before and after."""


def neutral_update(
    backend: Backend,
    rule: Rule,
    trainable: Arrays,
    gradients: Arrays,
    slots: Any,
    scalars: Any,
    check: Check,
) -> tuple[Arrays, Any]:
    """One update by the rule's own array code."""
    steps, slots = rule.update(backend.namespace, scalars, gradients, trainable, slots)
    new = tuple(p - step for p, step in zip(trainable, steps, strict=True))
    check(trainable, new)
    return new, slots


def eager_update(
    backend: Backend, selector: ADType, rule: Rule, in_place: bool, check: Check
) -> Callable[[Arrays, Arrays, Any, int], tuple[Arrays, Any]]:
    """The update of one call after another: the backend's fused one, or else the rule's own."""
    fused = backend.fused_update(rule, in_place, selector)
    if fused is not None:
        return fused
    return lambda trainable, gradients, slots, count: neutral_update(
        backend, rule, trainable, gradients, slots, rule.scalars(count), check
    )


CARRIED = ((0, 3), (1, 4))
"""In a whole step: parameters and slots come in as groups 0 and 1, and go out as 3 and 4."""

CARRIED_BY_UPDATE = ((0, 0), (1, 1))
"""The same in an update alone."""


def donated(backend: Backend, in_place: bool) -> tuple[int, ...]:
    """Which groups of a staged update may be overwritten: parameters and slots come first."""
    return (0, 1) if in_place and Capability.DONATION in backend.capabilities else ()
