"""by_path: different rules for different leaves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from polylux.errors import OptionError, TreeError
from polylux.optimizers._base import Arrays, LeafPaths, Places, Rule
from polylux.optimizers._checks import check_rule
from polylux.optimizers._parted import Part, Parted
from polylux.optimizers._patterns import compiled, matching


@dataclasses.dataclass(frozen=True, repr=False)
class ByPath(Parted):
    """Different rules for different leaves; made by `by_path`.

    Parameters
    ----------
    rules : tuple of (str, Rule)
        Patterns in the order in which they are tried, each with its rule.
    places : tuple of int, optional
        For each leaf the number of its rule; filled in when a train state takes the rule up.
    """

    fixed: ClassVar[tuple[str, ...]] = ("rules", "places")
    rules: tuple[tuple[str, Rule], ...]
    places: Places | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for pattern, rule in self.rules:
            compiled(pattern, "by_path")
            check_rule("by_path", rule, Rule)
        if not self.rules:
            raise OptionError("by_path needs at least one rule, such as by_path({'*': Adam()})")

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(f"{i}.{name}" for i, rule in enumerate(self.children) for name in rule.slots)

    def scalars(self, count: int) -> tuple[float, ...]:
        return tuple(s for rule in self.children for s in rule.scalars(count))

    def init(self, xp: Any, parameters: Arrays) -> tuple[Arrays, ...]:
        return tuple(
            slot
            for part in self.parts(len(parameters))
            for slot in part.rule.init(xp, tuple(parameters[i] for i in part.places))
        )

    def make_parts(self, size: int) -> tuple[Part, ...]:
        parts, numbers, slots = [], 0, 0
        for own, rule in zip(self._shares(), self.children, strict=True):
            taken = len(rule.scalars(1))
            lengths = [len(places) for places in rule.slot_places(len(own))]
            of_slots = tuple((slots + k, tuple(range(n))) for k, n in enumerate(lengths))
            parts.append(Part(rule, slice(numbers, numbers + taken), own, of_slots))
            numbers, slots = numbers + taken, slots + len(lengths)
        return tuple(parts)

    def slot_places(self, size: int) -> tuple[Places, ...]:
        return tuple(
            tuple(own[i] for i in places)
            for own, rule in zip(self._shares(), self.children, strict=True)
            for places in rule.slot_places(len(own))
        )

    @property
    def children(self) -> tuple[Rule, ...]:
        return tuple(rule for _, rule in self.rules)

    def with_children(self, children: tuple[Rule, ...]) -> ByPath:
        pairs = zip(self.rules, children, strict=True)
        return ByPath(tuple((pattern, rule) for (pattern, _), rule in pairs), self.places)

    def bound(self, paths: LeafPaths) -> ByPath:
        found = paths()
        owners: list[int | None] = [None] * len(found)
        for number, (pattern, _) in enumerate(self.rules):
            left = [i for i in matching(pattern, found, "by_path") if owners[i] is None]
            if not left:
                raise TreeError(
                    f"by_path: the patterns before {pattern!r} have taken every leaf that it "
                    "matches; put the more special pattern first, or leave it out"
                )
            for i in left:
                owners[i] = number
        for own, owner in zip(found, owners, strict=True):
            if owner is None:
                raise TreeError(
                    f"by_path: no pattern matches the leaf {own[0]}; "
                    "add one for it, or '*' as the last one for all the rest"
                )
        bound = ByPath(self.rules, tuple(o for o in owners if o is not None))
        return bound.with_children(
            tuple(
                rule.bound(lambda own=own: [found[i] for i in own])  # type: ignore[misc]  # mypy infers no type for a default
                for own, rule in zip(bound._shares(), self.children, strict=True)
            )
        )

    def restricted(self, places: Places) -> ByPath:
        known, kept = self._known_places(), set(places)
        children = tuple(
            rule.restricted(tuple(k for k, i in enumerate(own) if i in kept))
            for own, rule in zip(self._shares(), self.children, strict=True)
        )
        return dataclasses.replace(self, places=tuple(known[i] for i in places)).with_children(
            children
        )

    def _known_places(self) -> Places:
        if self.places is None:
            raise OptionError(
                f"{self!r} has not seen the parameters that it is for; TrainState(model, ps, st, "
                "rule).optimizer has"
            )
        return self.places

    def _shares(self) -> list[Places]:
        """For each rule the places of its leaves."""
        known = self._known_places()
        return [
            tuple(i for i, owner in enumerate(known) if owner == number)
            for number in range(len(self.rules))
        ]

    def __repr__(self) -> str:
        return f"by_path({{{', '.join(f'{p!r}: {r!r}' for p, r in self.rules)}}})"


def by_path(rules: Mapping[str, Rule] | Sequence[tuple[str, Rule]]) -> ByPath:
    """Different rules for different leaves of the parameter tree.

    Parameters
    ----------
    rules : mapping of str to Rule
        Each key is a pattern for the path of a leaf as Python spells it, such as
        `['layer_1']['weight']`: `*` stands for any text, `?` for one character. The first pattern
        that matches a leaf decides. A leaf that occurs at several places matches at any of them.

    Returns
    -------
    ByPath
        A rule for a train state, which finds out there which leaf has which rule. Each rule sees
        its own leaves only: a `ClipNorm` in it takes their norm.

    Raises
    ------
    OptionError
        If a key is no string or a value no rule.
    TreeError
        When a train state takes the rule up: if no pattern matches a leaf, or a pattern has none.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import TrainState
    >>> from polylux.optimizers import SGD, AdamW
    >>> rule = by_path({"*['bias']": SGD(0.1), "*": AdamW(1e-3)})
    >>> ps = {"weight": np.ones((2, 3)), "bias": np.zeros(2)}
    >>> ts = TrainState(lambda x, ps, st: (x, st), ps, {}, rule)
    >>> [a.shape for a in ts.optimizer_state["1.first_moment"]]
    [(2, 3)]
    """
    try:
        pairs = tuple((p, r) for p, r in (rules.items() if isinstance(rules, Mapping) else rules))
    except (TypeError, ValueError):
        raise OptionError(
            "by_path takes a mapping such as {\"*['bias']\": SGD(0.1), '*': Adam()}, "
            f"got {rules!r}"
        ) from None
    return ByPath(pairs)
