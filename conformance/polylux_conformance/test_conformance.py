"""The suite as tests: `pytest --pyargs polylux_conformance --polylux-backend NAME`."""

from __future__ import annotations

import pytest

from polylux_conformance._gaps import Gap, gaps_of, read_gaps
from polylux_conformance._naming import selector_named
from polylux_conformance._pytest_report import gather
from polylux_conformance._runner import checks_at, gaps_result, run_check
from polylux_conformance._subclassing import judge
from polylux_conformance._subject import Subject


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    config = metafunc.config
    if "subject" in metafunc.fixturenames:
        subjects = [Subject(selector_named(n)) for n in config.getoption("polylux_backend")]
        metafunc.parametrize("subject", subjects, ids=[s.label for s in subjects], scope="session")
    if "check" in metafunc.fixturenames:
        checks = checks_at(config.getoption("polylux_level") or ["core"])
        metafunc.parametrize("check", checks, ids=[check.id for check in checks])


@pytest.fixture(scope="session")
def gaps(request: pytest.FixtureRequest, subject: Subject) -> tuple[Gap, ...]:
    path = request.config.getoption("polylux_xfails")
    return read_gaps(path) if path else gaps_of(subject)


def test_backend(
    subject: Subject, check: object, gaps: tuple[Gap, ...], request: pytest.FixtureRequest
) -> None:
    with subject.preferred():
        result = run_check(check, subject, gaps)  # type: ignore[arg-type]  # parametrized above
    gather(request.config, subject, result)
    judge(result, subject.label)


def test_known_gaps(
    subject: Subject, gaps: tuple[Gap, ...], request: pytest.FixtureRequest
) -> None:
    result = gaps_result(subject, gaps)
    gather(request.config, subject, result)
    judge(result, subject.label)
