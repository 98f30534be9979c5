"""Which backends the demo runs with, and why it leaves others out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from polylux import registry
from polylux.backend import Accuracy, Capability, HostBackend
from polylux.cli import _contenders
from polylux.errors import FrameworkMissingError, UnknownBackendError, UnsupportedError


class Full(HostBackend):
    """Claims all that the demo wants; its derivatives are never asked for here."""

    name = "full"
    capabilities = frozenset({Capability.GRADIENT, Capability.REVERSE})

    def pullback(self, function: Any, leaves: Any, selector: Any) -> Any:
        raise AssertionError


class ForwardOnly(Full):
    """Has no reverse mode."""

    name = "forward"
    capabilities = frozenset({Capability.GRADIENT})


class Single(Full):
    """Has no float64."""

    name = "single"
    float64 = Accuracy.NONE


class Numbers(Full):
    """Does not differentiate."""

    name = "numbers"
    capabilities = frozenset()


class Absent(Full):
    """Its framework is not installed."""

    name = "absent"


@pytest.fixture(autouse=True)
def five(register: Callable[..., None]) -> None:
    for backend in (Full, ForwardOnly, Single, Numbers):
        register(backend)
    register(Absent, framework="no_such_framework", install="pip install 'no[such]'")


def names(contenders: list[_contenders.Contender]) -> list[str]:
    return [contender.name for contender in contenders]


def test_named_ones_come_in_the_order_given_and_once() -> None:
    assert names(_contenders.named(["single", "full", "single"], "float32")) == ["single", "full"]


def test_a_contender_has_its_backends_own_selector_and_the_frameworks_version() -> None:
    (contender,) = _contenders.named(["full"], "float32")
    assert contender.selector == registry.plugins()["full"].selector()
    assert contender.version == "-"


def test_all_that_can_run_are_taken_and_the_others_explained() -> None:
    found, left_out = _contenders.every_available("float64")
    assert names(found) == ["full"]
    remarks = dict(remark.split(" is left out: ") for remark in left_out)
    assert "pip install 'no[such]'" in remarks["absent"]
    assert "run it with --backend forward" in remarks["forward"]
    assert "does not differentiate" in remarks["numbers"]
    assert "has no float64; use --dtype float32" in remarks["single"]


def test_a_slow_backend_runs_if_it_is_asked_for() -> None:
    assert names(_contenders.named(["forward"], "float32")) == ["forward"]


def test_a_backend_without_float64_runs_in_float32() -> None:
    assert "single" in names(_contenders.every_available("float32")[0])


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("ful", UnknownBackendError, "no backend named 'ful' is registered; did you mean 'full'"),
        ("absent", FrameworkMissingError, r"run: pip install 'no\[such\]'"),
        ("numbers", UnsupportedError, "does not differentiate"),
        ("single", UnsupportedError, "has no float64"),
    ],
)
def test_a_named_backend_that_cannot_run_is_an_error(
    name: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        _contenders.named(["full", name], "float64")
