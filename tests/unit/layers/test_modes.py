"""trainmode, testmode, update_state: which entries change, and what stays the same object."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest

import polylux
from polylux import update_state
from polylux.errors import OptionError, TreeError
from polylux.layers import StatefulLayer, testmode, trainmode

MEAN = np.ones(3)
STATES = {
    "layer_1": {},
    "layer_2": {"training": True, "mean": MEAN},
    "layer_3": [{"training": True}, ({"deeper": {"training": False}}, None)],
}


def test_they_are_at_the_front_door() -> None:
    assert polylux.trainmode is trainmode
    assert polylux.testmode is testmode


@pytest.mark.parametrize(("change", "flag"), [(trainmode, True), (testmode, False)])
def test_every_flag_is_set_and_the_given_states_are_left_alone(change: Any, flag: bool) -> None:
    given = copy.deepcopy(STATES)
    assert change(given) == {
        "layer_1": {},
        "layer_2": {"training": flag, "mean": given["layer_2"]["mean"]},
        "layer_3": [{"training": flag}, ({"deeper": {"training": flag}}, None)],
    }
    np.testing.assert_equal(given, STATES)


def test_what_does_not_change_is_the_same_object() -> None:
    new = testmode(STATES)
    assert new["layer_2"]["mean"] is MEAN
    assert new["layer_1"] is STATES["layer_1"]
    assert testmode({"a": 1}) == {"a": 1}
    quiet = {"a": {"training": False}}
    assert testmode(quiet) is quiet


class Record(NamedTuple):
    carry: Any
    training: bool


def test_containers_keep_their_types() -> None:
    new = testmode(OrderedDict(b=Record({"training": True}, True), a=[{}]))
    assert type(new) is OrderedDict
    assert list(new) == ["b", "a"]
    # A namedtuple is no dict: its fields are not looked at, what stands in them is.
    assert new["b"] == Record({"training": False}, True)


def test_update_state_sets_an_entry_wherever_it_stands() -> None:
    st = {"a": {"carry": None}, "b": [{"carry": {"h": MEAN}, "rate": 0.5}]}
    new = update_state(st, "carry", 7)
    assert new == {"a": {"carry": 7}, "b": [{"carry": 7, "rate": 0.5}]}
    assert update_state(st, "carry", {"carry": 1})["a"] == {"carry": {"carry": 1}}


def test_update_state_looks_at_the_keys_of_dicts_only() -> None:
    s = StatefulLayer(lambda x, ps, st: (x, st), {}, {"rate": 1})  # a node of attributes ps, st
    new = update_state({"st": 0, "inner": s}, "st", 2)
    assert new["st"] == 2
    assert new["inner"].st == {"rate": 1}


def test_update_state_of_an_absent_key_names_the_nearest() -> None:
    with pytest.raises(TreeError, match="no entry 'trainning'; did you mean 'training'"):
        update_state(STATES, "trainning", False)
    with pytest.raises(TreeError, match="no entry 'rate'; none are known"):
        update_state([], "rate", 1)


def test_update_state_needs_a_string() -> None:
    with pytest.raises(OptionError, match="a string as key, got 3"):
        update_state({}, 3, None)  # type: ignore[arg-type]


def test_stateful_layer_gets_a_new_one() -> None:
    s = StatefulLayer(lambda x, ps, st: (x, st), {}, {"training": True, "rate": 0.5})
    test = testmode(s)
    assert isinstance(test, StatefulLayer)
    assert test.st == {"training": False, "rate": 0.5}
    assert trainmode(test).st["training"] is True
    assert update_state(s, "rate", 0.1).st["rate"] == 0.1
    assert s.st == {"training": True, "rate": 0.5}
