"""Routes: which primitive of a backend serves which operator, and what that costs.

A backend has some of `value_and_gradient`, `pullback` and `pushforward`, and a selector may ask
for one mode. From that, `means_of` decides how first derivatives are taken. Second derivatives are
taken twice so: by the outer means, of what the inner means give. `_levels` carries out what is
decided here, and `explain` adds up what it costs.
"""

from __future__ import annotations

import dataclasses
import enum
import functools

from polylux import registry
from polylux.backend import Backend, Capability
from polylux.errors import UnsupportedError
from polylux.selectors import ADType, Mode, SecondOrder

CAN = "AutoTorch(), AutoJax() or AutoAutograd()"


class Push(enum.Enum):
    """How tangents are pushed forward through a function."""

    FORWARD = "a pushforward"
    TRANSPOSED = "a pullback, transposed by another one"
    ROWS = "a pullback for each entry of the output"


class Pull(enum.Enum):
    """How cotangents are pulled back through a function."""

    REVERSE = "a pullback"
    GRADIENT = "the gradient of the output times the cotangent"
    COLUMNS = "a pushforward for each entry of x"


@dataclasses.dataclass(frozen=True)
class Means:
    """How first derivatives are taken.

    Attributes
    ----------
    push : Push
    pull : Pull
        With `COLUMNS` gradients are made of pushforwards too.
    batched : bool
        Whether several sweeps run at once, by the backend's vmap.
    calls : int
        How many times a pushforward calls its function.
    asked : Mode
        What the selector asks for; with the backend it decides all the rest.
    """

    push: Push
    pull: Pull
    batched: bool
    calls: int
    asked: Mode

    @property
    def is_forward(self) -> bool:
        """Whether gradients come from pushforwards."""
        return self.pull is Pull.COLUMNS

    @property
    def depends_on_output(self) -> bool:
        """Whether a pushforward's cost depends on the size of the output."""
        return self.push is Push.ROWS

    @property
    def mode(self) -> str:
        """Of gradients, as a word."""
        return "forward" if self.is_forward else "reverse"


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one call, in calls of the user's function and sweeps through what it does.

    `widest` is the largest number of sweeps that may run at once.
    """

    calls: int = 0
    forward: int = 0
    reverse: int = 0
    widest: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.forward + other.forward,
            self.reverse + other.reverse,
            max(self.widest, other.widest),
        )

    def times(self, count: int) -> Cost:
        """Of so many of these, one after the other."""
        return Cost(self.calls * count, self.forward * count, self.reverse * count, self.widest)


CALL = Cost(calls=1)
"""Of the user's function itself."""


def resolve(selector: ADType, operator: str, order: int) -> tuple[Backend, ADType, Means, Means]:
    """The backend and its selector, and the means of the outer and of the inner derivatives.

    Raises
    ------
    UnsupportedError
        If the backend cannot do it; the message names selectors that can.
    """
    backend, concrete = registry.resolve(selector)
    inner = _means(backend, concrete, operator)
    if order == 1:
        return backend, concrete, inner, inner
    if Capability.SECOND_ORDER not in backend.capabilities:
        raise UnsupportedError(
            f"{operator} takes second derivatives, and those of {concrete!r} do not nest; use {CAN}"
        )
    outer = inner
    if isinstance(selector, SecondOrder):
        outer = _means(backend, registry.resolve(selector.outer)[1], operator)
    return backend, concrete, outer, inner


@functools.lru_cache(maxsize=256)
def _means(backend: Backend, selector: ADType, operator: str) -> Means:
    has = backend.capabilities
    if not has & {Capability.GRADIENT, Capability.FORWARD, Capability.REVERSE}:
        raise UnsupportedError(
            f"{operator} needs derivatives, and {selector!r} does not differentiate; use {CAN}"
        )
    mode = selector.mode if backend.has_both_modes else Mode.EITHER
    push = Push.FORWARD
    if Capability.FORWARD not in has or mode is Mode.REVERSE:
        push = Push.TRANSPOSED if Capability.SECOND_ORDER in has else Push.ROWS
    pull = Pull.REVERSE if Capability.REVERSE in has else Pull.GRADIENT
    if not backend.has_reverse_gradient or mode is Mode.FORWARD:
        pull = Pull.COLUMNS
    batched = Capability.VMAP in has
    return Means(push, pull, batched, backend.calls_of_pushforward(selector), mode)


