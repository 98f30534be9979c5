"""The options of `pytest --pyargs polylux_conformance --polylux-backend NAME`.

pytest loads this file wherever polylux is installed, so it imports nothing of polylux, adds its
options in a group of their own, and leaves every other test alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("polylux", "conformance of polylux backends")
    group.addoption(
        "--polylux-backend", action="append", default=[], metavar="NAME",
        help="run the conformance suite on this backend: torch, 'jax(jit=False)'; repeatable. "
        "With it, collect the suite: --pyargs polylux_conformance",
    )  # fmt: skip
    group.addoption(
        "--polylux-level", action="append", default=[], metavar="LEVEL",
        help="core (the default), oracle, training, second or all; repeatable",
    )  # fmt: skip
    group.addoption(
        "--polylux-xfails", default=None, metavar="FILE",
        help="a TOML file of known gaps, in place of the one that the plugin ships",
    )  # fmt: skip
    group.addoption("--polylux-json", default=None, metavar="FILE", help="write the results there")
    group.addoption("--polylux-html", default=None, metavar="FILE", help="write a page of them")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The suite's test file says nothing without a backend, as in a run of polylux's own tests."""
    if collection_path.parent == HERE and collection_path.name.startswith("test_"):
        return None if config.getoption("polylux_backend") else True
    return None


def pytest_configure(config: pytest.Config) -> None:
    asked_for = any("polylux_conformance" in str(argument) for argument in config.args)
    by_name = asked_for and config.getoption("pyargs", False)
    if by_name and not config.getoption("polylux_backend") and not config.getoption("help", False):
        raise pytest.UsageError(
            "the conformance suite needs to know which backend: add --polylux-backend NAME "
            "(`polylux backends` lists the names)"
        )


def pytest_sessionfinish(session: pytest.Session, exitstatus: Any) -> None:
    config = session.config
    if config.getoption("polylux_json") or config.getoption("polylux_html"):
        from polylux_conformance._pytest_report import write_reports

        write_reports(config)
