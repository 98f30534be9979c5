"""Scenarios of unusual leaves: 0-d, empty, shared, unused, many, integer, of mixed precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from polylux_conformance.scenarios._scenario import Leaves, Scenario
from polylux_conformance.scenarios._smooth import normal


def _numbers(xp: Any, x: Leaves, d: Leaves) -> Any:
    return 3 * x["a"] * x["a"] * x["b"] + x["b"]


def _empty(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(x["a"] * x["a"]) + xp.sum(x["none"]) + xp.sum(x["rows"] * 2)


def _empty_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {"a": 2 * x["a"], "none": x["none"] * 0, "rows": x["rows"] * 0}


def _all_empty(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(x["none"] * x["none"])


def _tied(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(x["first"] * x["second"]) + xp.sum(x["other"] * x["second"])


def _tied_gradient(x: Leaves, d: Leaves) -> Leaves:
    # first and second are one array s: the function is s.s + other.s
    total = 2 * x["first"] + x["other"]
    return {"first": total, "second": total, "other": x["second"]}


def _unused(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(x["used"] ** 2)


def _unused_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {name: 2 * a if name == "used" else a * 0 for name, a in x.items()}


def _constant(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(d["a"])


def _cancelled(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(x["w"] * 0) + xp.sum(d["a"])


def _many(xp: Any, x: Leaves, d: Leaves) -> Any:
    total = xp.sum(x["w00"])
    for i, name in enumerate(sorted(x)):
        total = total + (i + 1) * xp.sum(x[name] * x[name])
    return total


def _many_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {
        name: 2 * (i + 1) * x[name] + (1 if name == "w00" else 0)
        for i, name in enumerate(sorted(x))
    }


def _with_integers(xp: Any, x: Leaves, d: Leaves) -> Any:
    counts = xp.astype(x["counts"], x["w"].dtype)
    return xp.sum(xp.where(x["mask"], x["w"] * x["w"] * counts, x["w"]))


def _with_integers_gradient(x: Leaves, d: Leaves) -> Leaves:
    slope = np.where(x["mask"], 2 * x["w"] * x["counts"], 1)
    return {"w": slope, "counts": x["counts"] * 0, "mask": x["mask"] & False}


def _identity(xp: Any, x: Leaves, d: Leaves) -> Any:
    return x["a"]


def _large(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum(d["a"] * x["w"] * x["w"] * x["w"])


def _mixed(xp: Any, x: Leaves, d: Leaves) -> Any:
    narrow = xp.astype(x["narrow"], x["wide"].dtype)
    return xp.sum(narrow * x["wide"] * x["wide"])


def _mixed_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {"narrow": x["wide"] ** 2, "wide": 2 * x["narrow"] * x["wide"]}


_SHARED = normal(2, 3)

EDGES = (
    Scenario(
        "0-d leaves", "edges", _numbers,
        {"first": {"a": normal(), "b": normal()}, "zero": {"a": np.zeros(()), "b": normal()}},
    ),
    Scenario(
        "empty leaves", "edges", _empty,
        {"random": {"a": normal(3), "none": np.zeros(0), "rows": np.zeros((0, 3))}},
        {}, _empty_gradient,
    ),
    Scenario(
        "only empty leaves", "edges", _all_empty, {"empty": {"none": np.zeros((2, 0))}},
        {}, lambda x, d: {"none": x["none"]},
    ),
    Scenario(
        "tied leaves", "edges", _tied,
        {"random": {"first": _SHARED, "second": _SHARED, "other": normal(2, 3)}},
        {}, _tied_gradient,
    ),
    Scenario(
        "unused leaves", "edges", _unused,
        {"random": {"used": normal(3), "idle": normal(2, 2), "number": normal()}},
        {}, _unused_gradient,
    ),
    Scenario(
        "constant function", "edges", _constant, {"random": {"w": normal(3)}}, {"a": normal(4)},
        lambda x, d: {"w": x["w"] * 0},
    ),
    Scenario(
        "cancelled leaf", "edges", _cancelled, {"random": {"w": normal(3)}}, {"a": normal(4)},
        lambda x, d: {"w": x["w"] * 0},
    ),
    Scenario(
        "many leaves", "edges", _many,
        {"random": {f"w{i:02}": normal(*((i % 3 + 1,) * (i % 4))) for i in range(40)}},
        {}, _many_gradient, condition=16,
    ),
    Scenario(
        "integer and boolean leaves", "edges", _with_integers,
        {"random": {
            "w": normal(4),
            "counts": np.asarray([3, 0, -2, 7], dtype=np.int32),
            "mask": np.asarray([True, True, False, True]),
        }},
        {}, _with_integers_gradient, by_entry=True,
    ),
    Scenario(
        "the leaf itself", "edges", _identity, {"random": {"a": normal()}}, {},
        lambda x, d: {"a": np.ones_like(x["a"])},
    ),
    Scenario(
        # More than 2**20 entries: some libraries take another path for large arrays.
        "a large leaf", "edges", _large, {"random": {"w": np.resize(normal(997), (1030, 1024))}},
        {"a": np.resize(normal(1009), (1030, 1024))},
        lambda x, d: {"w": 3 * d["a"] * x["w"] ** 2}, by_entry=True,
        follows_differences=False,  # it could, in two million evaluations
    ),
    Scenario(
        "leaves of two precisions", "edges", _mixed,
        {"random": {"narrow": normal(3).astype(np.float32), "wide": normal(3)}},
        {}, _mixed_gradient, only=("float64",), keeps_dtypes=True,
        # The narrow leaf is rounded to float32 before it is moved, and so is its difference.
        follows_differences=False,
    ),
)  # fmt: skip
"""Each with a gradient in closed form, or by complex steps where it has none."""
