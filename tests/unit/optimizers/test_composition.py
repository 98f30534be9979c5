"""Rules made of rules: accumulation, rules by path, frozen leaves; and their errors."""

from __future__ import annotations

from typing import Any

import array_api_compat.numpy as xp
import array_api_strict
import numpy as np
import pytest

from polylux.errors import DomainError, OptionError, TreeError
from polylux.optimizers import (
    SGD,
    AccumulateGradients,
    AdaGrad,
    Adam,
    ByPath,
    ClipNorm,
    Frozen,
    Linear,
    Momentum,
    Piecewise,
    Rule,
    by_path,
    chain,
)

PATHS = [("['a']",), ("['b']",), ("['c']", "['d']['tied']")]


def bound(rule: Rule) -> Rule:
    return rule.bound(lambda: PATHS)


# --- accumulation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("namespace", [xp, array_api_strict], ids=["numpy", "strict"])
def test_both_cases_in_one_trace_are_the_cases_by_themselves(runs: Any, namespace: Any) -> None:
    # Inside a trace the number that says whether the rule acts is an array, outside a float.
    rule = AccumulateGradients(3, Momentum(Linear(0.3, 0.1, 2)))
    parameters = tuple(map(namespace.asarray, runs.start))
    slots = traced = rule.init(namespace, parameters)
    for count in range(1, 8):
        gradients = tuple(map(namespace.asarray, runs.numbers(count)))
        scalars = rule.scalars(count)
        steps, slots = rule.update(namespace, scalars, gradients, parameters, slots)
        arrays = tuple(namespace.asarray(s) for s in scalars)
        both, traced = rule.update(namespace, arrays, gradients, parameters, traced)
        for a, b in zip([*steps, *sum(slots, ())], [*both, *sum(traced, ())], strict=True):
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-15)


def test_in_between_nothing_moves_even_where_the_rule_would_fail(runs: Any) -> None:
    # AdaGrad of a zero gradient without epsilon is 0 / 0: it must not act on a part of the sum.
    rule = AccumulateGradients(2, AdaGrad(0.1, epsilon=0.0))
    parameters = (np.ones(2),)
    slots = rule.init(xp, parameters)
    for scalars in (rule.scalars(1), tuple(map(np.asarray, rule.scalars(1)))):
        with np.errstate(invalid="ignore"):  # what a trace works out and does not choose
            steps, new = rule.update(xp, scalars, (np.zeros(2),), parameters, slots)
        np.testing.assert_array_equal(steps[0], 0.0)
        np.testing.assert_array_equal(new[1][0], 0.0)


def test_one_gradient_at_a_time_is_the_rule_itself(runs: Any) -> None:
    gradients = runs.gradients[:6]
    plain = runs.steps_of(Adam(0.1), runs.start, gradients)
    for a, b in zip(
        plain, runs.steps_of(AccumulateGradients(1, Adam(0.1)), runs.start, gradients), strict=True
    ):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


# --- rules by path --------------------------------------------------------------------------------


def test_first_pattern_that_matches_decides() -> None:
    rule = bound(by_path({"['a']": SGD(), "['?']": Adam()}))
    assert isinstance(rule, ByPath)
    assert rule.places == (0, 1, 1)
    with pytest.raises(TreeError, match=r"before '\*a\*' have taken every leaf"):
        bound(by_path({"*": SGD(), "*a*": Adam()}))


def test_tied_leaf_matches_at_any_of_its_places() -> None:
    rule = bound(by_path({"*['tied']": SGD(), "*": Adam()}))
    assert isinstance(rule, ByPath)
    assert rule.places == (1, 1, 0)


def test_slots_hold_the_leaves_of_their_rule_only(runs: Any) -> None:
    rule = bound(by_path({"['b']": Momentum(), "*": chain(Adam(), Momentum())}))
    parameters = tuple(runs.start)
    slots = rule.init(xp, parameters)
    assert rule.slots == (
        "0.momentum", "1.0.first_moment", "1.0.second_moment", "1.1.momentum",
    )  # fmt: skip
    assert rule.slot_places(3) == ((1,), (0, 2), (0, 2), (0, 2))
    assert [[a.shape for a in slot] for slot in slots] == [
        [parameters[i].shape for i in places] for places in rule.slot_places(3)
    ]


def test_nested_rules_find_their_leaves(runs: Any) -> None:
    inner = by_path({"['c']": SGD(1.0), "*": AdaGrad(0.1, initial_accumulator=0.5)})
    rule = bound(by_path({"['a']": SGD(0.0), "*": AccumulateGradients(1, inner)}))
    parameters, gradients = tuple(runs.start), tuple(runs.numbers(1))
    slots = rule.init(xp, parameters)
    assert [a.shape for a in slots[-1]] == [parameters[1].shape]
    steps, _ = rule.update(xp, rule.scalars(1), gradients, parameters, slots)
    np.testing.assert_array_equal(steps[0], 0.0)
    g = gradients[1]
    np.testing.assert_allclose(steps[1], 0.1 * g / np.sqrt(0.5 + g * g), rtol=1e-9)
    np.testing.assert_array_equal(steps[2], gradients[2])


