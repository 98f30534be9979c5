"""Operator: what tells one operator from another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from polylux.backend import Function
from polylux.operators._levels import Arrays, Level
from polylux.operators._recall import results
from polylux.operators._routes import Cost, Means
from polylux.operators._task import Task
from polylux.selectors import ADType
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What the cost of a call depends on: entries of `x` and of the output, and directions.

    That of the output may be unknown; it is not where `Operator.needs_output` says so.
    """

    inputs: int
    outputs: int | None
    directions: int

    @property
    def known_outputs(self) -> int:
        """Entries of the output, which are of no matter where they are unknown."""
        return self.outputs or 0


@dataclasses.dataclass(frozen=True)
class Operator:
    """What tells one operator from another.

    Attributes
    ----------
    name : str
    kernel : callable
        `kernel(task) -> (groups, aux)`: the results as nested tuples of arrays, and auxiliary
        output.
    trees : tuple of callable
        For each group `tree(group, call, outputs, zeros)`, which makes a tree of it; the layout
        `outputs` is that of what `f` returned.
    route : callable
        `route(outer, inner, sizes) -> str`, in words.
    cost : callable
        `cost(outer, inner, sizes) -> Cost`.
    order : int
        1, or 2 for second derivatives.
    direction : str
        `"x"` or `"output"`, whichever the direction is like; empty where there is none.
    of_a_number : bool
        Whether `x` has to be one number.
    is_scalar : bool
        Whether `f` has to return one number.
    needs_output : callable
        `needs_output(outer, inner, inputs)`: whether the cost depends on the size of the output.
    short : callable, optional
        `short(level, function, leaf)`: the results of a scalar function of one array, where there
        is nothing else; Python has then little to do beside the framework's operations.
    """

    name: str
    kernel: Callable[[Task], tuple[tuple[Any, ...], Arrays]]
    trees: tuple[Callable[..., PyTree], ...]
    route: Callable[[Means, Means, Sizes], str]
    cost: Callable[[Means, Means, Sizes], Cost]
    order: int = 1
    direction: str = ""
    of_a_number: bool = False
    is_scalar: bool = False
    needs_output: Callable[[Means, Means, int], bool] = lambda outer, inner, inputs: False
    short: Callable[[Level, Function, Any], tuple[Any, ...]] | None = None

    @property
    def compares_shapes(self) -> bool:
        """Whether the shapes of the arguments are looked at before `f` is called."""
        return self.of_a_number or self.direction == "x"

    def __call__(
        self,
        f: Callable[..., Any],
        selector: ADType,
        x: PyTree,
        rest: tuple[Any, ...],
        has_aux: bool,
        batched: bool = False,
    ) -> tuple[Any, ...]:
        """All results of a call, and the auxiliary output if there is one."""
        return results(self, len(self.trees), f, selector, x, rest, has_aux, batched)

    def last(
        self,
        f: Callable[..., Any],
        selector: ADType,
        x: PyTree,
        rest: tuple[Any, ...],
        has_aux: bool,
        batched: bool = False,
    ) -> Any:
        """The last result alone, or with the auxiliary output as a pair."""
        found = results(self, 1, f, selector, x, rest, has_aux, batched)
        return found if has_aux else found[0]
