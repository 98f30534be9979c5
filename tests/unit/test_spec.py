"""Specs: checked keywords and a repr that can be pasted back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from polylux.errors import OptionError
from polylux.spec import Spec


@dataclasses.dataclass(frozen=True, repr=False)
class Rule(Spec):
    rate: float
    momentum: float = 0.0
    names: tuple[str, ...] = dataclasses.field(default_factory=tuple)
    note: str = dataclasses.field(default="", kw_only=True)
    must: int = dataclasses.field(kw_only=True, default=1)


@dataclasses.dataclass(frozen=True, repr=False)
class Keyed(Spec):
    size: int = dataclasses.field(kw_only=True)
    twice: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "twice", 2 * self.size)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (Rule(0.1), "Rule(0.1)"),
        (Rule(0.1, 0.9), "Rule(0.1, momentum=0.9)"),
        (Rule(0.1, momentum=0.0, names=()), "Rule(0.1)"),
        (Rule(0.1, names=("w",), note="x"), "Rule(0.1, names=('w',), note='x')"),
        (Keyed(size=3), "Keyed(size=3)"),
    ],
    ids=["required", "changed", "defaults spelled out", "factory default", "required keyword"],
)
def test_repr_shows_what_differs_and_can_be_pasted_back(spec: Spec, text: str) -> None:
    assert repr(spec) == text
    assert eval(text) == spec


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"momentun": 0.9}, "Rule got an unknown keyword 'momentun'; did you mean 'momentum'?"),
        ({"q": 1}, "known are 'momentum', 'must', 'names', 'note', 'rate'"),
    ],
    ids=["near", "far"],
)
def test_unknown_keyword_names_the_known_ones(keywords: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match="unknown keyword") as caught:
        Rule(0.1, **keywords)
    assert sentence in str(caught.value)


def test_a_field_that_is_computed_is_no_keyword() -> None:
    with pytest.raises(OptionError, match="unknown keyword 'twice'"):
        Keyed(size=1, twice=2)  # type: ignore[call-arg]  # what is tested
