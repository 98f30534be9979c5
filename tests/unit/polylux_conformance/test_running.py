"""Reports, known gaps and the five ways to run the suite, which give the same verdicts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

import polylux_conformance
from polylux import ADType, AutoAutograd, AutoJax
from polylux.errors import UnknownBackendError
from polylux_conformance import Gap, Report, check_backend, read_gaps, read_json, write_json
from polylux_conformance._command import main
from polylux_conformance._deviations import pairs
from polylux_conformance._html import page
from polylux_conformance._naming import selector_named
from polylux_conformance._processes import ProcessDiedError, check_in_processes
from polylux_conformance._support import support

SOME = ["gradient/linear*", "array/*", "mode/vmap"]


@pytest.fixture(scope="module")
def report() -> Report:
    return check_backend(AutoAutograd(), only=SOME)


def verdicts(report: Report) -> dict[str, str]:
    return {result.id: result.status for result in report.results}


def test_a_report_goes_through_json(report: Report, tmp_path: Path) -> None:
    write_json([report], tmp_path / "report.json")
    (back,) = read_json(tmp_path / "report.json")
    assert back == report
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["reports"][0]["versions"]["autograd"]
    assert content["reports"][0]["machine"].startswith("Python 3")


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="has the format 99, expected 2"):
        read_json(tmp_path / "report.json")


def test_the_page_holds_everything_and_asks_for_nothing(report: Report) -> None:
    text = page([report, report])
    assert "__DATA__" not in text
    assert "https://" not in text
    assert "http://" not in text
    assert "gradient/linear [float64]" in text
    data = text.partition('id="data">')[2].partition("</script>")[0]
    held = json.loads(data.replace("<\\/", "</"))
    assert len(held["cells"]) == 2
    assert held["pairs"][0]["ulps"] == 0
    assert held["pairs"][0]["compared"] > 0


def test_deviations_of_a_backend_from_itself_are_zero(report: Report) -> None:
    (pair,) = pairs([report, report])
    assert pair.ulps == 0


def test_the_support_page_counts(report: Report) -> None:
    text = support([report])
    assert "| `AutoAutograd()` |" in text
    assert "| gradient | 2," in text


# --- known gaps -----------------------------------------------------------------------------------


def gap(test: str) -> Gap:
    return Gap(test, "not done", "https://example.org/1")


def test_a_gap_that_has_closed_fails() -> None:
    report = check_backend(
        AutoAutograd(), only=["gradient/linear*"], gaps=[gap("gradient/linear [float64]")]
    )
    (failure,) = report.failures
    assert failure.id == "gradient/linear [float64]"
    assert "delete the entry" in failure.reason


def test_a_gap_that_names_nothing_fails() -> None:
    report = check_backend(AutoAutograd(), level="second", gaps=[gap("gradient/no such check")])
    assert [failure.id for failure in report.failures] == ["suite/known gaps"]
    assert "'gradient/no such check'" in report.failures[0].reason


def test_gaps_are_read(tmp_path: Path) -> None:
    path = tmp_path / "gaps.toml"
    path.write_text('[[gap]]\ntest = "a/b [float64]"\nreason = "r"\nlink = "l"\n')
    assert read_gaps(path) == (Gap("a/b [float64]", "r", "l"),)
    path.write_text('[[gap]]\ntest = "a/b"\nreason = ""\nlink = "l"\n')
    with pytest.raises(ValueError, match="each \\[\\[gap\\]\\] has a test, a reason and a link"):
        read_gaps(path)


# --- names and commands ---------------------------------------------------------------------------


def test_names_may_have_options() -> None:
    pytest.importorskip("jax")
    assert selector_named("jax(jit=False)") == AutoJax(jit=False)


@pytest.mark.parametrize("name", ["jax(", "jax(1)", "jax(jit=open)"])
def test_a_name_that_cannot_be_read(name: str) -> None:
    with pytest.raises(ValueError):
        selector_named(name)


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownBackendError, match="did you mean 'autograd'"):
        selector_named("autograde")


def test_an_unknown_level() -> None:
    with pytest.raises(ValueError, match="there is no level 'kernel'"):
        check_backend(AutoAutograd(), level="kernel")


def test_the_command_tells_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["autograde"]) == 2
    assert "did you mean 'autograd'" in capsys.readouterr().err
    assert main(["autograd", "--only", "nothing/*"]) == 2


def test_the_command_lists_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--level", "second"]) == 0
    assert "second/symmetry" in capsys.readouterr().out


def test_public_names() -> None:
    assert set(polylux_conformance.__all__) <= set(dir(polylux_conformance))
    assert polylux_conformance.BackendConformance.levels == ("core",)
    with pytest.raises(AttributeError, match="no_such_name"):
        polylux_conformance.no_such_name  # noqa: B018  # reading it is the test


# --- five ways ------------------------------------------------------------------------------------


SUBCLASS = """
from polylux import AutoAutograd
from polylux_conformance import BackendConformance

