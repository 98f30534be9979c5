"""Computing the cases anew: points rounded to each dtype, formulas, aggregation, one rounding."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import mpmath as mp  # type: ignore[import-untyped]
import numpy as np

from polylux_conformance.oracle._case import EPSILON
from polylux_conformance.oracle._formulas import DIGITS, FORMULAS, Exact, Items, exactly
from polylux_conformance.oracle._points import Point, points

DTYPES: dict[str, Any] = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
}


def generate(path: Path) -> int:
    """Write all cases; returns their number."""
    with mp.workdps(DIGITS):
        fields = list(_all())
    text = json.dumps(fields, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    return len(fields)


def _all() -> Iterator[dict[str, Any]]:
    seen: dict[str, int] = {}
    for dtype in DTYPES:
        low = dtype in ("float16", "bfloat16")
        for number, point in enumerate(points(low)):
            if point.about.startswith("double") and dtype != "float64":
                continue
            if low and (number % 2 or "alone" in point.about):
                continue  # what 16 bits can show, they show in a quarter of the points
            stem = f"{point.loss}-{dtype}-{point.about}"
            seen[stem] = seen.get(stem, -1) + 1
            yield compute(point, dtype, f"{stem}-{seen[stem]}")


def compute(point: Point, dtype: str, name: str) -> dict[str, Any]:
    """The fields of one case."""
    p = _rounded(point.prediction, dtype)
    target = point.target
    t = target if target.dtype.kind in "ib" else _rounded(target, dtype)
    weight = None if point.sample_weight is None else _rounded(point.sample_weight, dtype)
    options = {**point.options}
    options["epsilon"] = mp.mpf(options.get("epsilon", EPSILON[dtype]))
    found = _items(point.loss, p, t, options)
    value, gradient, terms, slope_terms, rounding = _aggregated(
        found, options.get("agg", "mean"), weight
    )
    largest, steepest = _largest(value), _largest(gradient)
    floor = 4 * EPSILON[dtype]
    return {
        "name": name,
        "loss": point.loss,
        "options": point.options,
        "dtype": dtype,
        "prediction": p.tolist(),
        "target": t.tolist(),
        "target_kind": {"f": "float", "i": "int", "b": "bool"}[t.dtype.kind],
        **({} if weight is None else {"sample_weight": weight.tolist()}),
        "value": _nearest(value).tolist(),
        "gradient": _nearest(gradient).tolist(),
        **_accuracy("value", largest, terms, floor, rounding),
        **_accuracy("gradient", steepest, slope_terms, floor, rounding),
    }


def _accuracy(name: str, largest: Any, terms: Any, floor: float, rounding: Any) -> dict[str, float]:
    """Condition number and floor, from the largest entry and what is added up to it."""
    condition = terms / largest if largest else mp.mpf(1)
    if not largest or condition > 2**20:  # rounding of the terms is all that is left of the result
        condition, rounding = mp.mpf(1), max(rounding, terms)
    return {
        f"{name}_condition": float(mp.nstr(max(condition, 1), 6)),
        f"{name}_floor": float(mp.nstr(floor * rounding, 6)),
    }


def _items(loss: str, p: Any, t: Any, options: dict[str, Any]) -> Items:
    exact, labels = exactly(p), None
    if t.dtype.kind == "i" and t.ndim == p.ndim - 1:
        axis = options.get("dim", -1) % p.ndim
        labels = np.expand_dims(t, axis)
        places = np.arange(p.shape[axis]).reshape([-1 if i == axis else 1 for i in range(p.ndim)])
        t = labels == places
    found = FORMULAS[loss](exact, exactly(t), options)
    if labels is not None:
        ignored = labels == options.get("ignore_index")
        class_weights = options.get("weight") or [1.0] * p.shape[axis]
        known = np.where(ignored, 0, labels)
        weights = np.where(ignored, mp.mpf(0), exactly(class_weights)[known])
        keep = np.where(ignored, mp.mpf(0), mp.mpf(1))
        found = Items(
            found.items * keep.squeeze(axis), found.slopes * keep, found.terms * keep.squeeze(axis),
            found.slope_terms * keep, found.axes, weights.squeeze(axis), found.rounding,
        )  # fmt: skip
    return found


def _aggregated(found: Items, agg: str, sample_weight: Any) -> tuple[Exact, Exact, Any, Any, Any]:
    """Value, gradient of its sum, the magnitudes that each of the two is made of, and rounding."""
    items = found.items
    scale = np.vectorize(lambda _: mp.mpf(1), otypes=[object])(items)
    if sample_weight is not None:
        scale = scale * exactly(sample_weight)
    if agg == "mean":
        weights = scale if found.weights is None else scale * found.weights
        coefficient = scale / np.sum(weights)
    elif agg == "squares":
        coefficient = scale * scale * items
    else:
        coefficient = scale
    spread = np.expand_dims(coefficient, found.axes) if found.axes else coefficient
    gradient, slope_terms = spread * found.slopes, abs(spread) * found.slope_terms
    terms = abs(coefficient) * found.terms
    rounding = mp.mpf(0) if found.rounding is None else _largest(coefficient * found.rounding)
    if agg == "none":
        return coefficient * items, gradient, _largest(terms), _largest(slope_terms), rounding
    value = np.asarray(np.sum(coefficient * items) / (2 if agg == "squares" else 1), dtype=object)
    return value, gradient, np.sum(terms), _largest(slope_terms), rounding


def _largest(array: Any) -> Any:
    finite = [abs(v) for v in np.asarray(array, dtype=object).ravel() if mp.isfinite(v)]
    return max(finite, default=mp.mpf(0))


def _rounded(values: Any, dtype: str) -> Any:
    return np.asarray(values).astype(DTYPES[dtype]).astype(np.float64)


def _nearest(array: Exact) -> Any:
    return np.vectorize(float, otypes=[np.float64])(array)
