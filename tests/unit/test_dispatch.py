"""Tables by type: what is found once, and when it is found anew."""

from __future__ import annotations

import gc
import weakref

import pytest

from polylux.dispatch import TypeTable
from polylux.registry import _registry


@pytest.fixture(autouse=True)
def _alone(own_registry: _registry._Registry) -> None:
    """No other table loses its entries for these tests."""


def test_an_entry_is_found_once_for_each_type() -> None:
    asked: list[type] = []

    def find(kind: type) -> str:
        asked.append(kind)
        return kind.__name__

    table = TypeTable(find)
    assert [table[int], table[str], table[int]] == ["int", "str", "int"]
    assert asked == [int, str]


def test_entries_are_dropped_when_the_registry_changes(own_registry: _registry._Registry) -> None:
    found = iter(["former", "latter"])
    table = TypeTable(lambda kind: next(found))
    assert table[int] == "former"
    own_registry.changed()
    assert table[int] == "latter"


def test_what_was_found_while_the_registry_changed_is_not_kept(
    own_registry: _registry._Registry,
) -> None:
    def find(kind: type) -> int:
        generation = own_registry.generation
        if generation == start:
            own_registry.changed()
        return generation

    start = own_registry.generation
    table = TypeTable(find)
    assert (table[int], table[int], table[int]) == (start, start + 1, start + 1)
    assert dict(table) == {int: start + 1}


def test_an_error_leaves_no_entry() -> None:
    def fail(kind: type) -> None:
        raise LookupError(kind.__name__)

    table = TypeTable(fail)
    for _ in range(2):
        with pytest.raises(LookupError, match="int"):
            table[int]
    assert not table


def test_the_registry_does_not_keep_a_table() -> None:
    table = TypeTable(lambda kind: None)
    alive = weakref.ref(table)
    del table
    gc.collect()
    assert alive() is None
