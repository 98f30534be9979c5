"""Scenarios of functions that move entries about: broadcasting, indexing, joining, reducing."""

from __future__ import annotations

from typing import Any

import numpy as np

from polylux_conformance.scenarios._scenario import Leaves, Scenario
from polylux_conformance.scenarios._smooth import normal


def _broadcast(xp: Any, x: Leaves, d: Leaves) -> Any:
    return xp.sum((x["matrix"] + x["row"]) * x["column"] * x["number"] + x["one"])


def _indexing(xp: Any, x: Leaves, d: Leaves) -> Any:
    a = x["a"]
    return xp.sum(a[1:, ::2] ** 2) + a[0, -1] * a[0, 0] + xp.sum(a[..., 1] * a[:, 0])


def _joining(xp: Any, x: Leaves, d: Leaves) -> Any:
    a, b = x["a"], x["b"]
    wide = xp.concat([a, b, a], axis=1)
    tall = xp.stack([xp.sum(a, axis=1), xp.sum(b, axis=1)])
    return xp.sum(wide * wide * d["weight"]) + xp.sum(tall[0, :] * tall[1, :])


def _reshaping(xp: Any, x: Leaves, d: Leaves) -> Any:
    a = x["a"]
    moved = xp.permute_dims(xp.reshape(a, (2, 3, 2)), (2, 0, 1))
    wide = xp.expand_dims(moved, axis=1) * xp.squeeze(xp.reshape(a, (1, 12)), axis=0)[:3]
    return xp.sum(wide * wide) + xp.sum(xp.flip(a, axis=0) * a)


def _taking(xp: Any, x: Leaves, d: Leaves) -> Any:
    rows = xp.take(x["table"], d["rows"], axis=0)
    return xp.sum(rows * rows * d["weight"])


def _masked(xp: Any, x: Leaves, d: Leaves) -> Any:
    a = x["a"]
    return xp.sum(xp.where(d["mask"], a * a, 3 * a))


def _masked_gradient(x: Leaves, d: Leaves) -> Leaves:
    return {"a": np.where(d["mask"], 2 * x["a"], 3)}


def _products(xp: Any, x: Leaves, d: Leaves) -> Any:
    a, b, v = x["a"], x["b"], x["v"]
    batched = xp.matmul(a, b)  # (2, 3, 4) @ (2, 4, 2)
    return xp.sum(batched * batched) + xp.sum(xp.matmul(a, v)) + xp.matmul(v, v)


def _reductions(xp: Any, x: Leaves, d: Leaves) -> Any:
    a = x["a"]
    total = xp.sum(xp.mean(a, axis=0) * xp.sum(a * a, axis=(0,)))
    return total + xp.sum(xp.prod(a, axis=1)) + xp.sum(xp.max(a, axis=0) * xp.min(a, axis=0))


def _cumulative(xp: Any, x: Leaves, d: Leaves) -> Any:
    running = xp.cumulative_sum(x["a"], axis=0)
    return xp.sum(running * running)


def _high_rank(xp: Any, x: Leaves, d: Leaves) -> Any:
    a = x["a"]
    return xp.sum(xp.sum(a, axis=(1, 3), keepdims=True) * a * a)


def _one(**shapes: tuple[int, ...]) -> dict[str, dict[str, Any]]:
    return {"random": {name: normal(*shape) for name, shape in shapes.items()}}


SHAPES = (
    Scenario(
        "broadcasting", "shapes", _broadcast,
        _one(matrix=(3, 4), row=(4,), column=(3, 1), number=(), one=(1,)), condition=4,
        only_moves=True,
    ),
    Scenario("indexing", "shapes", _indexing, _one(a=(3, 4)), condition=2, only_moves=True),
    Scenario(
        "joining", "shapes", _joining, _one(a=(2, 3), b=(2, 1)), {"weight": normal(2, 7)},
        condition=2, only_moves=True,
    ),
    Scenario("reshaping", "shapes", _reshaping, _one(a=(12,)), condition=4, only_moves=True),
    Scenario(
        "taking rows", "shapes", _taking, _one(table=(5, 2)),
        {"rows": np.asarray([4, 0, 0, 2, 4, 4]), "weight": normal(6, 2)}, condition=2,
        only_moves=True,
    ),
    Scenario(
        "masked", "shapes", _masked, _one(a=(3, 4)),
        {"mask": np.resize([True, False, True, True, False], (3, 4))},
        _masked_gradient, by_entry=True, only_moves=True,
    ),
    Scenario(
        "products", "shapes", _products, _one(a=(2, 3, 4), b=(2, 4, 2), v=(4,)), condition=4,
    ),
    Scenario("reductions", "shapes", _reductions, _one(a=(3, 4)), condition=4),
    Scenario("running sums", "shapes", _cumulative, _one(a=(3, 4)), condition=2),
    Scenario("high rank", "shapes", _high_rank, _one(a=(2, 3, 1, 2, 2, 1, 2)), condition=2),
)  # fmt: skip
"""Each with a gradient in closed form, or by complex steps where it has none."""
