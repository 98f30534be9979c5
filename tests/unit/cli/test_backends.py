"""`polylux backends`: the table, the lines that mend things, and the JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from polylux import registry
from polylux.backend import HostBackend

Invoke = Callable[..., Any]

FIELDS = {"name", "selector", "owner", "available", "version", "reason", "remedy"}


class Absent(HostBackend):
    """Its framework is not installed."""

    name = "absent"


class Old(HostBackend):
    """Its framework, which is numpy, is too old."""

    name = "old"


def test_every_registered_backend_has_a_row(invoke: Invoke) -> None:
    result = invoke("backends")
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    for info in registry.backends():
        assert info.selector in rows[info.name]
        if info.available:
            assert rows[info.name].split()[-1] == "yes"
            assert (info.version or "-") in rows[info.name]


@pytest.mark.parametrize("columns", [30, 100])
def test_what_cannot_run_has_its_reason_and_a_line_to_copy(
    invoke: Invoke, register: Callable[..., None], columns: int
) -> None:
    register(Absent, framework="no_such_framework", install="pip install 'polylux[absent]'")
    register(Old, framework="numpy", distribution="numpy", minimum="99")
    lines = invoke("backends", columns=columns).stdout.splitlines()
    assert "    pip install 'polylux[absent]'" in lines
    assert "    pip install --upgrade 'numpy>=99'" in lines
    (reason,) = [line for line in lines if line.startswith("absent: ")]
    assert reason == (
        "absent: the backend 'absent' needs 'no_such_framework', which is not installed"
    )


def test_json_has_the_fields_of_backend_info(invoke: Invoke) -> None:
    result = invoke("backends", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [entry["name"] for entry in found] == [info.name for info in registry.backends()]
    for entry in found:
        assert set(entry) == FIELDS
        assert isinstance(entry["available"], bool)
        assert isinstance(entry["selector"], str)
        assert entry["available"] == (entry["reason"] is None)


def test_json_tells_what_mends_an_unavailable_backend(
    invoke: Invoke, register: Callable[..., None]
) -> None:
    register(Absent, framework="no_such_framework", install="pip install 'polylux[absent]'")
    (entry,) = json.loads(invoke("backends", "--json", columns=20).stdout)
    assert entry["remedy"] == "pip install 'polylux[absent]'"
    assert entry["available"] is False
    assert entry["version"] is None


@pytest.mark.usefixtures("register")
def test_no_backend_at_all_is_said(invoke: Invoke) -> None:
    assert "No backend is registered" in invoke("backends").stdout
    assert json.loads(invoke("backends", "--json").stdout) == []
