"""Results of a pytest session, gathered into the same reports that the other ways give."""

from __future__ import annotations

import time

import pytest

from polylux_conformance._check import levels_up_to
from polylux_conformance._html import write_html
from polylux_conformance._report import Report, Result, write_json
from polylux_conformance._subject import Subject

GATHERED = pytest.StashKey[dict[str, tuple[Subject, float, list[Result]]]]()


def gather(config: pytest.Config, subject: Subject, result: Result) -> None:
    """Keep a result for the session's report."""
    found = config.stash.setdefault(GATHERED, {})
    found.setdefault(subject.label, (subject, time.perf_counter(), []))[2].append(result)


def write_reports(config: pytest.Config) -> None:
    """Write the files that the options ask for."""
    levels = levels_up_to(config.getoption("polylux_level") or ["core"])
    reports = [
        Report.of(subject, levels, results, time.perf_counter() - begin)
        for subject, begin, results in config.stash.get(GATHERED, {}).values()
    ]
    if config.getoption("polylux_json"):
        write_json(reports, config.getoption("polylux_json"))
    if config.getoption("polylux_html"):
        write_html(reports, config.getoption("polylux_html"))
