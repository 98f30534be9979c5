"""Selectors as values: compared, hashed, pickled, copied, printed and checked."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from polylux.errors import OptionError, UnsupportedError
from polylux.registry import resolve
from polylux.selectors import (
    ADType,
    Auto,
    AutoAutograd,
    AutoFiniteDiff,
    AutoJax,
    AutoTorch,
    Frozen,
    Mode,
    NoAutoDiff,
    SecondOrder,
)

SELECTORS = [
    AutoTorch(),
    AutoTorch(compile=True),
    AutoTorch(compile={"mode": "max-autotune", "options": {"epilogue_fusion": True}}),
    AutoTorch(device="cuda:1"),
    AutoJax(),
    AutoJax(jit=False, device="gpu:1"),
    AutoAutograd(),
    AutoFiniteDiff(),
    AutoFiniteDiff(order=8, step=1e-3),
    NoAutoDiff(),
    AutoTorch(mode="forward"),
    AutoJax(mode="reverse"),
    AutoAutograd(mode="forward"),
    SecondOrder(AutoJax(mode="forward"), AutoJax(jit=False, mode="reverse")),
    Auto("torch"),
    Auto("torch", compile=True, device="cpu"),
    Auto("stranger", weights=[1, 2], table={"a": {"b": 1}}),
]
every_selector = pytest.mark.parametrize("selector", SELECTORS, ids=repr)


@every_selector
def test_repr_can_be_pasted_back(selector: ADType) -> None:
    again = eval(repr(selector))
    assert again == selector
    assert type(again) is type(selector)


@every_selector
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_gives_an_equal_selector_with_an_equal_hash(
    selector: ADType, protocol: int
) -> None:
    again = pickle.loads(pickle.dumps(selector, protocol))
    assert again == selector
    assert hash(again) == hash(selector)
    assert repr(again) == repr(selector)


@every_selector
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_are_equal(selector: ADType, duplicate: Any) -> None:
    assert duplicate(selector) == selector


@every_selector
def test_fields_cannot_be_assigned(selector: ADType) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        selector.device = "cpu"  # type: ignore[attr-defined]  # what is tested


def test_selectors_that_differ_are_unequal() -> None:
    assert len(set(SELECTORS)) == len(SELECTORS)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (AutoTorch(compile=False, device=None), "AutoTorch()"),
        (AutoTorch(compile={"mode": "reduce-overhead"}),
         "AutoTorch(compile={'mode': 'reduce-overhead'})"),
        (AutoJax(jit=True), "AutoJax()"),
        (AutoJax(jit=False), "AutoJax(jit=False)"),
        (Auto("jax", jit=False), "Auto('jax', jit=False)"),
    ],
)  # fmt: skip
def test_repr_leaves_defaults_out(selector: ADType, text: str) -> None:
    assert repr(selector) == text


@pytest.mark.parametrize(
    ("selector", "backend", "mode"),
    [
        (AutoTorch(), "torch", Mode.EITHER),
        (AutoJax(), "jax", Mode.EITHER),
        (AutoAutograd(), "autograd", Mode.EITHER),
        (NoAutoDiff(), "host", Mode.NONE),
    ],
    ids=["torch", "jax", "autograd", "none"],
)
def test_a_selector_names_its_backend_and_mode(selector: ADType, backend: str, mode: Mode) -> None:
    assert selector.backend == backend
    assert selector.mode is mode


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: AutoTorch(compiel=True), "AutoTorch got an unknown keyword 'compiel'; did you"),  # type: ignore[call-arg]  # what is tested
        (lambda: AutoJax(compile=True), "AutoJax got an unknown keyword 'compile'; known are"),  # type: ignore[call-arg]  # what is tested
        (lambda: AutoAutograd(device="cpu"), "AutoAutograd got an unknown keyword 'device'"),  # type: ignore[call-arg]  # what is tested
        (lambda: AutoTorch(compile=1), "takes a bool or a mapping"),  # type: ignore[arg-type]  # what is tested
        (lambda: AutoJax(jit="yes"), "takes a bool, got 'yes'"),  # type: ignore[arg-type]  # what is tested
        (lambda: AutoTorch(device=0), "takes a string such as 'cpu', got 0"),  # type: ignore[arg-type]  # what is tested
        (lambda: Auto(3), "takes the name of a backend as a string, got 3"),  # type: ignore[arg-type]  # what is tested
        (lambda: Auto(""), "takes the name of a backend as a string, got ''"),
    ],
    ids=["near keyword", "far keyword", "keyword of another", "compile", "jit", "device", "name",
         "empty name"],
)  # fmt: skip
def test_a_wrong_option_is_an_error_that_says_what_is_right(make: Any, sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        make()
    assert sentence in str(caught.value)


def test_options_given_as_a_mapping_are_copied() -> None:
    options = {"mode": "default", "options": {"trace.enabled": True}}
    selector = AutoTorch(compile=options)
    options["mode"] = "max-autotune"
    options["options"]["trace.enabled"] = False  # type: ignore[index]  # a dict of mixed values
    assert selector.compile == {"mode": "default", "options": {"trace.enabled": True}}


def test_an_empty_mapping_of_compile_options_asks_for_compilation() -> None:
    assert AutoTorch(compile={}) == AutoTorch(compile=True)


def test_equal_option_mappings_have_equal_hashes() -> None:
    # 1 == 1.0 == True, so the mappings are equal, and so must be their hashes.
    ones = [Frozen({"a": 1, "b": [2]}), Frozen({"b": [2], "a": 1.0}), Frozen({"a": True, "b": [2]})]
    assert all(one == ones[0] for one in ones)
    assert len({hash(one) for one in ones}) == 1


def test_a_strangers_selector_gets_the_same_care() -> None:
    @dataclasses.dataclass(frozen=True, repr=False)
    class AutoMine(ADType):
        backend = "mine"
        depth: int = 1

    assert repr(AutoMine(depth=2)) == "AutoMine(depth=2)"
    assert len({AutoMine(), AutoMine(depth=1)}) == 1
    with pytest.raises(OptionError, match="did you mean 'depth'"):
        AutoMine(dept=2)  # type: ignore[call-arg]  # what is tested


@pytest.mark.parametrize("make", [AutoTorch, AutoJax, AutoAutograd])
def test_a_mode_is_given_by_name_or_not_at_all(make: Any) -> None:
    assert make(mode="forward") == make(mode=Mode.FORWARD)
    assert make(mode="forward").mode is Mode.FORWARD
    assert make(mode=None) == make()
    assert make().mode is Mode.EITHER
    assert make(mode="forward") != make(mode="reverse")
    for wrong in ("backward", 1, Mode.SYMBOLIC):
        with pytest.raises(OptionError, match=r"mode=\.\.\.\) takes 'forward', 'reverse' or None"):
            make(mode=wrong)


def test_second_order_takes_two_selectors_of_one_backend() -> None:
    pair = SecondOrder(AutoTorch(mode="forward"), Auto("torch", mode="reverse"))
    assert pair.backend == "torch"
    with pytest.raises(UnsupportedError, match=r"mixes two backends"):
        SecondOrder(AutoTorch(), AutoJax())
    for wrong in (pair, "torch", AutoTorch):
        with pytest.raises(OptionError, match="as inner"):
            SecondOrder(AutoTorch(), wrong)  # type: ignore[arg-type]


def test_second_order_stands_for_its_inner_selector() -> None:
    pair = SecondOrder(AutoAutograd(mode="forward"), AutoAutograd(mode="reverse"))
    assert pair.mode is Mode.REVERSE
    assert resolve(pair)[1] == AutoAutograd(mode="reverse")
