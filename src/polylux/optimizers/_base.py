"""Rule: the abstract optimizer rule, a spec with canonical slots and a neutral update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.errors import DomainError, OptionError
from polylux.spec import Spec

Arrays = tuple[Any, ...]


class Rule(Spec, ABC):
    """How gradients change parameters.

    A rule is a frozen value. Its state is a tuple of *slots*, each a tuple of arrays in the order
    of the parameters; every backend uses these same slots, so that a run can change backend
    between two steps. Numbers that depend on the step are worked out on the host in double
    precision (`scalars`): `1 - float32(0.999)**t` is off by 1e-5 in the first steps.

    Attributes
    ----------
    kind : str
        Name by which a backend knows the rule when it offers a fused update.
    slots : tuple of str
        Names of the slots, each starting as zeros like the parameters.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def slots(self) -> tuple[str, ...]:
        """Names of the slots, in the order in which `update` takes them."""

    @abstractmethod
    def scalars(self, count: int) -> tuple[float, ...]:
        """The numbers of the `count`-th update (the first is 1) that are no constants of the rule.

        Whatever depends on the step or on the learning rate is here, so that a compiled step
        survives their change.
        """

    @property
    @abstractmethod
    def signature(self) -> Rule:
        """The rule without what is in `scalars`: two rules of one signature share a compiled step.

        A `functools.cached_property` in each rule, since it is read at every step.
        """

    @abstractmethod
    def update(
        self,
        xp: Any,
        scalars: Sequence[Any],
        gradients: Arrays,
        parameters: Arrays,
        slots: tuple[Arrays, ...],
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        """The step to be subtracted from the parameters, and the new slots.

        Written in array-API code, and pure.

        Parameters
        ----------
        xp : namespace
        scalars : sequence of float or 0-d array
            As from `scalars`.
        gradients, parameters : tuple of arrays
            In one order, each pair of one shape and dtype.
        slots : tuple of tuples of arrays

        Returns
        -------
        steps : tuple of arrays
        slots : tuple of tuples of arrays
        """

    def init(self, xp: Any, parameters: Arrays) -> tuple[Arrays, ...]:
        """The slots before the first update."""
        return tuple(tuple(xp.zeros_like(p) for p in parameters) for _ in self.slots)


def check_nonnegative(rule: Rule, name: str) -> float:
    """The field as a float; an error if it is no real number or below zero."""
    value = getattr(rule, name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(
            f"{type(rule).__name__}({name}=...) takes a real number, got {value!r}"
        )
    if not value >= 0:
        raise DomainError(f"{type(rule).__name__}({name}=...) must not be below 0, got {value!r}")
    object.__setattr__(rule, name, float(value))
    return float(value)


def check_betas(rule: Any) -> None:
    """Two decay rates in [0, 1)."""
    betas = rule.betas
    if not (isinstance(betas, tuple | list) and len(betas) == 2):
        raise OptionError(f"{type(rule).__name__}(betas=...) takes two numbers, got {betas!r}")
    if not all(isinstance(b, int | float) and 0 <= b < 1 for b in betas):
        raise DomainError(f"{type(rule).__name__}(betas=...) must lie in [0, 1), got {betas!r}")
    object.__setattr__(rule, "betas", (float(betas[0]), float(betas[1])))
