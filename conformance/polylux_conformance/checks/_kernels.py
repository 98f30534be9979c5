"""Checks that a backend's kernels equal the neutral definitions, values and derivatives."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import optree

import polylux
from polylux import ops, registry
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.scenarios import cast_float
from polylux_conformance.scenarios._kernels import SAMPLES, Sample

CONDITION = 4.0  # a kernel and the neutral code may each err by the table's bound, in sums of lanes


def _body(subject: Subject, findings: Findings, samples: tuple[Sample, ...]) -> None:
    if samples[0].function not in subject.backend.kernels:
        # The neutral code, of which each array function has a check of its own.
        small = tuple(sample for sample in samples if not sample.is_large)
        _compare_values(subject, findings, small, subject.dtypes[0])
        return
    for dtype in subject.dtypes:
        _compare_values(subject, findings, samples, dtype)
        if not subject.is_truncated:
            _compare_slopes(subject, findings, samples, dtype)


def _compare_values(
    subject: Subject, findings: Findings, samples: tuple[Sample, ...], dtype: str
) -> None:
    function = ops.natives()[samples[0].function]
    given = [_cast(sample, dtype) for sample in samples]
    own = [_own(subject, arrays) for arrays in given]

    def every(*groups: Any) -> Any:
        found = []
        for sample, arrays, group in zip(samples, given, groups, strict=True):
            present = iter(group)
            operands = [None if a is None else next(present) for a in arrays]
            found.append(tuple(_parts(function(*operands, *sample.settings))))
        return tuple(found), None

    # All samples in one trace: one for each would take most of the suite's time.
    with subject.precision(*(a for group in own for a in group if a is not None)):
        staged = subject.backend.stage(every, subject.selector)
        results, _ = staged(*(tuple(a for a in group if a is not None) for group in own))
    for sample, arrays, operands, found in zip(samples, given, own, results, strict=True):
        wide = [None if a is None else _widened(a) for a in arrays]
        expected = _parts(function.neutral(*wide, *sample.settings))
        for k, (part, true) in enumerate(zip(found, expected, strict=True)):
            findings.close(
                f"value {k}", part, true, dtype=_dtype_of(true, dtype),
                condition=CONDITION * sample.condition,
                by_entry=sample.by_entry, point=sample.about,
                scale=[w for w in wide if w is not None and not sample.by_entry],
            )  # fmt: skip
        for a, b in zip(arrays, operands, strict=True):
            if a is not None:
                findings.exactly("an argument afterwards", b, a, point=sample.about)


def _compare_slopes(
    subject: Subject, findings: Findings, samples: tuple[Sample, ...], dtype: str
) -> None:
    samples = tuple(sample for sample in samples if _places(sample))
    given = [_cast(sample, dtype) for sample in samples]
    leaves = [tuple(a[i] for i in _places(s)) for s, a in zip(samples, given, strict=True)]
    rest = [
        tuple(None if i in _places(s) else a for i, a in enumerate(arrays))
        for s, arrays in zip(samples, given, strict=True)
    ]
    found = polylux.gradient(_slopes_of(samples, False), subject.selector, leaves, rest)
    # The neutral code at the same points in float64, where the backend has that; and with the
    # backend's default options: operation by operation each would be compiled by itself.
    wide = subject.dtypes[0]
    _, default = registry.resolve(polylux.Auto(subject.backend.name))
    true = polylux.gradient(
        _slopes_of(samples, True), default, _wider(leaves, wide), _wider(rest, wide)
    )
    for sample, parts, expected in zip(samples, found, true, strict=True):
        for i, part, slope in zip(_places(sample), parts, expected, strict=True):
            findings.close(
                f"derivative by argument {i}", part, subject.host(slope), dtype=dtype,
                condition=CONDITION, by_entry=sample.slopes_by_entry, point=sample.about,
                is_derivative=True, scale=() if sample.slopes_by_entry else [np.asarray(1.0)],
            )  # fmt: skip


def _wider(groups: Any, dtype: str) -> Any:
    return optree.tree_map(lambda a: cast_float(_widened(a), dtype), groups)


@functools.cache
def _places(sample: Sample) -> tuple[int, ...]:
    """The arguments that are differentiated."""
    arrays = sample.arrays[: sample.differentiated]
    return tuple(i for i, a in enumerate(arrays) if a is not None and a.dtype.kind == "f")


@functools.cache
def _slopes_of(samples: tuple[Sample, ...], is_neutral: bool) -> Callable[..., Any]:
    """`f(leaves, rest)`: a sum of all results, no two entries of one with the same weight."""
    function = ops.natives()[samples[0].function]
    call = function.neutral if is_neutral else function

    def f(leaves: Any, rest: Any) -> Any:
        total = 0.0
        for sample, own, others in zip(samples, leaves, rest, strict=True):
            arguments = list(others)
            for place, leaf in zip(_places(sample), own, strict=True):
                arguments[place] = leaf
            xp = polylux.array_namespace(own[0])
            for part in _parts(call(*arguments, *sample.settings)):
                weights = 1 + xp.astype(xp.arange(math.prod(part.shape)), part.dtype) / 8
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
