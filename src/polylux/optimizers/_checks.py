"""Checks of the hyper-parameters of rules; each turns its field into Python floats."""

from __future__ import annotations

import numbers
from typing import Any

from polylux.errors import DomainError, OptionError
from polylux.optimizers._schedules import Schedule


def check_nonnegative(rule: Any, *names: str) -> None:
    """Each field is a real number not below 0, or a schedule where the rule takes one."""
    for name in names:
        value = getattr(rule, name)
        may_be_schedule = name in rule.scheduled
        if may_be_schedule and isinstance(value, Schedule):
            continue
        _check_real(rule, name, value, " or a schedule" if may_be_schedule else "")
        if not value >= 0:
            raise DomainError(f"{_place(rule, name)} must not be below 0, got {value!r}")
        object.__setattr__(rule, name, float(value))


def check_decay_rate(rule: Any, name: str) -> None:
    """The field lies in [0, 1): how much of a running average is kept at each step."""
    value = getattr(rule, name)
    _check_real(rule, name, value, "")
    if not 0 <= value < 1:
        raise DomainError(f"{_place(rule, name)} must lie in [0, 1), got {value!r}")
    object.__setattr__(rule, name, float(value))


def check_betas(rule: Any) -> None:
    """Two decay rates in [0, 1)."""
    betas = rule.betas
    if not (isinstance(betas, tuple | list) and len(betas) == 2):
        raise OptionError(f"{_place(rule, 'betas')} takes two numbers, got {betas!r}")
    if not all(isinstance(b, numbers.Real) and 0 <= float(b) < 1 for b in betas):
        raise DomainError(f"{_place(rule, 'betas')} must lie in [0, 1), got {betas!r}")
    object.__setattr__(rule, "betas", (float(betas[0]), float(betas[1])))


def check_rule(kind: str, rule: Any, base: type) -> None:
    """What stands in the place of a rule is one."""
    if not isinstance(rule, base):
        raise OptionError(f"{kind} takes optimizer rules such as Adam(1e-3), got {rule!r}")


def _check_real(rule: Any, name: str, value: Any, also: str) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise OptionError(f"{_place(rule, name)} takes a real number{also}, got {value!r}")


def _place(rule: Any, name: str) -> str:
    return f"{type(rule).__name__}({name}=...)"
