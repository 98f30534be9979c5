"""Checks of the gradient of every scenario, in each dtype."""

from __future__ import annotations

import functools

from polylux_conformance._asking import check_scenario, missing
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.scenarios import SCENARIOS, Scenario


def _body(subject: Subject, findings: Findings, scenario: Scenario, dtype: str | None) -> None:
    check_scenario(subject, findings, scenario, dtype or subject.dtypes[0])


def _applies(subject: Subject, scenario: Scenario, dtype: str | None) -> str | None:
    if dtype is not None and dtype not in subject.dtypes:
        return f"{subject.backend.name} has no {dtype}"
    return missing(subject, scenario)


def _check(scenario: Scenario, dtype: str | None) -> Check:
    return Check(
        f"gradient/{scenario.name}" + (f" [{dtype}]" if dtype else ""),
        "core",
        f"Value and gradient of a {scenario.kind} function agree with the truth.",
        functools.partial(_body, scenario=scenario, dtype=dtype),
        scenario.needs,
        functools.partial(_applies, scenario=scenario, dtype=dtype),
    )


GRADIENTS = tuple(
    _check(scenario, dtype)
    for scenario in SCENARIOS
    for dtype in ((None,) if scenario.only_moves else scenario.only)
)
