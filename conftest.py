"""For all tests: nobody's preferences, and what happens where a framework is not installed."""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import MultipleDoctestFailures

from polylux.errors import FrameworkMissingError

# What polylux or its tests can do without; the absence of anything else is an error always.
OPTIONAL = (
    "torch", "jax", "autograd", "optax", "sklearn", "matplotlib", "array_api_strict", "ml_dtypes",
)  # fmt: skip
ABSENT = {name for name in OPTIONAL if importlib.util.find_spec(name) is None}
_NO_MODULE = re.compile(rf"ModuleNotFoundError: No module named '({'|'.join(OPTIONAL)})[.']")


# What a developer has set for good must not decide about a test.
os.environ["POLYLUX_PREFERENCES"] = os.devnull
# Arrays of tests are small; threads that wait for each other on busy cores take 100 times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--absent-framework",
        choices=("fail", "skip"),
        default="fail",
        help="what to do with tests of frameworks that are not installed (default: %(default)s)",
    )


def pytest_report_header(config: pytest.Config) -> list[str]:
    what = "skipping their tests" if _skips(config) else "their tests fail"
    return [f"not installed: {', '.join(sorted(ABSENT))} ({what})"] if ABSENT else []


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out plugins whose framework is absent, and their tests: they import it at once."""
    plugin = collection_path.name.removeprefix("polylux_")
    return True if plugin in ABSENT and _skips(config) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    return (yield from _skip_if_absent(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    return (yield from _skip_if_absent(item))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.failed and _skips(collector.config):
        absent = _NO_MODULE.search(str(report.longrepr))
        if absent is not None:
            report.outcome = "skipped"
            report.longrepr = (str(collector.path), 0, f"Skipped: {absent[1]} is not installed")
    return report


def _skip_if_absent(item: pytest.Item) -> Generator[None, Any, Any]:
    try:
        return (yield)
    except (Exception, pytest.fail.Exception) as error:
        reason = _absent(error) if _skips(item.config) else None
        if reason is None:
            raise
    pytest.skip(reason)


def _absent(error: BaseException) -> str | None:
    """What a test lacked, if that is why it failed."""
    if isinstance(error, doctest.UnexpectedException):
        return _absent(error.exc_info[1])
    if isinstance(error, MultipleDoctestFailures):
        return _absent(error.failures[0])
    if isinstance(error, pytest.fail.Exception) and error.__context__ is not None:
        return _absent(error.__context__)  # a `pytest.warns` that was left before the warning
    if isinstance(error, FrameworkMissingError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in ABSENT:
        return f"{error.name} is not installed"
    return None


def _skips(config: pytest.Config) -> bool:
    return bool(config.getoption("absent_framework") == "skip")
