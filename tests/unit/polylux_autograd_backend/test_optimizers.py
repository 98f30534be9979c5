"""Updates on flat buffers: the rules' own numbers, what is overwritten and what is not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from polylux.optimizers import SGD, Adam, AdamW, ClipNorm, chain
from polylux.selectors import AutoAutograd
from polylux_autograd import _flat
from polylux_autograd import array_api as xp
from polylux_autograd._backend import AutogradBackend
from polylux_autograd._flat import Layout, Views

BACKEND = AutogradBackend()
SELECTOR = AutoAutograd()
RULES = [
    SGD(0.1),
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, nesterov=True),
    Adam(0.01),
    Adam(0.01, betas=(0.5, 0.9), epsilon=0.1),
    AdamW(0.01, weight_decay=0.3),
]
SHAPES = ((3, 2), (), (5,), (0, 4), (7, 11))


def group(seed: int, dtypes: Any = ("float32",)) -> tuple[Any, ...]:
    random = np.random.default_rng(seed)
    kinds = itertools.cycle(dtypes)
    return tuple(
        xp.asarray(np.asarray(random.normal(size=s)).astype(next(kinds))) for s in SHAPES
    )


def zeros(rule: Any, parameters: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
    return rule.init(xp, parameters)


def data_of(arrays: Any) -> list[np.ndarray]:
    return [np.array(a) for a in BACKEND.to_host(arrays)]


def neutral(rule: Any, p: Any, g: Any, slots: Any, count: int) -> Any:
    steps, slots = rule.update(xp, rule.scalars(count), g, p, slots)
    return tuple(a - b for a, b in zip(p, steps, strict=True)), slots


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("dtypes", [("float32",), ("float64",), ("float32", "float64")], ids=str)
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_ten_updates_give_the_numbers_of_the_rule(rule: Any, dtypes: Any, in_place: bool) -> None:
    update = BACKEND.fused_update(rule, in_place, SELECTOR)
    p = q = group(0, dtypes)
    s = t = zeros(rule, p)
    for count in range(1, 11):
        gradients = group(count, dtypes)
        p, s = update(p, gradients, s, count)
        q, t = neutral(rule, q, gradients, t, count)
    flat = [*p, *itertools.chain(*s)], [*q, *itertools.chain(*t)]
    for got, expected in zip(*map(data_of, flat), strict=True):
        # Ten updates of a few roundings each, relative to the largest entry.
        tolerance = 40 * np.finfo(expected.dtype).eps * max(1, np.abs(expected).max(initial=0))
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance, strict=True)


@pytest.mark.parametrize("in_place", [True, False])
def test_parameters_alone_of_their_dtype_are_overwritten_in_place_from_the_first_update(
    in_place: bool,
) -> None:
    rule = Adam(0.01)
    p, g = (
        tuple(xp.asarray(np.full((2, 3), x, dtype)) for dtype in ("float32", "float64"))
        for x in (1.0, 0.5)
    )
    s, before = zeros(rule, p), data_of(p)
    expected = neutral(rule, p, g, s, 1)
    got = BACKEND.fused_update(rule, in_place, SELECTOR)(p, g, s, 1)
    handed, found, right = [[*p, *itertools.chain(*s)] for p, s in ((p, s), got, expected)]
    for array, updated, wanted in zip(handed, found, right, strict=True):
        assert np.shares_memory(array._data, updated._data) is in_place
        np.testing.assert_allclose(updated._data, wanted._data, rtol=1e-6)
    if not in_place:
        np.testing.assert_array_equal(before, data_of(p))


@pytest.mark.parametrize("in_place", [True, False])
def test_a_first_update_leaves_arrays_of_others_alone(in_place: bool) -> None:
    rule = Adam(0.01)
    p, g = group(0), group(1)
    s = zeros(rule, p)
    before = data_of([*p, *g, *itertools.chain(*s)])
    BACKEND.fused_update(rule, in_place, SELECTOR)(p, g, s, 1)
    for a, b in zip(before, data_of([*p, *g, *itertools.chain(*s)]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_pure_update_leaves_what_an_earlier_one_gave() -> None:
    rule = Adam(0.01)
    update = BACKEND.fused_update(rule, False, SELECTOR)
    first = update(group(0), group(1), zeros(rule, group(0)), 1)
    before = data_of([*first[0], *itertools.chain(*first[1])])
    update(first[0], group(2), first[1], 2)
    for a, b in zip(before, data_of([*first[0], *itertools.chain(*first[1])]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_update_in_place_reuses_the_buffers_and_spares_the_gradients() -> None:
    rule = Adam(0.01)
    update = BACKEND.fused_update(rule, True, SELECTOR)
    p, s = update(group(0), group(1), zeros(rule, group(0)), 1)
    gradients = group(2)
    before = data_of(gradients)
    q, t = update(p, gradients, s, 2)
    assert q is p
    assert all(a is b for a, b in zip(s, t, strict=True))
    for a, b in zip(before, data_of(gradients), strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_runs_may_take_turns_with_one_update() -> None:
    rule = Adam(0.01)
    shared = BACKEND.fused_update(rule, True, SELECTOR)
    runs = {}
    for interleaved in (True, False):
        state = {k: (group(k), zeros(rule, group(k))) for k in (0, 1)}
        order = [0, 1] * 5 if interleaved else [0] * 5 + [1] * 5
        counts = {0: 0, 1: 0}
        for k in order:
            counts[k] += 1
            state[k] = shared(state[k][0], group(10 + counts[k]), state[k][1], counts[k])
        runs[interleaved] = [data_of(state[k][0]) for k in (0, 1)]
    for a, b in zip(itertools.chain(*runs[True]), itertools.chain(*runs[False]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_views_of_one_group_share_one_vector_for_each_dtype() -> None:
    rule = SGD(0.1)
    p, _ = BACKEND.fused_update(rule, True, SELECTOR)(
        group(0, ("float32", "float64")), group(1, ("float32", "float64")), (), 1
    )
    assert isinstance(p, Views)
    assert [v.dtype.name for v in p.vectors] == ["float32", "float64"]
    assert sum(v.size for v in p.vectors) == sum(a.size for a in p)


def test_blocks_cover_each_entry_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_flat, "BLOCK", 8)
    sizes = (3, 20, 2, 2, 8, 0, 9, 1)
    arrays = tuple(xp.arange(n, dtype=xp.float32) + 100 * i for i, n in enumerate(sizes))
    flat = np.concatenate([np.asarray(data_of([a])[0]) for a in arrays])
    covered = np.zeros(flat.size, int)
    for number, piece, gradient in Layout(arrays).blocks(arrays):
        assert number == 0
        covered[piece] += 1
        np.testing.assert_array_equal(gradient, flat[piece])
    assert covered.tolist() == [1] * flat.size


def test_other_rules_are_left_to_their_own_code() -> None:
    for rule in (chain(ClipNorm(1.0), Adam(0.01)), ClipNorm(1.0)):
        assert BACKEND.fused_update(rule, True, SELECTOR) is None
