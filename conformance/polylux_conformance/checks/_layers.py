"""Checks of layers: outputs and states against the host, gradients against differences there."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import optree

import polylux
from polylux import NoAutoDiff, TrainState, compute_gradients, compute_objective, setup
from polylux.backend import Capability
from polylux.optimizers import SGD
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.scenarios import cast_float
from polylux_conformance.scenarios._layers import MODELS, Model

CONDITION = 32.0  # matrix products, normalisations and gates in one chain

# A central difference of order 6: with this step truncation (step**6, some derivative of the
# seventh order) is below 1e-13, and rounding epsilon / step below 1e-12 of the loss's terms.
STEP = 2.0**-9
DIFFERENCE = 1e-11
_WEIGHTS = {1: 45 / 60, 2: -9 / 60, 3: 1 / 60}


def _objective(model: Any, ps: Any, st: Any, x: Any) -> Any:
    y, st = model(x, ps, st)
    xp = polylux.array_namespace(y)
    flat = xp.reshape(y, (-1,))
    # Weights of both signs, no two neighbours alike.
    places = xp.astype(xp.arange(flat.shape[0]), y.dtype)
    return xp.sum(flat * (xp.cos(places) + 0.25)), st, {"y": y}


def _body(subject: Subject, findings: Findings, model: Model) -> None:
    ps, st = setup(np.random.default_rng(0), model.layer)
    for dtype in subject.dtypes:
        cast = functools.partial(_cast, dtype=dtype)
        x = cast(optree.tree_map(np.asarray, model.x))
        parameters, states = cast(_wide(ps)), cast(_wide(st))
        wide_x, wide_ps, wide_st = _wide(x), _wide(parameters), _wide(states)
        true = _on_the_host(model, wide_ps, wide_st, wide_x)
        scale = [np.sum(np.abs(true.stats["y"]))]
        state = TrainState(model.layer, parameters, states, SGD(0.1))
        result = compute_gradients(subject.selector, _objective, x, state)
        findings.close("loss", result.loss, true.loss, dtype=dtype, condition=CONDITION,
                       scale=scale)  # fmt: skip
        findings.close("output", result.stats["y"], true.stats["y"], dtype=dtype,
                       condition=CONDITION, scale=[1.0], sample=True)  # fmt: skip
        _compare_states(findings, result.train_state.states, true.train_state.states, dtype)
        _compare_slope(findings, model, result.grads, (wide_ps, wide_st, wide_x), scale, dtype)


def _compare_states(findings: Findings, found: Any, true: Any, dtype: str) -> None:
    pairs = zip(optree.tree_leaves(found), optree.tree_leaves(true), strict=True)
    for k, (a, b) in enumerate(pairs):
        if not isinstance(b, np.ndarray):
            findings.true(f"state {k}", a == b, expected=repr(b), found=repr(a))
        elif b.dtype.kind == "f":
            findings.close(f"state {k}", a, b, dtype=dtype, condition=CONDITION, scale=[1.0])
        else:
            findings.exactly(f"state {k}", a, b)


def _compare_slope(
    findings: Findings, model: Model, grads: Any, at: Any, scale: Any, dtype: str
) -> None:
    """<gradient, v> against a difference of the host's losses along v."""
    ps, st, x = at
    rng = np.random.default_rng(1)
    along = optree.tree_map(
        lambda p: np.asarray(rng.normal(size=p.shape)) if _is_float(p) else p, ps
    )

    def loss_at(distance: float) -> Any:
        moved = optree.tree_map(
            lambda p, v: p + distance * v if _is_float(p) else p, ps, along
        )
        return _on_the_host(model, moved, st, x).loss

    slope = sum(
        weight * (loss_at(k * STEP) - loss_at(-k * STEP)) for k, weight in _WEIGHTS.items()
    ) / STEP
    terms = [
        findings.subject.host(g).astype(np.longdouble) * v
        for g, v in zip(optree.tree_leaves(grads), optree.tree_leaves(along), strict=True)
        if _is_float(v)
    ]
    size = max(float(sum(np.sum(np.abs(t)) for t in terms)), float(scale[0]))
    in_ulps = DIFFERENCE / float(np.finfo(dtype).eps)
    unit = findings.subject.allowed(dtype, is_derivative=True)
    findings.close(
        "gradient along a direction", np.asarray(sum(np.sum(t) for t in terms), dtype), slope,
        dtype=dtype, condition=max(CONDITION, in_ulps / unit), is_derivative=True, scale=[size],
    )  # fmt: skip


def _on_the_host(model: Model, ps: Any, st: Any, x: Any) -> Any:
    return compute_objective(
        NoAutoDiff(), _objective, x, TrainState(model.layer, ps, st, SGD(0.1))
    )


def _is_float(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"


def _wide(tree: Any) -> Any:
    return optree.tree_map(lambda a: a.astype(np.float64) if _is_float(a) else a, tree)


def _cast(tree: Any, dtype: str) -> Any:
    return optree.tree_map(
        lambda a: cast_float(a, dtype) if isinstance(a, np.ndarray) else a, tree
    )


def _follows(subject: Subject, name: str) -> str | None:
    if subject.is_truncated and name in ("Conv", "Flatten"):
        return "hundreds of parameters are not for difference quotients"
    return None


LAYERS = tuple(
    Check(
        f"layer/{name}",
        "training",
        "Outputs, states and gradients are those of the host in float64.",
        functools.partial(_body, model=model),
        frozenset({Capability.GRADIENT}),
        functools.partial(_follows, name=name),
    )
    for name, model in MODELS.items()
)
