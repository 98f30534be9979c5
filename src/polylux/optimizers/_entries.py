"""EntryRule: a rule of single entries; Joined: the same for several small parameters at once."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.optimizers._base import Arrays, LeafRule, Rule

_SMALL = 2**13
"""Entries of all parameters up to which the operations cost more than copies of the entries."""

_MOST = 16
"""Parameters in one vector: the time to compile its parts grows with their square."""


class EntryRule(LeafRule):
    """A rule that treats each entry of a parameter by itself, whatever its shape.

    So a compiled step may take several small parameters as one vector.
    """

    def joined(self) -> Rule:
        return Joined(self)


@dataclasses.dataclass(frozen=True, repr=False)
class Joined(Rule):
    """What the rule inside does, in fewer and longer operations; for a step that is compiled.

    Parameters
    ----------
    rule : EntryRule
    """

    kind: ClassVar[str] = "joined"
    rule: EntryRule

    @property
    def slots(self) -> tuple[str, ...]:
        return self.rule.slots

    def scalars(self, count: int) -> tuple[float, ...]:
        return self.rule.scalars(count)

    def init(self, xp: Any, parameters: Arrays) -> tuple[Arrays, ...]:
        return self.rule.init(xp, parameters)

    def update(
        self,
        xp: Any,
        scalars: Sequence[Any],
        gradients: Arrays,
        parameters: Arrays,
        slots: tuple[Arrays, ...],
    ) -> tuple[Arrays, tuple[Arrays, ...]]:
        columns = (gradients, parameters, *slots)
        found: list[list[Any]] = [[None] * len(parameters) for _ in (parameters, *slots)]
        for places in _groups(parameters):
            shapes = [tuple(parameters[i].shape) for i in places]
            own = [_together(xp, [column[i] for i in places]) for column in columns]
            steps, new = self.rule.update(
                xp, scalars, (own[0],), (own[1],), tuple((slot,) for slot in own[2:])
            )
            for column, (vector,) in zip(found, (steps, *new), strict=True):
                for i, array in zip(places, _apart(xp, vector, shapes), strict=True):
                    column[i] = array
        return tuple(found[0]), tuple(map(tuple, found[1:]))


def _groups(parameters: Arrays) -> list[list[int]]:
    """Places of the parameters that are taken together: of one dtype, if all of them are small."""
    if sum(math.prod(p.shape) for p in parameters) > _SMALL:
        return [[i] for i in range(len(parameters))]
    by_dtype: dict[Any, list[int]] = {}
    for i, p in enumerate(parameters):
        by_dtype.setdefault(p.dtype, []).append(i)
    return [
        places[k : k + _MOST]
        for places in by_dtype.values()
        for k in range(0, len(places), _MOST)
    ]


def _together(xp: Any, arrays: Sequence[Any]) -> Any:
    if len(arrays) == 1:
        return arrays[0]
    return xp.concat([xp.reshape(array, (-1,)) for array in arrays])


def _apart(xp: Any, vector: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    if len(shapes) == 1:
        return [vector]
    ends = list(itertools.accumulate(map(math.prod, shapes)))
    return [
        xp.reshape(vector[end - math.prod(shape) : end], shape)
        for end, shape in zip(ends, shapes, strict=True)
    ]
