"""The points at which the losses are computed: random ones, and those where formulas go wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

Host = np.ndarray[Any, Any]
Options = dict[str, Any]

SHAPES: tuple[tuple[int, ...], ...] = ((7,), (5, 3), (2, 4, 3), (2, 3, 2, 2))
AGGREGATIONS = ("mean", "sum", "none", "squares")


@dataclasses.dataclass
class Point:
    """Arguments of a loss, before they are rounded to a dtype."""

    about: str
    loss: str
    options: Options
    prediction: Host
    target: Host
    sample_weight: Host | None = None


def points(low: bool) -> Iterator[Point]:
    """All points of all losses; `low` for those that 16 bits can tell apart."""
    generator = np.random.default_rng(4)
    for about in (
        _numbers,
        _distances,
        _margins,
        _counts,
        _logarithms,
        _binary,
        _binary_logits,
        _binary_focal,
        _classes,
        _class_logits,
        _focal,
        _divergences,
        _overlaps,
    ):
        yield from about(generator, low)


def _spread(
    generator: np.random.Generator, loss: str, draw: Any, variants: list[Options]
) -> Iterator[Point]:
    """Random points: each variant of the options in each shape, over all aggregations in turn."""
    turn = 0
    for options in variants:
        for shape in SHAPES:
            agg = AGGREGATIONS[turn % 4]
            turn += 1 if len(variants) % 4 else 1 + (turn % 4 == 3)
            p, t = draw(generator, shape)
            yield Point(f"random-{len(shape)}d", loss, {**options, "agg": agg}, p, t)
    p, t = draw(generator, (4, 3))
    yield Point("whole-targets", loss, dict(variants[0]), p, np.round(t).astype(np.int64))
    per_lane = loss in LANES
    if loss == "DiceCoeffLoss" or per_lane:
        shape = (4,)
    else:
        shape = (4, 3)
    for agg in AGGREGATIONS:
        weight = generator.uniform(0.25, 4, shape)
        yield Point("sample-weight", loss, {**variants[-1], "agg": agg}, p, t, weight)


LANES = ("CrossEntropyLoss", "FocalLoss", "KLDivergenceLoss")


def _hard(
    loss: str, pairs: list[tuple[float, float]], variants: list[Options], about: str = "hard"
) -> Iterator[Point]:
    """Pairs of a prediction and a target, each alone and all as one array."""
    p, t = np.asarray(pairs, dtype=np.float64).T
    for options in variants:
        yield Point(about, loss, {**options, "agg": "none"}, p, t)
        yield Point(about, loss, dict(options), p, t)
        for pair in pairs:
            yield Point(
                f"{about}-alone", loss, dict(options), np.full(1, pair[0]), np.full(1, pair[1])
            )


# --- predicted numbers --------------------------------------------------------------------------


def _normal_pair(generator: np.random.Generator, shape: Any) -> tuple[Host, Host]:
    return generator.normal(0, 2, shape), generator.normal(0, 2, shape)


def _numbers(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    near = [(1.0, 1.0), (0.0, 0.0), (1.0009765625, 1.0), (-3.0, -3.5), (0.0, -2.0), (100.0, 99.5)]
    far = [] if low else [(1e15, 1.0), (1e-15, -1e-15), (1e10, 1e10 + 1024), (-1e12, 1e12)]
    deltas: list[Options] = [{}, {"delta": 0.5}, {"delta": 3}, {"delta": 0.05}]
    for loss, variants in (("MSELoss", [{}]), ("MAELoss", [{}]), ("HuberLoss", deltas)):
        yield from _spread(generator, loss, _normal_pair, [dict(v) for v in variants])
        yield from _hard(loss, near + far, [dict(v) for v in variants[:2]])
    at_delta = [(1.0, 0.0), (0.0, 1.0), (2.0, 1.0), (1.5, 1.0), (0.5, 1.0), (2.0, 2.0)]
    yield from _hard("HuberLoss", at_delta, [{}, {"delta": 0.5}], "kink")


def _distances(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    def draw(generator: np.random.Generator, shape: Any) -> tuple[Host, Host]:
        return generator.uniform(0, 3, shape), generator.integers(0, 2, shape).astype(np.float64)

    loss = "SiameseContrastiveLoss"
    yield from _spread(generator, loss, draw, [{}, {"margin": 2}, {"margin": 0.75}, {"margin": 0}])
    kinks = [(1.0, 1.0), (1.0, 0.0), (2.0, 1.0), (0.0, 1.0), (0.0, 0.0), (2.0, 3.0), (0.5, 0.5)]
    yield from _hard(loss, kinks, [{}, {"margin": 2.0}, {"margin": 0.0}], "kink")


def _margins(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    def draw(generator: np.random.Generator, shape: Any) -> tuple[Host, Host]:
        return generator.normal(0, 2, shape), generator.choice([-1.0, 1.0], shape)

    kinks = [(1.0, 1.0), (-1.0, -1.0), (0.5, 2.0), (0.0, 1.0), (3.0, 1.0), (3.0, -1.0), (0.0, 0.0)]
    far = [(1e4, 1.0), (-1e4, 1.0), (0.9990234375, 1.0), (1.0009765625, 1.0)]
    for loss in ("HingeLoss", "SquaredHingeLoss"):
        yield from _spread(generator, loss, draw, [{}])
        yield from _hard(loss, kinks + ([] if low else far), [{}], "kink")


def _counts(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    def draw(generator: np.random.Generator, shape: Any) -> tuple[Host, Host]:
        return generator.uniform(0.05, 6, shape), generator.poisson(2, shape).astype(np.float64)

    loss = "PoissonLoss"
    yield from _spread(generator, loss, draw, [{}, {"epsilon": 1e-3}, {"epsilon": 0}])
    hard = [(0.0, 0.0), (1.0, 0.0), (3.0, 3.0), (2.0009765625, 2.0), (1.0, 1.0), (2.5, 40.0)]
    yield from _hard(loss, [*hard, (0.0, 1.0)], [{}])
    yield from _hard(loss, hard, [{"epsilon": 0}])
    if not low:
        far = [(1e-300, 1.0), (1e-300, 0.0), (1e10, 1.0), (1e-30, 5.0), (7.0, 7.0 + 2.0**-20)]
        yield from _hard(loss, [(max(p, 1e-37), t) for p, t in far], [{}, {"epsilon": 0}])
        yield from _hard(loss, far, [{"epsilon": 0}], "double")


def _logarithms(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    def draw(generator: np.random.Generator, shape: Any) -> tuple[Host, Host]:
        return generator.uniform(0.05, 6, shape), generator.uniform(0.05, 6, shape)

    loss = "MSLELoss"
    yield from _spread(generator, loss, draw, [{}, {"epsilon": 1.0}, {"epsilon": 0}])
    hard = [(1.0, 1.0), (1.0009765625, 1.0), (1.0, 1.0009765625), (0.001, 300.0), (0.0, 2.0)]
    yield from _hard(loss, hard, [{}, {"epsilon": 1.0}, {"epsilon": 0.01}])
    if not low:
        near = [(1.0, 1.0 + 2.0**-22), (3.0 + 2.0**-20, 3.0), (1e-15, 1e15), (1e-9, 2e-9)]
        yield from _hard(loss, near, [{}, {"epsilon": 1.0}, {"epsilon": 0}])
        yield from _hard(loss, [(1e-100, 1e100)], [{"epsilon": 0}], "double")
        yield from _hard(loss, [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)], [{}, {"epsilon": 1.0}])


# --- two classes --------------------------------------------------------------------------------


def _soft(generator: np.random.Generator, shape: Any) -> Host:
    """Targets in [0, 1]: zeros, ones and numbers between."""
    return np.asarray(np.clip(np.round(generator.uniform(-0.5, 1.5, shape), 3), 0, 1))


def _probabilities(generator: np.random.Generator, shape: Any) -> tuple[Host, Host]:
    return generator.uniform(0.01, 0.99, shape), _soft(generator, shape)


SMOOTHING: list[Options] = [{}, {"label_smoothing": 0.1}, {"label_smoothing": 1.0},
                            {"label_smoothing": 0.0}]  # fmt: skip
CORNERS = [(p, t) for p in (0.0, 1.0, 0.5, 0.25) for t in (0.0, 1.0, 0.5)]
CONFIDENT = [(1e-3, 0.0), (1 - 2.0**-9, 1.0), (1e-2, 1.0), (0.99, 0.0)]
TINY = [(1e-10, 0.0), (1e-5, 0.0), (1 - 2.0**-20, 1.0), (1e-30, 1.0), (1e-30, 0.0), (1e-7, 1.0)]
DOUBLE = [(1e-300, 1.0), (1e-300, 0.0), (1 - 2.0**-53, 0.0), (1 - 2.0**-40, 1.0), (1e-16, 0.0)]


def _binary(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    loss = "BinaryCrossEntropyLoss"
    yield from _spread(
        generator, loss, _probabilities, [*SMOOTHING, {"epsilon": 0}, {"epsilon": 1e-2}]
    )
    yield from _hard(loss, CORNERS, SMOOTHING[:3])
    inside = [(p, t) for p, t in CORNERS if p in (t, 0.5, 0.25)]
    yield from _hard(loss, inside, [{"epsilon": 0}])
    yield from _hard(loss, CONFIDENT, [{}, {"epsilon": 0}, {"label_smoothing": 0.1}], "confident")
    if not low:
        yield from _hard(loss, TINY, [{}, {"epsilon": 0}, {"epsilon": 1e-4}], "tiny")
        yield from _hard(loss, DOUBLE, [{}, {"epsilon": 0}, {"epsilon": 1e-12}], "double")
    p, t = _probabilities(generator, (4, 3))
    yield Point("boolean-targets", loss, {}, p, t > 0.5)


def _binary_logits(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    def draw(generator: np.random.Generator, shape: Any) -> tuple[Host, Host]:
        return generator.normal(0, 5, shape), _soft(generator, shape)

    loss = "BinaryCrossEntropyLoss"
    variants: list[Options] = [{**v, "logits": True} for v in SMOOTHING]
    yield from _spread(generator, loss, draw, variants)
    sizes = (0.0, 0.5, 3.0, 10.0) if low else (0.0, 2.0**-20, 1.0, 10.0, 30.0, 36.0, 80.0, 1e3)
    hard = [(s * z, t) for z in sizes for s in (1, -1) for t in (0.0, 1.0)]
    yield from _hard(loss, hard, variants[:3])
    yield from _hard(loss, [(0.0, 0.5), (0.0, 0.0), (3.0, 0.75), (-3.0, 0.25)], variants[:1])
    ends = [(np.inf, 1.0), (-np.inf, 0.0), (np.inf, 0.0), (-np.inf, 1.0)]
    yield from _hard(loss, ends[:2], [{"logits": True}], "infinite")
    yield Point("infinite", loss, {"logits": True, "agg": "none"}, *np.asarray(ends).T)
    p, t = draw(generator, (4, 3))
    yield Point("boolean-targets", loss, {"logits": True}, p, t > 0.5)


GAMMAS: list[Options] = [{}, {"gamma": 0}, {"gamma": 1}, {"gamma": 0.5}, {"gamma": 2.5}]


def _binary_focal(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    loss = "BinaryFocalLoss"
    yield from _spread(generator, loss, _probabilities, [*GAMMAS, {"gamma": 3, "epsilon": 0}])
    yield from _hard(loss, CORNERS, GAMMAS)
    yield from _hard(loss, CONFIDENT, [*GAMMAS, {"epsilon": 0}], "confident")
    if not low:
        yield from _hard(loss, TINY, GAMMAS, "tiny")
        yield from _hard(loss, DOUBLE, [{}, {"gamma": 0}, {"gamma": 0.5}], "double")


# --- many classes -------------------------------------------------------------------------------


def _normalized(generator: np.random.Generator, shape: Any, dim: int) -> tuple[Host, Host]:
    """Probabilities of classes, and targets: one-hot lanes and soft ones with zeros."""
    p = generator.dirichlet(np.ones(shape[dim]), shape).mean(-1) + generator.uniform(0, 1, shape)
    p /= p.sum(axis=dim, keepdims=True)
    t = _soft(generator, shape)
    hot = np.moveaxis(np.eye(shape[dim])[generator.integers(0, shape[dim], np.delete(shape, dim))],
                      -1, dim)  # fmt: skip
    return p, np.where(
        generator.uniform(size=hot.shape) < 2, hot if generator.integers(2) else t, t
    )


def _every_dim(
    generator: np.random.Generator, loss: str, variants: list[Options], scale: float = 0.0
) -> Iterator[Point]:
    """Random points of each shape along each axis; logits of that scale, or probabilities."""
    turn = 0
    for shape in SHAPES:
        for dim in range(len(shape)):
            for options in variants:
                p, t = _normalized(generator, shape, dim)
                if scale:
                    p = generator.normal(0, scale, shape)
                axis = dim if turn % 2 else dim - len(shape)
                agg = AGGREGATIONS[(turn // 2 + turn) % 4]
                turn += 1
                yield Point(f"dim{dim}of{len(shape)}", loss, {**options, "dim": axis, "agg": agg},
                            p, t)  # fmt: skip
    p, t = _normalized(generator, (4, 3), 1)
    p = generator.normal(0, scale, (4, 3)) if scale else p
    for agg in AGGREGATIONS:
        weight = generator.uniform(0.25, 4, 4)
        yield Point("sample-weight", loss, {**variants[-1], "agg": agg}, p, t, weight)
    yield Point("boolean-targets", loss, dict(variants[0]), p, t > 0.5)


def _labels(generator: np.random.Generator, loss: str, options: Options) -> Iterator[Point]:
    weight = {"weight": [0.5, 1.0, 3.0, 2.0]} if loss == "CrossEntropyLoss" else {}
    smooth = {"label_smoothing": 0.1} if loss == "CrossEntropyLoss" else {}
    for i, agg in enumerate(AGGREGATIONS):
        p, _ = _normalized(generator, (5, 4), 1)
        if options.get("logits"):
            p = generator.normal(0, 3, (5, 4))
        label = generator.integers(0, 4, 5)
        yield Point("labels", loss, {**options, "agg": agg}, p, label)
        yield Point("labels", loss, {**options, **weight, **(smooth if i % 2 else {}), "agg": agg},
                    p, label)  # fmt: skip
        ignored = np.where(np.arange(5) % 2 == 0, -100, label)
        yield Point("ignored", loss, {**options, **weight, "ignore_index": -100, "agg": agg},
                    p, ignored)  # fmt: skip
        yield Point("weighted-labels", loss, {**options, **weight, "agg": agg}, p, label,
                    generator.uniform(0.25, 4, 5))  # fmt: skip
        yield Point("labels-3d", loss, {**options, "agg": agg, "dim": 1}, np.stack([p.T, p.T]),
                    np.stack([label, label[::-1]]))  # fmt: skip


def _lanes_alone(
    loss: str, lanes: list[Any], variants: list[Options], about: str
) -> Iterator[Point]:
    """Lanes of a prediction and a target, each alone, and those of one length together."""
    for options in variants:
        for p, t in lanes:
            yield Point(about, loss, dict(options), np.asarray([p], float), np.asarray([t], float))
        same = [lane for lane in lanes if len(lane[0]) == len(lanes[0][0])]
        p, t = (np.asarray([lane[i] for lane in same], float) for i in (0, 1))
        yield Point(about, loss, {**options, "agg": "none"}, p, t)


HARD_LANES = [([0, 1, 0], [0, 1, 0]), ([0, 1, 0], [1, 0, 0]), ([0, 0.5, 0.5], [0, 0.25, 0.75]),
              ([1, 0, 0], [0.5, 0.5, 0]), ([0.25, 0.5, 0.25], [0.25, 0.5, 0.25])]  # fmt: skip
FINITE_LANES = [HARD_LANES[0], *HARD_LANES[2:3], HARD_LANES[4]]
CONFIDENT_LANES = [([1e-3, 1 - 2.0**-9, 1e-3], [0, 1, 0]), ([0.9, 0.05, 0.05], [1, 0, 0])]
TINY_LANES = [([1e-7, 1 - 2.0**-22, 1e-8], [0, 1, 0]), ([1e-30, 0.5, 0.5], [1, 0, 0])]


def _classes(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    loss = "CrossEntropyLoss"
    yield from _every_dim(generator, loss, [*SMOOTHING, {"epsilon": 0}, {"epsilon": 1e-2}])
    yield from _labels(generator, loss, {})
    yield from _lanes_alone(loss, HARD_LANES, SMOOTHING[:3], "hard")
    yield from _lanes_alone(loss, FINITE_LANES, [{"epsilon": 0}], "hard")
    yield from _lanes_alone(loss, CONFIDENT_LANES, [{}, {"epsilon": 1e-3}], "confident")
    if not low:
        yield from _lanes_alone(loss, TINY_LANES, [{}, {"epsilon": 0}, {"epsilon": 1e-3}], "tiny")
    p, t = _normalized(generator, (4, 3), 1)
    for options in ({}, {"label_smoothing": 0.1}):
        yield Point("weighted-classes", loss, {**options, "weight": [0.5, 1.0, 3.0]}, p, t)


def _class_logits(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    loss, logits = "CrossEntropyLoss", {"logits": True}
    variants: list[Options] = [{**v, **logits} for v in SMOOTHING]
    yield from _every_dim(generator, loss, variants, 4.0)
    yield from _labels(generator, loss, logits)
    lanes = [([0, 0, 0], [0, 1, 0]), ([1000, 0, -1000], [1, 0, 0]), ([1000, 0, -1000], [0, 0, 1]),
             ([2, 2, 0], [1, 0, 0]), ([2, 2, 0], [0, 0, 1]), ([0, 0, 0], [0.25, 0.5, 0.25]),
             ([5, 1, 0], [1, 1, 1]), ([5, 1, 0], [0, 0, 0])]  # fmt: skip
    yield from _lanes_alone(loss, lanes, variants[:3], "hard")
    sure = [([12, 0, 0.5], [1, 0, 0]), ([-9, 0, -8.5], [0, 1, 0])]
    if not low:
        sure += [([40, 0, 3], [1, 0, 0]), ([-80, 0, -90], [0, 1, 0]), ([700, 680, 0], [1, 0, 0])]
    yield from _lanes_alone(loss, sure, variants[:1], "confident")
    ends = [([-np.inf, 1, 2], [0, 0.5, 0.5]), ([-np.inf, 1, -np.inf], [0, 1, 0])]
    yield from _lanes_alone(loss, ends, [dict(logits)], "infinite")
    p, t = generator.normal(0, 3, (4, 3)), _normalized(generator, (4, 3), 1)[1]
    for options in ({}, {"label_smoothing": 0.1}):
        yield Point(
            "weighted-classes", loss, {**options, **logits, "weight": [0.5, 1.0, 3.0]}, p, t
        )


def _focal(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    loss = "FocalLoss"
    yield from _every_dim(generator, loss, [*GAMMAS, {"gamma": 3, "epsilon": 0}])
    yield from _labels(generator, loss, {})
    yield from _lanes_alone(loss, HARD_LANES, GAMMAS, "hard")
    yield from _lanes_alone(loss, FINITE_LANES, [{"epsilon": 0}, {"gamma": 0.5, "epsilon": 0}],
                            "hard")  # fmt: skip
    yield from _lanes_alone(loss, CONFIDENT_LANES, GAMMAS, "confident")
    if not low:
        yield from _lanes_alone(loss, TINY_LANES, GAMMAS, "tiny")


def _divergences(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    loss = "KLDivergenceLoss"
    yield from _every_dim(generator, loss, [*SMOOTHING, {"epsilon": 0}])
    yield from _lanes_alone(loss, HARD_LANES, SMOOTHING[:3], "hard")
    yield from _lanes_alone(loss, FINITE_LANES, [{"epsilon": 0}], "hard")
    yield from _lanes_alone(loss, CONFIDENT_LANES, [{}, {"epsilon": 1e-3}], "confident")
    if not low:
        yield from _lanes_alone(loss, TINY_LANES, [{}, {"epsilon": 0}], "tiny")


# --- overlap ------------------------------------------------------------------------------------


def _overlaps(generator: np.random.Generator, low: bool) -> Iterator[Point]:
    loss = "DiceCoeffLoss"
    variants: list[Options] = [{}, {"smooth": 0.5}, {"smooth": 0}]
    yield from _spread(generator, loss, _probabilities, variants)
    p, t = _probabilities(generator, (3, 4))
    t = np.round(t)
    t[:, 0] = 1
    for options in variants:
        yield Point("equal", loss, dict(options), t, t)
        yield Point("nearly-equal", loss, dict(options), t + p / 256, t)
        yield Point("opposite", loss, dict(options), 1 - t, t)
    yield Point("empty-masks", loss, {}, np.zeros((2, 3)), np.zeros((2, 3)))
    if not low:
        yield Point("close", loss, {"agg": "none"}, t + 2.0**-20 * p, t)
