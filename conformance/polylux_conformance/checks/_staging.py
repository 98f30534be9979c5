"""Checks of staged functions: shapes, numbers that change, statics, carries, given away or not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import polylux
from polylux.backend import Capability, Numbers
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject

STEPS = 4


def _gradient(parameters: Any, one: Any) -> Any:
    a, b = parameters
    static = {"shape": tuple(a.shape), "text": "s"}
    total = polylux.array_namespace(a).sum(a * b)
    return ((total,), one + 1), (b, a), static


def _update(carry: Any, gradients: Any, rates: Any) -> Any:
    new = [p * r + g for p, r, g in zip(carry[0], rates, gradients, strict=True)]
    return _typed(new, carry[0]), ()


def _typed(arrays: Any, like: Any) -> Any:
    """These arrays in the dtypes of those: one without an axis takes that of a 0-d number."""
    xp = polylux.array_namespace(*like)
    pairs = zip(arrays, like, strict=True)
    return tuple([xp.astype(array, other.dtype, copy=False) for array, other in pairs])


def _shapes_and_numbers(subject: Subject, findings: Findings) -> None:
    for dtype in subject.dtypes:
        with subject.precision(np.zeros(1, dtype)):
            staged = subject.backend.stage_step(_gradient, _update, subject.selector)
            for call, (shape, rates) in enumerate((
                ((2, 3), (0.5, 2.0)), ((2, 3), (-1.5, 0.25)), ((4,), (0.5, 2.0)),
                ((2, 3), (3.0, -1.0)), ((), (1.0, 1.0)), ((0, 2), (2.0, 2.0)), ((4,), (7.0, 0.0)),
            )):  # fmt: skip
                rng = np.random.default_rng(call)
                hosts = [rng.normal(size=shape).astype(dtype) for _ in range(2)]
                hosts.append(np.asarray(call, dtype))
                a, b, one = subject.own(*hosts)
                numbers = Numbers({1: rates}.__getitem__, 1)
                (((total,), more), (new, _)), static = staged(((a, b), ()), numbers, one)
                point = f"call {call}, shape {shape}, rates {rates}"
                wide = [h.astype(np.longdouble) for h in hosts]
                findings.close("a * rate + b", new[0], wide[0] * rates[0] + wide[1], dtype=dtype,
                               point=point, scale=[1.0])  # fmt: skip
                findings.close("b * rate + a", new[1], wide[1] * rates[1] + wide[0], dtype=dtype,
                               point=point, scale=[1.0])  # fmt: skip
                findings.close("sum(a * b)", total, np.sum(wide[0] * wide[1]), dtype=dtype,
                               point=point, scale=[1.0])  # fmt: skip
                findings.close("one + 1", more, wide[2] + 1, dtype=dtype, point=point)
                findings.true("static", static == {"shape": shape, "text": "s"},
                              expected=f"{{'shape': {shape}, 'text': 's'}}", found=static,
                              point=point)  # fmt: skip


def _rates(update: int) -> tuple[float, ...]:
    return (0.5 + update,)


def _carried(subject: Subject, findings: Findings) -> None:
    """A carry that goes round, donated where that is claimed, its arrays joined or not."""
    donates = subject.claims(Capability.DONATION)

    def gradient(_: Any, gradients: Any) -> Any:
        return (2 * gradients[0],), gradients, None

    def update(carry: Any, gradients: Any, rates: Any) -> Any:
        parameters, (momentum,) = carry
        momentum = tuple([0.5 * m + g for m, g in zip(momentum, gradients, strict=True)])
        new = [p - rates[0] * m for p, m in zip(parameters, momentum, strict=True)]
        return _typed(new, parameters), (momentum,)

    for dtype, donated, can_join in itertools.product(
        subject.dtypes, {False, donates}, (False, True)
    ):
        rng = np.random.default_rng(3)
        shapes = ((3, 2), (), (5,), (0,))
        hosts = [rng.normal(size=shape).astype(dtype) for shape in shapes]
        slopes = [rng.normal(size=shape).astype(dtype) for shape in shapes]
        with subject.precision(*hosts):
            staged = subject.backend.stage_step(
                gradient, update, subject.selector, can_join=can_join, donated=donated
            )
            slots = tuple(subject.own(*(h * 0 for h in hosts)))
            carry: Any = (tuple(subject.own(*hosts)), (slots,))
            gradients = tuple(subject.own(*slopes))
            for call in range(STEPS):
                ((twice,), carry), _ = staged(carry, Numbers(_rates, call), gradients)
            parameters = tuple(carry[0])
        point = f"donated {donated}, can_join {can_join}"
        p = [h.astype(np.longdouble) for h in hosts]
        m = [h * 0 for h in p]
        for call in range(STEPS):
            m = [0.5 * a + g for a, g in zip(m, slopes, strict=True)]
            p = [a - (0.5 + call) * b for a, b in zip(p, m, strict=True)]
        for i, (found, true) in enumerate(zip(parameters, p, strict=True)):
            findings.close(f"array {i} after {STEPS} calls", found, true, dtype=dtype,
                           point=point, condition=2, scale=[1.0])  # fmt: skip
        findings.close("twice the gradient", twice, 2 * slopes[0].astype(np.longdouble),
                       dtype=dtype, point=point)  # fmt: skip
        for i, (found, true) in enumerate(zip(gradients, slopes, strict=True)):
            findings.exactly(f"group {i} that was not donated", found, true, point=point)


def _once(subject: Subject, findings: Findings) -> None:
    """Where staging is in use Python runs once for each shape, and else at each call."""
    calls = []

    def counted(x: Any) -> Any:
        calls.append(x.shape)
        return (x * 2,), None

    with subject.precision(np.zeros(1, np.float32)):
        staged = subject.backend.stage(counted, subject.selector)
        for size in (3, 3, 4, 3, 4):
            (x,) = subject.own(np.ones(size, np.float32))
            (found,), _ = staged(x)
            findings.exactly("twice", found, np.full(size, 2.0, np.float32), point=f"size {size}")
    if not subject.is_staged:
        findings.true("calls of Python", len(calls) == 5, expected="5", found=len(calls))


_ALL = (
    ("shapes and numbers", "Each shape, dtype and learning rate has its own result.",
     _shapes_and_numbers),
    ("carried groups", "A step takes the carry of the former one, donated or not, joined or not.",
     _carried),
    ("python runs", "Values are right whether Python runs or is replayed.", _once),
)  # fmt: skip

STAGING = tuple(Check(f"staging/{name}", "core", about, body) for name, about, body in _ALL)
