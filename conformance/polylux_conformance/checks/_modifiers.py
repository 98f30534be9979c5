"""Checks that a gradient stays the same however it is asked for: nested, again, in a thread, ..."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import polylux
from polylux.backend import Capability
from polylux_conformance._asking import ask, compare_answer, function_of, points_of
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.scenarios import SCENARIOS, Scenario

Leaves = Mapping[str, Any]
Ask = Callable[[Subject, Scenario, Leaves, Leaves], tuple[Any, Leaves]]

CARRIERS = tuple(scenario for scenario in SCENARIOS if scenario.is_carrier)


def _modified(subject: Subject, findings: Findings, ask: Ask) -> None:
    for scenario, point, dtype in points_of(subject, CARRIERS):
        leaves, data = scenario.at(point, dtype)
        value, gradients = ask(subject, scenario, leaves, data)
        compare_answer(
            findings, scenario, leaves, data, value, gradients, dtype=dtype, point=point,
            prefix="modified ",
        )  # fmt: skip


# --- the tree that the leaves stand in ------------------------------------------------------------


def _nested(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    names = list(leaves)
    tree = {"layers": [{"deep": (leaves[n], None)} for n in names], "name": "model", "width": 3}
    value, gradients = polylux.value_and_gradient(
        _from_nested(scenario, tuple(names)), subject.selector, tree, dict(data)
    )
    found = {n: part["deep"][0] for n, part in zip(names, gradients["layers"], strict=True)}
    return value, found


@functools.cache
def _from_nested(scenario: Scenario, names: tuple[str, ...]) -> Callable[..., Any]:
    f = function_of(scenario)

    def nested(tree: Any, data: Leaves) -> Any:
        assert tree["name"] == "model"
        assert tree["width"] == 3
        x = {n: part["deep"][0] for n, part in zip(names, tree["layers"], strict=True)}
        return f(x, data)

    return nested


def _reordered(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    """The same leaves in a tuple, the last name first."""
    names = tuple(reversed(list(leaves)))
    value, gradients = polylux.value_and_gradient(
        _from_tuple(scenario, names), subject.selector, tuple(leaves[n] for n in names), dict(data)
    )
    return value, dict(zip(names, gradients, strict=True))


@functools.cache
def _from_tuple(scenario: Scenario, names: tuple[str, ...]) -> Callable[..., Any]:
    f = function_of(scenario)
    return lambda x, data: f(dict(zip(names, x, strict=True)), data)


# --- the arrays that are handed in ----------------------------------------------------------------


def _own_arrays(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    move = functools.partial(polylux.to_backend, selector=subject.selector)
    return ask(subject, scenario, move(dict(leaves)), move(dict(data)))


def _own_strided(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    """Arrays of the backend whose entries lie in another order, where the framework has that."""
    return ask(
        subject, scenario, _transposed_twice(subject, leaves), _transposed_twice(subject, data)
    )


def _transposed_twice(subject: Subject, arrays: Leaves) -> Leaves:
    xp = subject.backend.namespace
    moved = polylux.to_backend({n: a.T for n, a in arrays.items()}, subject.selector)
    with subject.precision(*arrays.values()):
        return {n: xp.permute_dims(a, tuple(range(a.ndim))[::-1]) for n, a in moved.items()}


def _strided(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    return ask(
        subject,
        scenario,
        {n: _every_second(a) for n, a in leaves.items()},
        {n: _backwards(a) for n, a in data.items()},
    )


def _every_second(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same array, transposed in memory, every second number of a wider one."""
    wide = np.full((*array.shape[::-1], 2), 7, dtype=array.dtype)
    view: np.ndarray[Any, Any] = wide[..., 0].T
    view[...] = array
    return view


