"""Checks that a backend's kernels equal the neutral definitions, values and derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import polylux
from polylux import ops
from polylux.backend import Capability
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.scenarios import cast_float
from polylux_conformance.scenarios._kernels import SAMPLES, Sample

CONDITION = 4.0  # a kernel and the neutral code may each err by the table's bound, in sums of lanes


def _body(subject: Subject, findings: Findings, samples: tuple[Sample, ...]) -> None:
    for sample in samples:
        for dtype in subject.dtypes:
            _compare_values(subject, findings, sample, dtype)
            if not subject.is_truncated and subject.claims(Capability.GRADIENT):
                _compare_slopes(subject, findings, sample, dtype)


def _compare_values(subject: Subject, findings: Findings, sample: Sample, dtype: str) -> None:
    function = ops.natives()[sample.function]
    arrays = _cast(sample, dtype)
    wide = [None if a is None else _widened(a) for a in arrays]
    expected = function.neutral(*wide, *sample.settings)
    own = _own(subject, arrays)
    given = [*own, *sample.settings]
    found = function(*given)
    for k, (part, true) in enumerate(zip(_parts(found), _parts(expected), strict=True)):
        findings.close(
            f"value {k}" if isinstance(found, tuple) else "value", part, true,
            dtype=_dtype_of(true, dtype), condition=CONDITION, by_entry=sample.by_entry,
            point=sample.about, scale=[w for w in wide if w is not None and not sample.by_entry],
        )  # fmt: skip
    for a, b in zip(arrays, own, strict=True):
        if a is not None:
            findings.exactly("an argument afterwards", b, a, point=sample.about)


def _compare_slopes(subject: Subject, findings: Findings, sample: Sample, dtype: str) -> None:
    function = ops.natives()[sample.function]
    arrays = _cast(sample, dtype)
    places = tuple(
        i for i, a in enumerate(arrays[: sample.differentiated])
        if a is not None and a.dtype.kind == "f"
    )  # fmt: skip
    if not places:
        return
    slopes = _slopes_of(sample.function, False, places, sample.settings)
    neutral = _slopes_of(sample.function, True, places, sample.settings)
    leaves = tuple(arrays[i] for i in places)
    rest = tuple(None if i in places else a for i, a in enumerate(arrays))
    _, found = polylux.value_and_gradient(slopes, subject.selector, leaves, rest)
    # The neutral code at the same points in float64, where the backend has that.
    wide = subject.dtypes[0]
    _, true = polylux.value_and_gradient(
        neutral, subject.selector, tuple(a.astype(wide) for a in leaves),
        tuple(cast_float(_widened(a), wide) if a is not None else None for a in rest),
    )  # fmt: skip
    for i, part, expected in zip(places, found, true, strict=True):
        findings.close(
            f"derivative by argument {i}", part, subject.host(expected), dtype=dtype,
            condition=CONDITION, by_entry=sample.by_entry, point=sample.about, is_derivative=True,
            scale=() if sample.by_entry else [np.asarray(1.0)],
        )  # fmt: skip


@functools.cache
def _slopes_of(
    name: str, is_neutral: bool, places: tuple[int, ...], settings: tuple[Any, ...]
) -> Callable[..., Any]:
    """`f(leaves, rest)`: a sum of all results, no two entries with the same weight."""
    function = ops.natives()[name]
    call = function.neutral if is_neutral else function

    def f(leaves: Any, rest: Any) -> Any:
        arguments = list(rest)
        for place, leaf in zip(places, leaves, strict=True):
            arguments[place] = leaf
        xp = polylux.array_namespace(leaves[0])
        total = 0.0
        for part in _parts(call(*arguments, *settings)):
            if part is not None:
                count = 1
                for length in part.shape:
                    count *= length
                weights = 1 + xp.astype(xp.arange(count), part.dtype) / 8
                total = total + xp.sum(xp.reshape(part, (-1,)) * weights)
        return total

    return f


def _cast(sample: Sample, dtype: str) -> list[Any]:
    return [None if a is None else cast_float(a, dtype) for a in sample.arrays]


def _widened(array: Any) -> Any:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _own(subject: Subject, arrays: list[Any]) -> list[Any]:
    present = iter(subject.own(*(a for a in arrays if a is not None)))
    return [None if a is None else next(present) for a in arrays]


def _parts(result: Any) -> list[Any]:
    return [r for r in result if r is not None] if isinstance(result, tuple) else [result]


def _dtype_of(true: Any, dtype: str) -> str:
    return dtype if np.asarray(true).dtype.kind == "f" else str(np.asarray(true).dtype)


KERNELS = tuple(
    Check(
        f"kernel/{name}",
        "core",
        "The function equals its neutral definition, kinks and tails included.",
        functools.partial(_body, samples=tuple(s for s in SAMPLES if s.function == name)),
    )
    for name in dict.fromkeys(sample.function for sample in SAMPLES)
    if name in ops.natives()
)
"""One check for each overridable function; without a kernel the neutral code itself is checked."""
