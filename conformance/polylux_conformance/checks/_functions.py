"""Checks of the array-API functions in a backend's namespace, with their derivatives."""

from __future__ import annotations

import functools

from polylux_conformance._asking import check_scenario, missing
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.scenarios import Scenario
from polylux_conformance.scenarios._functions import FUNCTIONS, NAMES


def _body(subject: Subject, findings: Findings, scenario: Scenario) -> None:
    for dtype in subject.dtypes[:1] if scenario.only_moves else subject.dtypes:
        check_scenario(subject, findings, scenario, dtype)


def _applies(subject: Subject, scenario: Scenario) -> str | None:
    name = NAMES[scenario.name]
    if getattr(subject.backend.namespace, name, None) is None:
        return f"the namespace of {subject.backend.name} has no {name}"
    return missing(subject, scenario)


ARRAY_FUNCTIONS = tuple(
    Check(
        f"array function/{scenario.name}",
        "core",
        "Value and derivative of the function agree with the truth.",
        functools.partial(_body, scenario=scenario),
        scenario.needs,
        functools.partial(_applies, scenario=scenario),
    )
    for scenario in FUNCTIONS
)
