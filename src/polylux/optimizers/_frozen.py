"""Frozen: a rule that leaves some leaves alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from polylux.errors import OptionError, TreeError
from polylux.optimizers._base import Arrays, LeafPaths, Places, Rule
from polylux.optimizers._checks import check_rule
from polylux.optimizers._parted import Part, Parted
from polylux.optimizers._patterns import Paths, matching, nearest_path


@dataclasses.dataclass(frozen=True, repr=False)
class Frozen(Parted):
    """A rule that leaves some leaves and their slots as they are; made by `polylux.freeze`.

    The rule inside does not see the frozen leaves: a `ClipNorm` takes the norm of the others.

    Parameters
    ----------
    rule : Rule
        For all leaves.
    paths : tuple of str
        Of the frozen leaves, spelled out.
    places : tuple of int, optional
        Of the frozen leaves; filled in when a train state takes the rule up.
    """

    fixed: ClassVar[tuple[str, ...]] = ("rule", "paths", "places")
    rule: Rule
    paths: tuple[str, ...]
    places: Places | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_rule("Frozen", self.rule, Rule)

    @classmethod
    def frozen(cls, rule: Rule, paths: Paths, patterns: Sequence[str]) -> Rule:
        """The rule with the leaves frozen that match, besides those that are."""
        return cls._with(rule, paths, _places_in(rule) | _matching(patterns, paths, "freeze"))

    @classmethod
    def thawed(cls, rule: Rule, paths: Paths, patterns: Sequence[str]) -> Rule:
        """The rule with none of the leaves frozen that match."""
        return cls._with(rule, paths, _places_in(rule) - _matching(patterns, paths, "thaw"))

    @classmethod
    def _with(cls, rule: Rule, paths: Paths, places: set[int]) -> Rule:
        bare = rule.rule if isinstance(rule, Frozen) else rule
        chosen = tuple(sorted(places))
        return cls(bare, tuple(paths[i][0] for i in chosen), chosen) if chosen else bare

    @property
    def slots(self) -> tuple[str, ...]:
        return self.rule.slots

    def scalars(self, count: int) -> tuple[float, ...]:
        return self.rule.scalars(count)

    def init(self, xp: Any, parameters: Arrays) -> tuple[Arrays, ...]:
        return self.rule.init(xp, parameters)

    def make_parts(self, size: int) -> tuple[Part, ...]:
        frozen = frozenset(self._known_places())
        free = tuple(i for i in range(size) if i not in frozen)
        slots = tuple(
            (number, tuple(k for k, i in enumerate(belong) if i not in frozen))
            for number, belong in enumerate(self.rule.slot_places(size))
        )
        return (Part(self.rule.restricted(free), slice(None), free, slots),)

    def slot_places(self, size: int) -> tuple[Places, ...]:
        return self.rule.slot_places(size)

    @property
    def children(self) -> tuple[Rule, ...]:
        return (self.rule,)

    def with_children(self, children: tuple[Rule, ...]) -> Frozen:
        (rule,) = children
        return Frozen(rule, self.paths, self.places)

    def bound(self, paths: LeafPaths) -> Frozen:
        found = paths()
        places = {path: i for i, own in enumerate(found) for path in own}
        for path in self.paths:
            if path not in places:
                raise TreeError(f"no leaf at {path}, which is frozen; {nearest_path(path, found)}")
        frozen = tuple(sorted({places[path] for path in self.paths}))
        return Frozen(self.rule.bound(paths), self.paths, frozen)

    def restricted(self, places: Places) -> Frozen:
        known = self._known_places()
        frozen = tuple(k for k, i in enumerate(places) if i in known)
        return Frozen(self.rule.restricted(places), self.paths, frozen)

    def _known_places(self) -> Places:
        if self.places is None:
            raise OptionError(
                f"{self!r} has not seen the parameters that it is for; use freeze(train_state, ...)"
            )
        return self.places


def _places_in(rule: Rule) -> set[int]:
    return set(rule.places or ()) if isinstance(rule, Frozen) else set()


def _matching(patterns: Sequence[str], paths: Paths, what: str) -> set[int]:
    if not patterns:
        raise OptionError(f"{what} needs a path pattern, such as \"*['bias']\", or '*' for all")
    return {i for pattern in patterns for i in matching(pattern, paths, what)}
