"""Handing a namespace to array-api-tests: here to a stand-in that reads it the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from polylux_conformance.array_api_tests import hand_over, main

STAND_IN = """
import os

def test_the_namespace_is_handed_over():
    given = os.environ["ARRAY_API_TESTS_MODULE"]
    assert given.startswith("exec('") and given.endswith("')")
    namespace = {}
    exec(given[6:-2], namespace)
    xp = namespace["xp"]
    assert isinstance(xp.__name__, str)
    assert xp.sum(xp.ones(3, dtype=xp.float64)).dtype == xp.float64
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "array_api_tests").mkdir()
    (tmp_path / "array_api_tests" / "test_one.py").write_text(STAND_IN)
    return tmp_path


def test_the_namespace_is_what_the_clone_tests(clone: Path) -> None:
    assert hand_over("finitediff", clone, "-q") == 0
    # pytest's own code where nothing was collected: its options arrive
    assert hand_over("finitediff", clone, "-q", "-k", "no_such_test") == 5


def test_mistakes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["finitedif", str(tmp_path)]) == 2
    assert "did you mean 'finitediff'" in capsys.readouterr().err
    assert main(["finitediff", str(tmp_path)]) == 2
    assert "is no clone of array-api-tests" in capsys.readouterr().err
