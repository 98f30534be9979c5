"""getproperty and istraining: present, absent, and present but None."""

from __future__ import annotations

from collections import defaultdict, namedtuple
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import polylux
from polylux.errors import OptionError
from polylux.ops import getproperty, istraining

Record = namedtuple("Record", ["training", "mean"])


@pytest.mark.parametrize(
    ("x", "name", "expected"),
    [
        ({"a": 1}, "a", 1),
        ({"a": 1}, "b", None),
        ({"items": None}, "items", None),
        ({}, "keys", None),
        (Record(True, 2), "mean", 2),
        (Record(True, 2), "variance", None),
        (SimpleNamespace(a=1), "a", 1),
        (SimpleNamespace(a=None), "a", None),
        (None, "a", None),
    ],
)
def test_property_or_none(x: Any, name: str, expected: Any) -> None:
    assert getproperty(x, name) is expected


def test_asking_leaves_a_defaultdict_as_it_is() -> None:
    x: defaultdict[str, list[int]] = defaultdict(list)
    assert getproperty(x, "a") is None
    assert not x


def test_error_of_the_users_own_property_passes() -> None:
    class Broken:
        @property
        def a(self) -> Any:
            raise AttributeError("inner")

    with pytest.raises(AttributeError, match="inner"):
        getproperty(Broken(), "a")


def test_derivatives_pass_through_a_property(selector: polylux.ADType) -> None:
    def f(p: Any) -> Any:
        assert getproperty(p, "absent") is None
        return getproperty(p, "w") ** 2

    assert float(polylux.gradient(f, selector, {"w": np.asarray(3.0)})["w"]) == 6.0


def test_name_of_a_property_is_a_string() -> None:
    with pytest.raises(OptionError, match="string"):
        getproperty({0: 1}, 0)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("flag", [True, False])
def test_training_flag(flag: bool) -> None:
    answers = {istraining(x) for x in (flag, np.bool_(flag), {"training": flag}, Record(flag, 0))}
    assert answers == {flag}
    assert all(type(a) is bool for a in answers)


def test_states_without_a_flag_are_not_training() -> None:
    assert istraining({}) is False
    assert istraining(SimpleNamespace()) is False
    assert istraining({"layer_1": {"training": True}}) is False


@pytest.mark.parametrize("x", [None, 1, 1.0, "True", (True,), [True]], ids=repr)
def test_what_is_no_record_is_an_error(x: Any) -> None:
    with pytest.raises(OptionError, match="istraining takes a bool or states"):
        istraining(x)


@pytest.mark.parametrize("flag", [1, "yes", np.ones(1)], ids=repr)
def test_flag_that_is_no_bool_is_an_error(flag: Any) -> None:
    with pytest.raises(OptionError, match="'training' must be True or False"):
        istraining({"training": flag})