class TestConformance(BackendConformance):
    selector = AutoAutograd()
    levels = ("second",)
"""


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def test_all_ways_give_the_same_verdicts(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(SUBCLASS)
    plugin = ["-m", "pytest", "-q", "-p", "polylux_conformance._pytest_plugin"]
    ways: dict[str, list[str]] = {
        "module": ["-m", "polylux_conformance", "autograd", "--level", "second", "--json"],
        "cli": ["-m", "polylux", "conformance", "autograd", "--level", "second", "--json"],
        "pytest": [
            *plugin, "--pyargs", "polylux_conformance", "--polylux-backend", "autograd",
            "--polylux-level", "second", "--polylux-json",
        ],
        "subclass": [*plugin, "test_mine.py", "--polylux-json"],
    }  # fmt: skip
    ways["cli"] = ["-c", "import sys; sys.argv[0] = 'polylux'; from polylux.cli import main; "
                   "main()", *ways["cli"][2:]]  # fmt: skip
    expected = verdicts(check_backend(AutoAutograd(), level="second"))
    assert "suite/known gaps" in expected
    for name, arguments in ways.items():
        path = tmp_path / f"{name}.json"
        done = run(*arguments, str(path), cwd=tmp_path)
        assert done.returncode == 0, (name, done.stdout, done.stderr)
        (found,) = read_json(path)
        assert verdicts(found) == expected, name


def test_pytest_without_a_backend_says_what_is_missing(tmp_path: Path) -> None:
    done = run("-m", "pytest", "-p", "polylux_conformance._pytest_plugin", "--pyargs",
               "polylux_conformance", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 4
    assert "add --polylux-backend NAME" in done.stderr


def test_the_plugin_imports_nothing_of_polylux(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(
        "import sys\n"
        "def test_one():\n"
        "    assert not {m for m in sys.modules if m.partition('.')[0] in ('polylux', 'torch')}\n"
    )
    done = run("-m", "pytest", "-q", "-p", "polylux_conformance._pytest_plugin", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> Any:
        return os._exit, (3,)


def test_several_processes_find_what_one_does() -> None:
    told = []
    only = ["gradient/*", "kink/*", "mode/*"]
    one = check_backend(AutoAutograd(), only=only)
    several = check_in_processes(
        AutoAutograd(), 2, only=only, progress=lambda *about: told.append(about[:2])
    )
    assert [(r.id, r.status, r.comparisons) for r in several.results] == [
        (r.id, r.status, r.comparisons) for r in one.results
    ]
    assert (several.versions, several.capabilities) == (one.versions, one.capabilities)
    assert told == [(k + 1, len(one.results)) for k in range(len(one.results))]
    (gaps,) = check_in_processes(
        AutoAutograd(), 2, level="second", gaps=[gap("gradient/no such check")]
    ).failures
    assert gaps.id == "suite/known gaps"


def test_a_process_that_dies_is_an_error_of_its_own() -> None:
    with pytest.raises(ProcessDiedError, match=r"died, at or after .*--jobs 1"):
        check_in_processes(cast(ADType, Deadly()), 2, only=["kink/*"])


def test_the_number_of_processes_is_at_least_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["autograd", "--only", "kink/*", "--jobs", "0"]) == 2
    assert "at least 1; got 0" in capsys.readouterr().err


def test_a_failing_check_tells_what_and_where() -> None:
    failing: Any = check_backend(
        AutoAutograd(), only=["gradient/linear*"], gaps=[gap("gradient/linear [float32]")]
    )
    text = str(failing)
    assert "gradient/linear [float32]  on AutoAutograd()" in text
    assert text.endswith(" s")
