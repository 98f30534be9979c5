"""Checks of staged functions: shapes, numbers that change, statics, donated and carried groups."""

from __future__ import annotations

from typing import Any

import numpy as np

import polylux
from polylux.backend import Capability
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject

STEPS = 4


def _function(groups: Any, rates: Any, one: Any) -> Any:
    a, b = groups
    xp = polylux.array_namespace(a)
    shape = tuple(a.shape)
    return ((a * rates[0] + b, (xp.sum(a * b) * rates[1],)), one + 1), {"shape": shape, "text": "s"}


def _shapes_and_numbers(subject: Subject, findings: Findings) -> None:
    for dtype in subject.dtypes:
        with subject.precision(np.zeros(1, dtype)):
            staged = subject.backend.stage(_function, subject.selector)
            for call, (shape, rates) in enumerate((
                ((2, 3), (0.5, 2.0)), ((2, 3), (-1.5, 0.25)), ((4,), (0.5, 2.0)),
                ((2, 3), (3.0, -1.0)), ((), (1.0, 1.0)), ((0, 2), (2.0, 2.0)), ((4,), (7.0, 0.0)),
            )):  # fmt: skip
                rng = np.random.default_rng(call)
                hosts = [rng.normal(size=shape).astype(dtype) for _ in range(2)]
                hosts.append(np.asarray(call, dtype))
                a, b, one = subject.own(*hosts)
                ((sums, (total,)), more), static = staged((a, b), rates, one)
                point = f"call {call}, shape {shape}, rates {rates}"
                wide = [h.astype(np.longdouble) for h in hosts]
                findings.close("a * rate + b", sums, wide[0] * rates[0] + wide[1], dtype=dtype,
                               point=point, scale=[1.0])  # fmt: skip
                findings.close("sum(a * b) * rate", total, np.sum(wide[0] * wide[1]) * rates[1],
                               dtype=dtype, point=point, scale=[1.0])  # fmt: skip
                findings.close("one + 1", more, wide[2] + 1, dtype=dtype, point=point)
                findings.true("static", static == {"shape": shape, "text": "s"},
                              expected=f"{{'shape': {shape}, 'text': 's'}}", found=static,
                              point=point)  # fmt: skip


def _carried(subject: Subject, findings: Findings) -> None:
    """Parameters and slots that go round, donated where that is claimed."""
    donates = subject.claims(Capability.DONATION)

    def step(parameters: Any, slots: Any, rates: Any, gradients: Any) -> Any:
        (momentum,) = slots
        momentum = tuple(0.5 * m + g for m, g in zip(momentum, gradients, strict=True))
        new = tuple(p - rates[0] * m for p, m in zip(parameters, momentum, strict=True))
        return (new, (momentum,)), None

    for dtype in subject.dtypes:
        for donate in ((), (0, 1)) if donates else ((),):
            rng = np.random.default_rng(3)
            shapes = ((3, 2), (), (5,), (0,))
            hosts = [rng.normal(size=shape).astype(dtype) for shape in shapes]
            slopes = [rng.normal(size=shape).astype(dtype) for shape in shapes]
            with subject.precision(*hosts):
                staged = subject.backend.stage(
                    step, subject.selector, donate, ((0, 0), (1, 1))
                )
                parameters: Any = tuple(subject.own(*hosts))
                slots: Any = (tuple(subject.own(*(h * 0 for h in hosts))),)
                gradients = tuple(subject.own(*slopes))
                for call in range(STEPS):
                    (parameters, slots), _ = staged(parameters, slots, (0.5 + call,), gradients)
                parameters = tuple(parameters)
            point = f"donated {donate}"
            p = [h.astype(np.longdouble) for h in hosts]
            m = [h * 0 for h in p]
            for call in range(STEPS):
                m = [0.5 * a + g for a, g in zip(m, slopes, strict=True)]
                p = [a - (0.5 + call) * b for a, b in zip(p, m, strict=True)]
            for i, (found, true) in enumerate(zip(parameters, p, strict=True)):
                findings.close(f"array {i} after {STEPS} calls", found, true, dtype=dtype,
                               point=point, condition=2, scale=[1.0])  # fmt: skip
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
    ("carried groups", "What a call returns may be given to the next one, donated or not.",
     _carried),
    ("python runs", "Values are right whether Python runs or is replayed.", _once),
)  # fmt: skip

STAGING = tuple(Check(f"staging/{name}", "core", about, body) for name, about, body in _ALL)
