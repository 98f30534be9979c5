"""Schedules: hyper-parameters as functions of the step, worked out on the host."""

from __future__ import annotations

import dataclasses
import itertools
import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from polylux.errors import DomainError, OptionError
from polylux.spec import Spec


class Schedule(Spec, ABC):
    """A frozen function of the step, for the place of a rule's learning rate.

    The step is the number of updates made before: 0 at the first one. The value is a Python float
    in double precision; a compiled step gets it as data and is never traced anew for it. To write
    one of your own, derive a frozen dataclass and define `__call__`.

    Two schedules, or a schedule and a number, can be multiplied.

    Examples
    --------
    >>> halved = 0.5 * Linear(1.0, 0.0, 10)
    >>> [halved(step) for step in (0, 5, 10, 20)]
    [0.5, 0.25, 0.0, 0.0]
    """

    @abstractmethod
    def __call__(self, step: int, /) -> float:
        """The value after `step` updates."""

    def __mul__(self, other: Schedule | float) -> Product:
        return Product(self, other)

    def __rmul__(self, other: Schedule | float) -> Product:
        return Product(other, self)


Value = float | Schedule
"""What a scheduled hyper-parameter may be."""


def at(value: Value, step: int) -> float:
    """A number as it is, a schedule at this step."""
    return float(value(step)) if isinstance(value, Schedule) else value


@dataclasses.dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """The same value at every step.

    Parameters
    ----------
    value : float

    Examples
    --------
    >>> Constant(0.1)(1000)
    0.1
    """

    value: float

    def __post_init__(self) -> None:
        _number(self, "value")

    def __call__(self, step: int, /) -> float:
        return self.value


@dataclasses.dataclass(frozen=True, repr=False)
class Linear(Schedule):
    """From `start` to `stop` in equal parts, and `stop` from then on.

    `start + (stop - start) * min(step / steps, 1)`, as `optax.linear_schedule`.

    Parameters
    ----------
    start, stop : float
    steps : int
        After so many updates the value is `stop`; at least 1.

    Examples
    --------
    >>> [Linear(1.0, 0.5, 4)(step) for step in (0, 1, 4, 9)]
    [1.0, 0.875, 0.5, 0.5]
    """

    start: float
    stop: float
    steps: int

    def __post_init__(self) -> None:
        _number(self, "start")
        _number(self, "stop")
        _steps(self, 1)

    def __call__(self, step: int, /) -> float:
        if step >= self.steps:
            return self.stop
        return self.start + (self.stop - self.start) * (step / self.steps)


@dataclasses.dataclass(frozen=True, repr=False)
class Cosine(Schedule):
    """From `start` to `stop` along half a period of a cosine, and `stop` from then on.

    `stop + (start - stop) * (1 + cos(pi * step / steps)) / 2`, as `optax.cosine_decay_schedule`
    (whose `alpha` is `stop / start`). `torch.optim.lr_scheduler.CosineAnnealingLR` rises again
    after `steps`; this does not.

    Parameters
    ----------
    start, stop : float
    steps : int
        After so many updates the value is `stop`; at least 1.

    References
    ----------
    Loshchilov, Hutter (2017), SGDR: stochastic gradient descent with warm restarts, equation 5.

    Examples
    --------
    >>> [round(Cosine(1.0, 0.0, 4)(step), 3) for step in (0, 1, 2, 4, 5)]
    [1.0, 0.854, 0.5, 0.0, 0.0]
    """

    start: float
    stop: float
    steps: int

    def __post_init__(self) -> None:
        _number(self, "start")
        _number(self, "stop")
        _steps(self, 1)

    def __call__(self, step: int, /) -> float:
        if step >= self.steps:
            return self.stop
        left = (1 + math.cos(math.pi * step / self.steps)) / 2
        return self.stop + (self.start - self.stop) * left


