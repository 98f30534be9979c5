"""Each public loss, rule, kernel and convention is known to the suite: a new one fails here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from polylux import layers, losses, ops, optimizers
from polylux_conformance._check import LEVELS
from polylux_conformance._overview import families, modifiers
from polylux_conformance.checks import CHECKS
from polylux_conformance.checks._losses import loss_names
from polylux_conformance.oracle import cases, trajectories
from polylux_conformance.scenarios import SCENARIOS
from polylux_conformance.scenarios._kernels import SAMPLES, WITHOUT_SAMPLES
from polylux_conformance.scenarios._kinks import KINKS
from polylux_conformance.scenarios._layers import MODELS
from polylux_conformance.scenarios._problems import PROBLEMS
from polylux_conformance.scenarios._rules import RULES


def test_every_check_has_a_name_of_its_own_and_a_level() -> None:
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids))
    assert {check.level for check in CHECKS} == set(LEVELS)
    assert all("/" in id_ and not set("*?") & set(id_) for id_ in ids)


@pytest.mark.parametrize("name", loss_names())
def test_every_loss_has_multiprecision_cases(name: str) -> None:
    if name == "GenericLossFunction":
        pytest.skip("its formula is the user's own")
    assert {case.dtype for case in cases(loss=name)} >= {"float64", "float32"}


def test_every_loss_trains_along_a_stored_trajectory() -> None:
    assert {problem.loss for problem in PROBLEMS} == set(loss_names())
    assert list(trajectories()) == [problem.name for problem in PROBLEMS]


def test_every_public_rule_trains() -> None:
    abstract = {optimizers.Rule, optimizers.LeafRule, optimizers.EntryRule}
    public = {
        value
        for name in optimizers.__all__
        if isinstance(value := getattr(optimizers, name), type)
        and issubclass(value, optimizers.Rule)
        and value not in abstract
    }
    trained: set[type] = set()
    waiting: list[optimizers.Rule] = list(RULES.values())
    while waiting:
        rule = waiting.pop()
        trained.add(type(rule))
        waiting += rule.children
    missing = {rule.__name__ for rule in public - trained}
    # Frozen is made by `freeze`, for a train state.
    assert missing <= {"Frozen"}


def test_every_public_layer_is_run() -> None:
    made_of_others = {"Layer", "Container", "Cell", "Recurrence", "StatefulLayer"}
    public = {
        name
        for name in layers.__all__
        if isinstance(value := getattr(layers, name), type) and issubclass(value, layers.Layer)
    }
    assert public - made_of_others <= set(MODELS)


def test_every_overridable_function_has_a_sample() -> None:
    assert losses  # its kernels are among them
    assert set(ops.natives()) - WITHOUT_SAMPLES == {sample.function for sample in SAMPLES}


def test_kinks_are_given_point_by_point() -> None:
    for kink in KINKS:
        points = {len(operand) for operand in kink.operands}
        assert len(points) == 1, kink.name
        assert {len(slopes) for slopes in kink.derivatives} == points, kink.name
        assert len(kink.derivatives) == len(kink.operands), kink.name


def test_names_of_scenarios_are_unique() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("table", [families, modifiers], ids=["families", "modifiers"])
def test_the_tables_in_the_docs_are_those_of_the_checks(table: Callable[[], str]) -> None:
    page = Path(__file__).parents[3] / "docs/explanation/conformance.md"
    assert table() in page.read_text()
