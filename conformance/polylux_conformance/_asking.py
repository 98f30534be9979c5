"""Asking a backend for the gradient of a scenario, and comparing the answer with the truth."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

import polylux
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.scenarios import Scenario

Leaves = Mapping[str, Any]


@functools.cache
def function_of(scenario: Scenario) -> Callable[[Leaves, Leaves], Any]:
    """The scenario as `f(x, data)`; always the same object, so that a trace is found again."""

    def f(x: Leaves, data: Leaves) -> Any:
        return scenario.function(polylux.array_namespace(*x.values()), x, data)

    f.__name__ = scenario.name
    return f


def points_of(
    subject: Subject, scenarios: tuple[Scenario, ...]
) -> Iterator[tuple[Scenario, str, str]]:
    """Each scenario with each point and each dtype in which it can be asked for."""
    for scenario in scenarios:
        for dtype in subject.dtypes:
            if dtype in scenario.only and not missing(subject, scenario):
                for point in scenario.points:
                    yield scenario, point, dtype


def missing(subject: Subject, scenario: Scenario) -> str | None:
    """Why a scenario says nothing about a backend; None if it does."""
    if subject.is_truncated and not scenario.follows_differences:
        return "a difference quotient cannot follow it"
    if not set(subject.dtypes) & set(scenario.only):
        return f"it needs {' or '.join(scenario.only)}"
    lacking = sorted(c.value for c in scenario.needs - subject.backend.capabilities)
    return f"it needs {', '.join(lacking)}" if lacking else None


def compare_answer(
    findings: Findings,
    scenario: Scenario,
    leaves: Leaves,
    data: Leaves,
    value: Any,
    gradients: Leaves,
    *,
    dtype: str,
    point: str,
    prefix: str = "",
    factor: float = 1.0,
) -> None:
    """Compare a value and gradients by name with the scenario's truth times `factor`."""
    true_value, true_gradients = scenario.truth(leaves, data)
    # Rounding of the leaves alone moves the value by this much, cancellation included.
    moved = sum(
        np.sum(np.abs(leaves[n] * true_gradients[n])) for n in leaves if leaves[n].dtype.kind == "f"
    )
    label = f"{prefix}{scenario.name}"
    findings.close(
        f"{label}: value", value, factor * true_value, dtype=dtype, point=point,
        condition=scenario.condition, scale=(factor * moved,), sample=not prefix,
    )  # fmt: skip
    all_true = [true_value, *(g for g in true_gradients.values() if g.dtype.kind == "f")]
    for name, leaf in leaves.items():
        found, expected = gradients[name], true_gradients[name]
        what = f"{label}: gradient of {name}"
        if leaf.dtype.kind == "f":
            findings.close(
                what, found, factor * expected, dtype=str(leaf.dtype), point=point,
                condition=scenario.condition, by_entry=scenario.by_entry, is_derivative=True,
                scale=all_true if findings.subject.is_truncated else (), sample=not prefix,
            )  # fmt: skip
        else:
            findings.exactly(what, found, np.zeros_like(leaf), point=point)


def ask(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> tuple[Any, Leaves]:
    """Value and gradients by name, by `polylux.value_and_gradient`."""
    value, gradients = polylux.value_and_gradient(
        function_of(scenario), subject.selector, dict(leaves), dict(data)
    )
    return value, gradients


def check_scenario(subject: Subject, findings: Findings, scenario: Scenario, dtype: str) -> None:
    """Every point of a scenario in one dtype."""
    for point in scenario.points:
        leaves, data = scenario.at(point, dtype)
        value, gradients = ask(subject, scenario, leaves, data)
        compare_answer(
            findings, scenario, leaves, data, value, gradients, dtype=dtype, point=point
        )