def _backwards(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same array, stored from its end to its beginning."""
    flipped = tuple(slice(None, None, -1) for _ in array.shape)
    view: np.ndarray[Any, Any] = np.ascontiguousarray(array[flipped])[flipped]
    return view


def _read_only(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    def locked(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        array = array.copy()
        array.setflags(write=False)
        return array

    return ask(
        subject,
        scenario,
        {n: locked(a) for n, a in leaves.items()},
        {n: locked(a) for n, a in data.items()},
    )


# --- what was asked before ------------------------------------------------------------------------


def _called_again(subject: Subject, findings: Findings) -> None:
    for scenario, point, dtype in points_of(subject, CARRIERS):
        leaves, data = scenario.at(point, dtype)
        for call in range(1, 5):
            value, gradients = ask(subject, scenario, leaves, data)
            compare_answer(
                findings, scenario, leaves, data, value, gradients, dtype=dtype,
                point=f"{point}, call {call}", prefix="repeated ",
            )  # fmt: skip


def _half_precision(subject: Subject, findings: Findings) -> None:
    for scenario in CARRIERS:
        for point in scenario.points:
            leaves, data = scenario.at(point, "float16")
            value, gradients = ask(subject, scenario, leaves, data)
            compare_answer(
                findings, scenario, leaves, data, value, gradients, dtype="float16", point=point,
                prefix="half precision ",
            )  # fmt: skip


def _has_half_precision(subject: Subject) -> str | None:
    if subject.is_truncated:
        return "a difference quotient has no digits left in float16"
    try:
        subject.backend.dtype("float16")
    except polylux.errors.DTypeError as error:
        return str(error)
    return None


def _prepared_elsewhere(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    ask(subject, scenario, {n: a * 0.5 + 1 for n, a in leaves.items()}, data)
    return ask(subject, scenario, leaves, data)


def _after_clearing(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    ask(subject, scenario, leaves, data)
    polylux.clear_caches()
    return ask(subject, scenario, leaves, data)


def _after_other_dtypes(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    other = subject.dtypes[0] if str(next(iter(leaves.values())).dtype) != subject.dtypes[0] else (
        subject.dtypes[-1]
    )  # fmt: skip
    ask(
        subject,
        scenario,
        {n: a.astype(other) for n, a in leaves.items()},
        {n: a.astype(other) if a.dtype.kind == "f" else a for n, a in data.items()},
    )
    return ask(subject, scenario, leaves, data)


def _in_a_thread(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    return in_thread(lambda: ask(subject, scenario, leaves, data))


def in_thread(job: Callable[[], Any]) -> Any:
    """What `job()` returns or raises in a thread of its own."""
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["result"] = job()
        except Exception as error:  # noqa: BLE001  # raised again by the caller
            outcome["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


# --- another way to the same derivative -----------------------------------------------------------


def _gradient_alone(subject: Subject, scenario: Scenario, leaves: Leaves, data: Leaves) -> Any:
    f = function_of(scenario)
    gradients = polylux.gradient(f, subject.selector, dict(leaves), dict(data))
    return ask(subject, scenario, leaves, data)[0], gradients


_NEEDS = frozenset({Capability.GRADIENT})

_PLAIN: tuple[tuple[str, str, Ask], ...] = (
    ("nested tree", "Leaves deep in a tree with other leaves have the same gradient.", _nested),
    ("another order", "The order of the leaves does not matter.", _reordered),
    ("own arrays", "Arrays of the backend give what host arrays give.", _own_arrays),
    ("own strided arrays", "Transposed arrays of the backend give what others give.",
     _own_strided),
    ("strided input", "Non-contiguous host arrays give what contiguous ones give.",
     _strided),
    ("read-only input", "Read-only host arrays are taken.", _read_only),
    ("prepared at another point", "A call at another point before does not matter.",
     _prepared_elsewhere),
    ("after clear_caches", "Forgetting what was compiled changes no number.",
     _after_clearing),
    ("after another dtype", "A call in another precision before does not matter.",
     _after_other_dtypes),
    ("other thread", "Another thread than the main one finds the same gradient.",
     _in_a_thread),
    ("gradient alone", "gradient gives what value_and_gradient gives.",
     _gradient_alone),
)  # fmt: skip

MODIFIERS = (
    *(
        Check(f"modifier/{name}", "core", about, functools.partial(_modified, ask=asked), _NEEDS)
        for name, about, asked in _PLAIN
    ),
    Check("modifier/second call", "core", "Later calls give the truth, as the first does.",
          _called_again, _NEEDS),
    Check("modifier/half precision", "core", "float16 stays float16, and is right to its digits.",
          _half_precision, _NEEDS, _has_half_precision),
)  # fmt: skip
"""Ways to ask for the gradient of each scenario that carries modifiers."""
