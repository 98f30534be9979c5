"""Preferences: which of the places that name one holds, and the file that keeps them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from polylux import preferences
from polylux.errors import DomainError, OptionError, PolyluxWarning
from polylux.preferences import (
    get_preference,
    override_preferences,
    set_dispatch_doctor_preferences,
    set_preferences,
)
from polylux.preferences._preference import ALL

NAME = "eltype_mismatch_handling"
VARIABLE = "POLYLUX_ELTYPE_MISMATCH_HANDLING"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of the test's own, and no preference looked up yet."""
    path = tmp_path / "config" / "polylux.json"
    monkeypatch.setenv("POLYLUX_PREFERENCES", str(path))
    monkeypatch.delenv(VARIABLE, raising=False)
    forget(monkeypatch)
    return path


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    for preference in ALL.values():
        monkeypatch.setattr(preference, "_value", None)


def test_defaults() -> None:
    assert get_preference(NAME) == "none"
    assert get_preference("dispatch_doctor_layers") == "warn"
    assert get_preference("dispatch_doctor_training") == "warn"


def test_environment_goes_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_preferences(persist=True, eltype_mismatch_handling="warn")
    monkeypatch.setenv(VARIABLE, "convert")
    forget(monkeypatch)
    assert get_preference(NAME) == "convert"


def test_set_value_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "convert")
    set_preferences(eltype_mismatch_handling="error")
    assert get_preference(NAME) == "error"


def test_scope_goes_before_all_and_ends_with_its_block() -> None:
    set_preferences(eltype_mismatch_handling="error")
    with override_preferences(eltype_mismatch_handling="convert"):
        assert get_preference(NAME) == "convert"
        with override_preferences(eltype_mismatch_handling="none"):
            assert get_preference(NAME) == "none"
        assert get_preference(NAME) == "convert"
    assert get_preference(NAME) == "error"
    with pytest.raises(KeyError), override_preferences(eltype_mismatch_handling="none"):
        raise KeyError
    assert get_preference(NAME) == "error"


def test_scope_is_that_of_one_thread() -> None:
    seen: list[str] = []
    with override_preferences(eltype_mismatch_handling="error"):
        thread = threading.Thread(target=lambda: seen.append(get_preference(NAME)))
        thread.start()
        thread.join()
    assert seen == ["none"]


@pytest.mark.parametrize("function", [set_preferences, override_preferences])
def test_wrong_names_and_values_are_told(function: Any) -> None:
    def call(**values: Any) -> None:
        with override_preferences():  # so that a context manager is entered, too
            result = function(**values)
            if result is not None:
                with result:
                    pass

    with pytest.raises(OptionError, match=f"did you mean '{NAME}'"):
        call(eltype_mismatch="warn")
    with pytest.raises(DomainError, match="'none', 'warn', 'convert', 'error', got 'loud'"):
        call(dispatch_doctor_layers="error", eltype_mismatch_handling="loud")
    assert get_preference("dispatch_doctor_layers") == "warn"


def test_wrong_value_in_the_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "loud")
    with pytest.raises(DomainError, match=f"{VARIABLE} must be one of .*'loud'"):
        get_preference(NAME)


def test_nothing_is_written_unless_asked_for(file: Path) -> None:
    set_preferences(eltype_mismatch_handling="warn")
    assert not file.parent.exists()


def test_persistent_values_hold_in_the_next_process(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_dispatch_doctor_preferences("error", persist=True)
    set_preferences(persist=True, eltype_mismatch_handling="convert")
    assert json.loads(file.read_text()) == {
        "dispatch_doctor_layers": "error",
        "dispatch_doctor_training": "error",
        "eltype_mismatch_handling": "convert",
    }
    assert [p.name for p in file.parent.iterdir()] == [file.name]
    ask = "from polylux import get_preference as get; print(*map(get, " + repr(list(ALL)) + "))"
    printed = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == ["convert", "error", "error"]


def test_writing_what_is_written_does_nothing(file: Path) -> None:
    set_preferences(persist=True, eltype_mismatch_handling="warn")
    file.write_text(file.read_text() + "\n\n")
    before = file.read_text()
    set_preferences(persist=True, eltype_mismatch_handling="warn")
    assert file.read_text() == before


def test_entries_of_other_versions_are_kept(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"of another version": [1]}')
    set_preferences(persist=True, eltype_mismatch_handling="warn")
    assert json.loads(file.read_text())["of another version"] == [1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is no JSON"),
        ("[]", "holds a list"),
        ("\udcff", "cannot be read"),
        ('{"eltype_mismatch_handling": "loud"}', "has eltype_mismatch_handling = 'loud'"),
        ('{"eltype_mismatch_handling": []}', "has eltype_mismatch_handling = "),
    ],
)
def test_unreadable_file_is_told_and_mended_by_writing(
    file: Path, text: str, complaint: str
) -> None:
    file.parent.mkdir()
    file.write_text(text, errors="surrogateescape")
    with pytest.warns(PolyluxWarning, match=f"{file} {complaint}.*defaults are used"):
        assert get_preference(NAME) == "none"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        set_preferences(persist=True, eltype_mismatch_handling="warn")
    assert json.loads(file.read_text()) == {NAME: "warn"}


def test_file_that_cannot_be_opened_is_told(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.warns(PolyluxWarning, match="cannot be read"):
        assert get_preference(NAME) == "none"


@pytest.mark.parametrize(
    ("platform", "variable"), [("linux", "XDG_CONFIG_HOME"), ("win32", "APPDATA")]
)
def test_file_lies_in_the_configuration_directory(
    platform: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POLYLUX_PREFERENCES")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert preferences.preferences_file() == tmp_path / "polylux" / "preferences.json"


def test_doctor_has_two_parts() -> None:
    def modes() -> tuple[str, str]:
        return get_preference("dispatch_doctor_layers"), get_preference("dispatch_doctor_training")

    set_dispatch_doctor_preferences("disable")
    assert modes() == ("disable", "disable")
    set_dispatch_doctor_preferences(layers="error")
    assert modes() == ("error", "disable")
    set_dispatch_doctor_preferences("warn", training="error")
    assert modes() == ("warn", "error")
    with pytest.raises(DomainError, match="'disable', 'warn', 'error', got 'off'"):
        set_dispatch_doctor_preferences("off")
    with pytest.raises(OptionError, match="needs a mode"):
        set_dispatch_doctor_preferences()
