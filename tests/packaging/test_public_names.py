"""The front door: every public name exists, and its documentation fits its signature."""

from __future__ import annotations

import inspect
import types
from typing import Any

import pytest

import polylux
import polylux.backend
import polylux.registry

ROOMS = [
    polylux,
    polylux.backend,
    polylux.errors,
    polylux.layers,
    polylux.losses,
    polylux.operators,
    polylux.optimizers,
    polylux.registry,
]

# What numpydoc's validator may not find: an undocumented object, parameters that the signature
# has not, and sections that it cannot read.
FAULTS = {"GL06", "GL07", "GL08", "PR02", "YD01"}


def documented() -> dict[str, Any]:
    found = {}
    for room in ROOMS:
        for name in getattr(room, "__all__", []):
            value = getattr(room, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return found


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_every_name_in_all_exists_and_stands_there_once(room: types.ModuleType) -> None:
    every = getattr(room, "__all__", [])
    assert all(hasattr(room, name) for name in every)
    assert len(every) == len(set(every))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_every_room_says_what_it_is_for(room: types.ModuleType) -> None:
    assert room.__doc__


@pytest.mark.parametrize("path", documented())
def test_a_public_name_is_documented_as_its_signature_is(path: str) -> None:
    validate = pytest.importorskip("numpydoc.validate")
    faults = set(FAULTS)
    kinds = {p.kind for p in inspect.signature(documented()[path]).parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        faults.discard("PR02")  # what **options takes is documented by name
    found = validate.validate(path)["errors"]
    assert [text for code, text in found if code in faults] == []
