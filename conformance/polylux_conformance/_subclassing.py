"""BackendConformance: the suite as one class of tests, to be subclassed in a plugin's own tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from polylux import ADType
from polylux_conformance._check import Check
from polylux_conformance._gaps import Gap, gaps_of, read_gaps
from polylux_conformance._pytest_report import gather
from polylux_conformance._report import Result
from polylux_conformance._runner import checks_at, gaps_result, run_check
from polylux_conformance._subject import Subject


class BackendConformance:
    """Every check of the suite as a test of a plugin's own.

    Subclass it under a name that pytest collects, and say which backend::

        class TestConformance(BackendConformance):
            selector = AutoMine()

    Attributes
    ----------
    selector : ADType
    levels : sequence of str
        `("core",)` by default.
    only : sequence of str
        Patterns of check ids; all checks of the levels if empty.
    xfails : path, optional
        A TOML file of known gaps; by default the one that the plugin ships.
    """

    selector: ClassVar[ADType]
    levels: ClassVar[Sequence[str]] = ("core",)
    only: ClassVar[Sequence[str]] = ()
    xfails: ClassVar[str | Path | None] = None
    _loaded: ClassVar[Subject]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Called by pytest: one test for each check."""
        if "conformance_check" in metafunc.fixturenames:
            checks = checks_at(self.levels, self.only)
            metafunc.parametrize("conformance_check", checks, ids=[check.id for check in checks])

    def test_backend(self, conformance_check: Check, request: pytest.FixtureRequest) -> None:
        """The backend does what this check asks."""
        subject = self._subject()
        with subject.preferred():
            result = run_check(conformance_check, subject, self._gaps(subject))
        gather(request.config, subject, result)
        judge(result, subject.label)

    def test_known_gaps(self, request: pytest.FixtureRequest) -> None:
        """Each known gap names a check that applies."""
        subject = self._subject()
        result = gaps_result(subject, self._gaps(subject))
        gather(request.config, subject, result)
        judge(result, subject.label)

    def _subject(self) -> Subject:
        """One for all tests of a class: it knows the settings from before the first of them."""
        own = type(self)
        if "_loaded" not in vars(own):
            own._loaded = Subject(self.selector)
        return own._loaded

    def _gaps(self, subject: Subject) -> Sequence[Gap]:
        return gaps_of(subject) if self.xfails is None else read_gaps(self.xfails)


def judge(result: Result, backend: str) -> None:
    """Turn a result into pytest's verdict."""
    if result.status == "failed":
        pytest.fail(result.explain(backend), pytrace=False)
    elif result.status == "known gap":
        pytest.xfail(result.reason)
    elif result.status == "not applicable":
        pytest.skip(result.reason)
