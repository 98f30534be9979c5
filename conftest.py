"""For all tests: what happens to those of a framework that is not installed."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from polylux.errors import FrameworkMissingError

# What polylux or its tests can do without; the absence of anything else is an error always.
OPTIONAL = (
    "torch", "jax", "autograd", "optax", "sklearn", "matplotlib", "array_api_strict", "ml_dtypes",
)  # fmt: skip
_NO_MODULE = re.compile(rf"ModuleNotFoundError: No module named '({'|'.join(OPTIONAL)})[.']")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--absent-framework",
        choices=("fail", "skip"),
        default="fail",
        help="what to do with tests of frameworks that are not installed (default: %(default)s)",
    )


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
    except FrameworkMissingError as error:
        if not _skips(item.config):
            raise
        reason = str(error)
    except ModuleNotFoundError as error:
        if not _skips(item.config) or (error.name or "").partition(".")[0] not in OPTIONAL:
            raise
        reason = f"{error.name} is not installed"
    pytest.skip(reason)


def _skips(config: pytest.Config) -> bool:
    return bool(config.getoption("absent_framework") == "skip")
