"""Work in processes of their own: arguments, results, variables and failures."""

from __future__ import annotations

import pytest

from polylux_benchmarks._children import in_child


def test_a_child_gets_arguments_and_variables_and_gives_a_result() -> None:
    assert in_child("_report:amount", 2048, "B") == "2 KiB"


def test_a_child_has_the_variables(tmp_path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import json\njson.dumps = lambda _: '\"set\"'\n")
    found = in_child("_report:amount", 1, "B", environment={"PYTHONPATH": str(tmp_path)})
    assert found == "set"


def test_what_a_child_died_of_is_said() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)_report:amount.*KeyError: 'parsec'") as caught:
        in_child("_report:amount", 1, "parsec")
    assert "Traceback" in str(caught.value)