@dataclasses.dataclass(frozen=True, repr=False)
class WarmUp(Schedule):
    """Linearly from `start` up to where `then` begins, and `then` from there.

    Parameters
    ----------
    steps : int
        Length of the warm-up; at least 1. `then` counts its own steps from its end.
    then : float or Schedule
    start : float
        The value at step 0. With 0 the first update does not move the parameters.

    References
    ----------
    Goyal et al. (2017), Accurate, large minibatch SGD, section 2.2 (gradual warm-up).

    Examples
    --------
    >>> rate = WarmUp(2, Cosine(0.1, 0.0, 100))
    >>> [rate(step) for step in (0, 1, 2, 102)]
    [0.0, 0.05, 0.1, 0.0]
    """

    steps: int
    then: Value
    start: float = 0.0

    def __post_init__(self) -> None:
        _steps(self, 1)
        _value(self, "then", self.then)
        _number(self, "start")

    def __call__(self, step: int, /) -> float:
        if step >= self.steps:
            return at(self.then, step - self.steps)
        return self.start + (at(self.then, 0) - self.start) * (step / self.steps)


@dataclasses.dataclass(frozen=True, repr=False)
class Piecewise(Schedule):
    """One value or schedule after another.

    Parameters
    ----------
    pieces : mapping of int to float or Schedule
        Each from the step that is its key on; the first key is 0. A schedule counts its own steps
        from its key. Kept as a tuple of pairs.

    Examples
    --------
    >>> rate = Piecewise({0: 0.1, 3: 0.01, 5: Linear(0.01, 0.0, 2)})
    >>> [rate(step) for step in (0, 2, 3, 5, 6, 7)]
    [0.1, 0.1, 0.01, 0.01, 0.005, 0.0]
    """

    pieces: Mapping[int, Value] | tuple[tuple[int, Value], ...]

    def __post_init__(self) -> None:
        given = self.pieces
        pairs = given.items() if isinstance(given, Mapping) else given
        try:
            pieces = tuple((start, piece) for start, piece in pairs)
        except (TypeError, ValueError):
            raise OptionError(
                f"Piecewise takes a mapping such as {{0: 0.1, 100: 0.01}}, got {given!r}"
            ) from None
        starts = [start for start, _ in pieces]
        for start in starts:
            if isinstance(start, bool) or not isinstance(start, numbers.Integral):
                raise OptionError(f"Piecewise takes whole numbers of steps, got {start!r}")
        if starts[:1] != [0] or any(b <= a for a, b in itertools.pairwise(starts)):
            raise DomainError(f"the steps of a Piecewise begin with 0 and rise, got {starts}")
        pieces = tuple((int(start), _value(self, f"{start}: ", piece)) for start, piece in pieces)
        object.__setattr__(self, "pieces", pieces)

    def __call__(self, step: int, /) -> float:
        assert isinstance(self.pieces, tuple)
        start, piece = next(pair for pair in reversed(self.pieces) if pair[0] <= step)
        return at(piece, step - start)


@dataclasses.dataclass(frozen=True, repr=False)
class Product(Schedule):
    """The product of two schedules, or of a number and a schedule; made by `*`.

    Parameters
    ----------
    first, second : float or Schedule

    Examples
    --------
    >>> 2.0 * Constant(0.1)
    2.0 * Constant(0.1)
    """

    first: Value
    second: Value

    def __post_init__(self) -> None:
        for name in ("first", "second"):
            object.__setattr__(self, name, _value(self, name, getattr(self, name)))

    def __call__(self, step: int, /) -> float:
        return at(self.first, step) * at(self.second, step)

    def __repr__(self) -> str:
        second = f"({self.second!r})" if isinstance(self.second, Product) else repr(self.second)
        return f"{self.first!r} * {second}"


def _number(schedule: Schedule, name: str) -> None:
    value = _finite(schedule, name, getattr(schedule, name), "a number")
    object.__setattr__(schedule, name, value)


def _value(schedule: Schedule, name: str, value: Any) -> Value:
    if isinstance(value, Schedule):
        return value
    return _finite(schedule, name, value, "a number or a schedule")


def _finite(schedule: Schedule, name: str, value: Any, expected: str) -> float:
    place = f"{type(schedule).__name__}({name}=...)"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise OptionError(f"{place} takes {expected}, got {value!r}")
    if not math.isfinite(value):
        raise DomainError(f"{place} must be finite, got {value!r}")
    return float(value)


def _steps(schedule: Any, least: int) -> None:
    steps, place = schedule.steps, f"{type(schedule).__name__}(steps=...)"
    if isinstance(steps, bool) or not isinstance(steps, numbers.Integral):
        raise OptionError(f"{place} takes a whole number, got {steps!r}")
    if steps < least:
        raise DomainError(f"{place} must be at least {least}, got {steps!r}")
    object.__setattr__(schedule, "steps", int(steps))