@pytest.mark.parametrize(
    ("rules", "error", "match"),
    [
        ({"['a']": SGD()}, TreeError, r"no pattern matches the leaf \['b'\]; add one"),
        ({"*z": SGD(), "*": Adam()}, TreeError, r"'\*z' matches no leaf"),
        ({"['A']": SGD(), "*": Adam()}, TreeError, r"matches no leaf; did you mean .*\['a'\]"),
        ({"[abc]": SGD(), "*": Adam()}, TreeError, "matches no leaf"),
    ],
)
def test_rules_that_do_not_fit_the_tree(rules: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        bound(by_path(rules))


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: by_path({}), OptionError, "at least one rule"),
        (lambda: by_path({"*": Adam}), OptionError, "by_path takes optimizer rules"),
        (lambda: by_path({3: Adam()}), OptionError, r"path patterns such as .*, got 3"),
        (lambda: by_path(Adam()), OptionError, "takes a mapping"),
        (lambda: by_path({"*": SGD()}).init(xp, ()), OptionError, "has not seen the parameters"),
        (lambda: Frozen(SGD(), ("['a']",)).parts(1), OptionError, "use freeze"),
        (lambda: Frozen(None, ()), OptionError, "got None"),
        (lambda: AccumulateGradients(Adam(), 3), OptionError, "a whole number first"),
        (lambda: AccumulateGradients(0, Adam()), DomainError, "at least 1, got 0"),
        (lambda: AccumulateGradients(2, "Adam"), OptionError, "got 'Adam'"),
    ],
)
def test_bad_option_is_an_error_that_names_it(make: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        make()


def test_numbers_of_numpy_are_whole_numbers_too() -> None:
    assert repr(AccumulateGradients(np.int64(2), SGD())) == "AccumulateGradients(2, SGD())"
    assert repr(Piecewise({np.int64(0): 1.0})) == "Piecewise(((0, 1.0),))"


# --- frozen leaves --------------------------------------------------------------------------------


def test_frozen_leaves_are_not_seen_by_the_rule_inside(runs: Any) -> None:
    # The norm of the other two leaves is clipped, whatever the frozen one's gradient is.
    rule = bound(Frozen(chain(ClipNorm(1.0), SGD(1.0)), ("['a']",)))
    gradients = (np.full((3, 4), 1e9), np.asarray([3.0, 0, 0, 0]), np.asarray(4.0))
    steps, _ = rule.update(xp, rule.scalars(1), gradients, tuple(runs.start), ())
    np.testing.assert_array_equal(steps[0], 0.0)
    np.testing.assert_allclose(steps[1], [0.6, 0, 0, 0], rtol=1e-15)
    np.testing.assert_allclose(steps[2], 0.8, rtol=1e-15)


def test_frozen_leaf_of_rules_by_path_is_left_out_of_its_rule(runs: Any) -> None:
    inner = by_path({"['b']": Momentum(1.0), "*": Momentum(2.0)})
    rule = bound(Frozen(inner, ("['a']",)))
    parameters, gradients = tuple(runs.start), tuple(runs.numbers(1))
    slots = tuple(tuple(a + 7 for a in slot) for slot in rule.init(xp, parameters))
    steps, new = rule.update(xp, rule.scalars(1), gradients, parameters, slots)
    np.testing.assert_array_equal(steps[0], 0.0)
    np.testing.assert_allclose(steps[1], gradients[1] + 0.9 * 7, rtol=1e-15)
    np.testing.assert_allclose(steps[2], 2 * (gradients[2] + 0.9 * 7), rtol=1e-15)
    np.testing.assert_array_equal(new[1][0], 7.0)
    np.testing.assert_array_equal(new[1][1], gradients[2] + 0.9 * 7)


def test_slots_of_frozen_leaves_are_the_same_numbers_in_memory_of_their_own(runs: Any) -> None:
    # A later update may be made in the buffers of the new slots.
    rule = bound(Frozen(Momentum(), ("['a']",)))
    parameters = tuple(runs.start)
    slots = tuple(tuple(a + 7 for a in slot) for slot in rule.init(xp, parameters))
    _, new = rule.update(xp, rule.scalars(1), tuple(runs.numbers(1)), parameters, slots)
    np.testing.assert_array_equal(new[0][0], slots[0][0])
    assert not np.shares_memory(new[0][0], slots[0][0])


def test_path_that_is_not_there_cannot_be_frozen() -> None:
    with pytest.raises(TreeError, match=r"no leaf at \['z'\], which is frozen; did you mean"):
        bound(Frozen(SGD(), ("['z']",)))


def test_equal_rules_for_two_trees_keep_their_leaves_apart(runs: Any) -> None:
    # Where the leaves lie is no part of a rule's equality, so it must not be found by equality.
    rule = by_path({"*['x']": SGD(1.0), "*": SGD(0.0)})
    trees = [[("['x']",), ("['y']",)], [("['w']",), ("['x']",)]]
    two = [Frozen(rule, ("['x']",)).bound(lambda tree=tree: tree) for tree in trees]
    ends = [r.update(xp, r.scalars(1), (np.ones(1),) * 2, (np.ones(1),) * 2, ())[0] for r in two]
    assert [[float(a[0]) for a in end] for end in ends] == [[0, 0], [0, 0]]
    one = [rule.bound(lambda tree=tree: tree) for tree in trees]
    ends = [r.update(xp, r.scalars(1), (np.ones(1),) * 2, (np.ones(1),) * 2, ())[0] for r in one]
    assert [[float(a[0]) for a in end] for end in ends] == [[1, 0], [0, 1]]