# --- what it costs: `inner` is the cost of one run of the function that is differentiated ---------


def push_cost(means: Means, inner: Cost, directions: int, inputs: int, outputs: int) -> Cost:
    """Of pushing so many directions forward, at a point and to a value of so many entries."""
    if means.push is Push.FORWARD:
        runs = 1 if means.batched else directions
        return inner.times(runs * means.calls) + Cost(forward=directions, widest=directions)
    if means.push is Push.ROWS:
        return pull_cost(means, inner, outputs, inputs)
    pulled = pull_cost(means, inner, 0, inputs)  # what gives the map that is transposed
    transposed = pull_cost(means, Cost(reverse=1), directions, outputs)
    if means.pull is Pull.GRADIENT:  # there each run of that map is one of the function
        transposed = pull_cost(means, inner + Cost(reverse=1), directions, outputs)
    return pulled + transposed


def pull_cost(means: Means, inner: Cost, directions: int, inputs: int) -> Cost:
    """Of pulling so many cotangents back."""
    if means.pull is Pull.COLUMNS:
        return push_cost(means, inner, max(inputs, 1), inputs, 0)
    if means.pull is Pull.GRADIENT:
        return inner + (inner + Cost(reverse=1)).times(directions)
    return inner + Cost(reverse=directions, widest=directions)


def gradient_cost(means: Means, inner: Cost, inputs: int) -> Cost:
    """Of the gradient of a scalar function."""
    if means.is_forward:
        return push_cost(means, inner, max(inputs, 1), inputs, 1)
    return inner + Cost(reverse=1)


def by_columns(means: Means, inputs: int, outputs: int) -> bool:
    """Whether a Jacobian is made of columns (pushforwards), and not of rows (pullbacks)."""
    if needs_output_first(means, inputs):
        return inputs <= outputs
    return means.push is Push.FORWARD


def needs_output_first(means: Means, inputs: int) -> bool:
    """Whether a pullback has to show the size of the output before a side can be chosen."""
    return means.push is Push.FORWARD and not means.is_forward and inputs > 1


def jacobian_cost(means: Means, inner: Cost, inputs: int, outputs: int) -> Cost:
    """Of a Jacobian of so many columns and rows."""
    if not by_columns(means, inputs, outputs):
        return pull_cost(means, inner, outputs, inputs)
    columns = push_cost(means, inner, max(inputs, 1), inputs, outputs)
    if needs_output_first(means, inputs):
        columns += pull_cost(means, inner, 0, inputs)
    return columns


def pushes(means: Means, directions: int) -> bool:
    """Whether a gradient is differentiated by pushforwards, and not by pullbacks.

    Its Jacobian is symmetric, so that either multiplies by it. Without vmap each pushforward calls
    the function anew, and several pullbacks do not.
    """
    if means.push is not Push.FORWARD:
        return False
    repeats = directions > 1 and not means.batched
    return not (repeats and means.pull is Pull.REVERSE and means.asked is Mode.EITHER)


def symmetric_cost(means: Means, inner: Cost, directions: int, inputs: int) -> Cost:
    """Of the Jacobian of a gradient, times so many directions."""
    if pushes(means, directions):
        return push_cost(means, inner, max(directions, 1), inputs, inputs)
    return pull_cost(means, inner, directions, inputs)


# --- the same in words ----------------------------------------------------------------------------


def jacobian_route(means: Means, inputs: int, outputs: int | None) -> str:
    """Of a Jacobian; the size of the output may be unknown."""
    if needs_output_first(means, inputs) and outputs is None:
        return "by columns (pushforwards) or by rows (pullbacks), whichever are fewer"
    if by_columns(means, inputs, outputs or 0):
        return f"by columns: {Pull.COLUMNS.value}"
    return f"by rows: {means.pull.value} for each entry of the output"


def symmetric_route(outer: Means, inner: Means, directions: int) -> str:
    """Of the Jacobian of a gradient, times so many directions."""
    return f"{'forward' if pushes(outer, directions) else 'reverse'} over {inner.mode} mode"
