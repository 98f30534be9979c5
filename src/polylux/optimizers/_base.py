"""Rule: the abstract optimizer rule, a spec with canonical slots; LeafRule and EntryRule."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

from polylux.dtypes import kind_of
from polylux.errors import DomainError, OptionError, nearest
from polylux.optimizers._patterns import Paths
from polylux.optimizers._schedules import Schedule, at
from polylux.spec import Spec

Arrays = tuple[Any, ...]
Places = tuple[int, ...]
LeafPaths = Callable[[], Paths]
"""Gives the paths of the trainable leaves, in order; a rule that needs none does not ask."""


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
    scheduled : tuple of str
        Names of the fields that reach `update` through `scalars` alone. They may hold a `Schedule`
        in place of a number, and their change never costs a new trace.
    fixed : tuple of str
        Names of the fields that cannot be changed in a run.
    slots : tuple of str
        Names of the slots.
    children : tuple of Rule
        The rules that this one is made of.
    """

    kind: ClassVar[str]
    scheduled: ClassVar[tuple[str, ...]] = ()
    fixed: ClassVar[tuple[str, ...]] = ()

    # --- one update -------------------------------------------------------------------------

    @property
    @abstractmethod
    def slots(self) -> tuple[str, ...]:
        """Names of the slots, in the order in which `update` takes them."""

    @abstractmethod
    def scalars(self, count: int) -> tuple[float, ...]:
        """The numbers of the `count`-th update (the first is 1) that are no constants of the rule.

        Whatever depends on the step or on the learning rate is here, so that a compiled step
        survives their change. As many at each count.
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

        Written in array-API code, and pure; the new slots share no memory with the old ones, since
        a later update may be made in their buffers.

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
        """The slots before the first update: zeros like the parameters."""
        return tuple(tuple(xp.zeros_like(p) for p in parameters) for _ in self.slots)

    # --- the rule as a value ----------------------------------------------------------------

    def value(self, name: str, count: int) -> float:
        """The number in a scheduled field at the `count`-th update.

        Raises
        ------
        DomainError
            If a schedule gives a number below 0, or none.
        """
        given = getattr(self, name)
        if type(given) is float or not isinstance(given, Schedule):
            return given  # checked when the rule was made
        number = at(given, count - 1)
        if not number >= 0:
            raise DomainError(
                f"{type(self).__name__}({name}={given!r}) is {number!r} at step {count - 1}, and "
                "must not be below 0"
            )
        return number

    @cached_property
    def signature(self) -> Rule:
        """The rule without what is in `scalars`: two rules of one signature share a compiled step.

        Cached, since it is read at every step.
        """
        bare = dataclasses.replace(self, **dict.fromkeys(self.scheduled, 0.0))  # type: ignore[type-var]  # subclasses are dataclasses
        return bare.with_children(tuple(child.signature for child in self.children))

    def adjusted(self, values: Mapping[str, Any]) -> Rule:
        """The rule with these hyper-parameters, in each of the rules it is made of that has them.

        Raises
        ------
        OptionError
            If none of them has a hyper-parameter of that name, or it is one that a run cannot
            change.
        DomainError
            If a value is outside its domain.
        """
        every = tuple(_each(self))
        free = {name for rule in every for name in _adjustable(rule)}
        for name in values:
            if name not in free and any(name in rule.fixed for rule in every):
                raise OptionError(
                    f"{name!r} of {self!r} cannot be changed in a run; begin anew with "
                    "train_state.replace(optimizer=...)"
                )
            if name not in free:
                raise OptionError(
                    f"{self!r} has no hyper-parameter {name!r}; {nearest(name, free)}"
                )
        return _replaced(self, values)

    # --- rules made of rules, and rules that tell leaves apart --------------------------------

    @property
    def children(self) -> tuple[Rule, ...]:
        """The rules that this one is made of."""
        return ()

    def with_children(self, children: tuple[Rule, ...]) -> Self:
        """The same rule made of these."""
        return self

    def bound(self, paths: LeafPaths) -> Rule:
        """The rule for a tree whose leaves stand at these paths.

        Raises
        ------
        TreeError
            If the rule names a path that is not there, or has nothing to say of a leaf.
        """
        return self.with_children(tuple(child.bound(paths) for child in self.children))

    def restricted(self, places: Places) -> Rule:
        """The rule for those of its leaves only, in this order."""
        return self.with_children(tuple(child.restricted(places) for child in self.children))

    @property
    def can_join(self) -> bool:
        """Whether several parameters may be given to `update` as one array.

        They are joined in a vector, with their gradients and slots, in some compiled steps. So it
        must do the same to an entry whatever array it is in, and have slots that are like the
        parameters.
        """
        return False

    def slot_places(self, size: int) -> tuple[Places, ...]:
        """For each slot the parameters, of `size` in all, that its arrays belong to."""
        return (tuple(range(size)),) * len(self.slots)


class LeafRule(Rule):
    """A rule that treats each parameter by itself.

    float16 and bfloat16 are computed in float32, and what comes out is rounded once.
    """

    @abstractmethod
    def leaf(self, xp: Any, scalars: Sequence[Any], g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
        """The step for one parameter, and its new slots, from its gradient and its slots."""

    def update(
        self,
        xp: Any,
        scalars: Sequence[Any],
        gradients: Arrays,
        parameters: Arrays,
        slots: tuple[Arrays, ...],
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        rows = [
            [
                _typed(xp, array, p.dtype)
                for array in self.leaf(xp, scalars, *_widened(xp, g, p, *own))
            ]
            for g, p, *own in zip(gradients, parameters, *slots, strict=True)
        ]
        steps, *new = [tuple(row[i] for row in rows) for i in range(1 + len(self.slots))]
        return steps, tuple(new)


class EntryRule(LeafRule):
    """A rule that treats each entry of a parameter by itself, whatever its shape.

    So a compiled step may take several small parameters as one vector.
    """

    @property
    def can_join(self) -> bool:
        return True


def _widened(xp: Any, *arrays: Any) -> Arrays:
    """Arrays of one dtype as a rule computes with them: float16 and bfloat16 in float32."""
    # Adam's usual epsilon is 0 in float16, and an entry without gradient would be 0 / 0.
    if kind_of(arrays[0]) != "low":
        return arrays
    return tuple(xp.astype(array, xp.float32) for array in arrays)


def _typed(xp: Any, array: Any, dtype: Any) -> Any:
    # A 0-d float32 parameter times a 0-d float64 scalar (a traced one, of torch) is float64.
    return array if array.dtype == dtype else xp.astype(array, dtype)


def _each(rule: Rule) -> Iterator[Rule]:
    """The rule and all that it is made of."""
    yield rule
    for child in rule.children:
        yield from _each(child)


def _adjustable(rule: Rule) -> set[str]:
    """Names of the rule's own hyper-parameters that may change in a run."""
    fields = dataclasses.fields(rule)  # type: ignore[arg-type]  # subclasses are dataclasses
    return {f.name for f in fields if f.init} - set(rule.fixed)


def _replaced(rule: Rule, values: Mapping[str, Any]) -> Rule:
    own = {name: values[name] for name in _adjustable(rule).intersection(values)}
    new: Rule = dataclasses.replace(rule, **own)  # type: ignore[type-var]  # subclasses are dataclasses
    return new.with_children(tuple(_replaced(child, values) for child in rule.children))


def fresh(xp: Any, arrays: Arrays) -> Arrays:
    """The same values in memory of their own."""
    return tuple(xp.asarray(array, copy=True) for array in arrays)
