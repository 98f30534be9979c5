"""Each deliberately wrong backend is caught, by the checks that are meant to catch it."""

from __future__ import annotations

import logging
import os
import random
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from _further_mutants import FURTHER
from _mutants import MUTANTS as FIRST
from _mutants import Right
from _standing_in import standing_in

from polylux import AutoAutograd
from polylux_conformance import check_backend

MUTANTS = {**FIRST, **FURTHER}


@pytest.fixture(autouse=True)
def _globals_come_back() -> Iterator[None]:
    """Some mutants change global settings: that is their mistake."""
    settings, state, environment = np.geterr(), random.getstate(), dict(os.environ)
    level, path = logging.getLogger().level, list(sys.path)
    with warnings.catch_warnings():
        yield
    np.seterr(**settings)
    random.setstate(state)
    logging.getLogger().setLevel(level)
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(environment)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_mutant_is_caught_by_the_expected_checks(name: str) -> None:
    mutant, expected = MUTANTS[name]
    with standing_in(mutant()):
        report = check_backend(AutoAutograd(), level="all", only=_literally(expected), gaps=())
    failed = {result.id for result in report.failures}
    assert failed == set(expected), report


def test_a_backend_without_a_mistake_passes_all_of_these_checks() -> None:
    every = tuple(dict.fromkeys(id_ for _, expected in MUTANTS.values() for id_ in expected))
    with standing_in(Right()):
        report = check_backend(AutoAutograd(), level="all", only=_literally(every), gaps=())
    assert not report.failures, report
    ran = {result.id for result in report.results if result.status == "passed"}
    # It does not claim vmap; the mutant that does is asked for it.
    assert ran == set(every) - {"mode/vmap"}


def _literally(ids: tuple[str, ...]) -> list[str]:
    return [id_.replace("[", "[[]") for id_ in ids]
