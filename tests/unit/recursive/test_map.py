"""recursive_map: which leaves meet, what stays tied, and errors that name the leaf."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import polylux
from polylux import recursive_map, register_leaf, tree
from polylux.errors import TreeError


def test_leaves_meet_at_their_places(library: Any) -> None:
    x = {"a": library.array([1.0, 2.0]), "b": ([library.array(3.0)], None)}
    y = {"a": library.array([10.0, 20.0]), "b": ([library.array(30.0)], None)}
    got = recursive_map(lambda p, q: q - 2 * p, x, y)
    np.testing.assert_array_equal(library.host(got["a"]), [8, 16])
    assert library.host(got["b"][0][0]) == 24
    assert got["b"][1] is None


def test_every_leaf_is_given_whatever_it_is() -> None:
    seen: list[Any] = []
    rng = np.random.default_rng(0)
    recursive_map(seen.append, {"a": "relu", "b": 0.5, "c": len, "d": rng, "e": None, "f": True})
    assert sorted(map(repr, seen)) == sorted(map(repr, ["relu", 0.5, len, rng, True]))


def test_object_at_several_places_is_mapped_once_and_stays_tied(library: Any) -> None:
    tied, rng = library.array([1.0]), np.random.default_rng(0)
    calls: list[Any] = []

    def f(leaf: Any) -> Any:
        calls.append(leaf)
        return [leaf]  # a new object

    got = recursive_map(f, {"a": tied, "b": (tied, rng), "c": rng})
    assert len(calls) == 2
    assert got["a"] is got["b"][0]
    assert got["c"] is got["b"][1]


def test_equal_numbers_are_not_tied() -> None:
    counter = iter(range(10))
    assert recursive_map(lambda _: next(counter), [1, 1, "a", "a"]) == [0, 1, 2, 3]


def test_partners_of_a_tied_leaf_must_be_equal(library: Any) -> None:
    tied = library.array([1.0, np.nan])
    x = {"a": tied, "b": tied}
    same = {"a": library.array([2.0, np.nan]), "b": library.array([2.0, np.nan])}
    got = recursive_map(lambda p, q: p + q, x, same)
    assert got["a"] is got["b"]
    other = {**same, "b": library.array([3.0, np.nan])}
    with pytest.raises(TreeError, match=r"tied leaf \['a'\] has different values"):
        recursive_map(lambda p, q: p + q, x, other)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ({"a": 1}, r"no leaf at \['b'\]\[0\]"),
        ({"a": 1, "b": [2], "c": 3}, r"unexpected \['c'\]"),
        ({"a": 1, "b": (2,)}, "got containers"),
        ({"a": 1, "b": [None]}, r"no leaf at \['b'\]\[0\]"),
        (7, r"no leaf at \['a'\]"),
    ],
)
def test_other_containers_are_an_error_that_names_the_leaf(y: Any, message: str) -> None:
    with pytest.raises(TreeError, match=f"recursive_map.*{message}"):
        recursive_map(max, {"a": 1, "b": [2]}, {"a": 1, "b": [2]}, y)


def test_users_error_passes_with_a_note_of_the_leaf(library: Any) -> None:
    def f(leaf: Any) -> Any:
        raise ZeroDivisionError("own")

    with pytest.raises(ZeroDivisionError, match="own") as caught:
        recursive_map(f, {"a": [library.array(1.0)]})
    assert caught.value.__notes__ == ["in recursive_map, at the leaf ['a'][0]"]
    with pytest.raises(ZeroDivisionError) as caught:
        recursive_map(f, 3)
    assert caught.value.__notes__ == ["in recursive_map, at the leaf itself"]


def test_double_precision_is_kept_beside_single(library: Any) -> None:
    x = {"wide": library.array([1.0]), "narrow": library.array([1.0], np.float32)}

    def f(leaf: Any) -> Any:
        return leaf + 2.0**-40

    got = recursive_map(f, x)
    assert library.host(got["wide"]) == 1 + 2.0**-40
    assert library.host(got["narrow"]).dtype == np.float32


def test_derivatives_pass(selector: polylux.ADType) -> None:
    def f(p: Any) -> Any:
        squares = recursive_map(lambda a, b: a * b, p, p)
        xp = polylux.array_namespace(p["a"])
        return xp.sum(squares["a"]) + squares["b"][0]

    point = {"a": np.asarray([1.0, 2.0]), "b": (np.asarray(3.0),)}
    got = polylux.to_host(polylux.gradient(f, selector, point))
    np.testing.assert_array_equal(got["a"], [2, 4])
    assert got["b"][0] == 6


def test_registered_leaf_is_handed_on_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_LEAF_CLASSES", ())

    class Interval(NamedTuple):
        low: Any
        high: Any

    assert recursive_map(lambda leaf: leaf + 1, [Interval(1, 2)]) == [Interval(2, 3)]
    register_leaf(Interval)
    assert recursive_map(lambda leaf: leaf.high - leaf.low, [Interval(1, 5)]) == [4]
