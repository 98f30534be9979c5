"""foldl_init: the order of calls, the initial value, and derivatives by all that takes part."""

from __future__ import annotations

from typing import Any

import numpy as np

import polylux
from polylux.ops import foldl_init


def test_calls_go_from_left_to_right() -> None:
    assert foldl_init(lambda done, item: f"({done} {item})", "abc", "0") == "(((0 a) b) c)"


def test_without_an_initial_value_the_first_call_gets_none() -> None:
    seen: list[Any] = []
    foldl_init(lambda done, item: seen.append((done, item)) or item, (1, 2))
    assert seen == [(None, 1), (1, 2)]


def test_nothing_to_fold_gives_the_initial_value() -> None:
    start = object()
    assert foldl_init(None, (), start) is start  # type: ignore[arg-type]  # never called
    assert foldl_init(None, []) is None  # type: ignore[arg-type]  # never called


def test_items_of_an_array_are_its_slices_along_the_first_axis(library: Any) -> None:
    x = library.array([[1.0, 2.0], [3.0, 4.0]])
    got = foldl_init(lambda done, item: 10 * done + item, x, library.array([0.0, 0.0]))
    assert library.host(got).dtype == np.float64
    np.testing.assert_array_equal(library.host(got), [13, 24])


def test_double_precision_is_kept_in_every_call(library: Any) -> None:
    items = (library.array(1.0), library.array(2.0**-40))
    got = foldl_init(lambda done, item: done + item, items, library.array(0.0))
    assert library.host(got) == 1 + 2.0**-40


def test_state_may_be_a_tree(library: Any) -> None:
    def op(state: Any, item: Any) -> Any:
        total, product = state
        return total + item, product * item

    items = [library.array(2.0), library.array(3.0)]
    total, product = foldl_init(op, items, (library.array(0.0), library.array(1.0)))
    assert (float(total), float(product)) == (5.0, 6.0)


def test_derivatives_reach_the_items_the_start_and_the_closure(selector: polylux.ADType) -> None:
    # ((s w + a) w + b) w, a Horner scheme: s w^3 + a w^2 + b w
    def f(p: Any) -> Any:
        return foldl_init(lambda done, item: (done + item) * p["w"], p["items"], p["start"])

    w, a, b, s = 3.0, 5.0, 7.0, 2.0
    point = {"w": np.asarray(w), "items": (np.asarray(a), np.asarray(b)), "start": np.asarray(s)}
    value, got = polylux.to_host(polylux.value_and_gradient(f, selector, point))
    # ((s + a) w + b) w
    assert value == (s + a) * w**2 + b * w
    assert got["start"] == got["items"][0] == w**2
    assert got["items"][1] == w
    assert got["w"] == 2 * (s + a) * w + b
