"""Checks of every loss against multiprecision values and gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import polylux
from polylux import TrainState, compute_gradients, compute_objective, losses
from polylux.backend import Accuracy, Capability
from polylux.optimizers import SGD
from polylux_conformance._check import Check
from polylux_conformance._compare import Comparison, mismatch
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance._tolerance import EPSILON
from polylux_conformance.checks._objectives import identity_model
from polylux_conformance.oracle import Case, arrays, build, cases

TOGETHER = 32
"""So many cases go into one objective: a trace for each alone would take minutes."""


def loss_names() -> list[str]:
    """Every public loss class, by name; a new one is found here."""
    return sorted(
        name
        for name, value in vars(losses).items()
        if isinstance(value, type) and issubclass(value, losses.Loss) and value is not losses.Loss
        and value.__name__ == name
    )  # fmt: skip


def _body(subject: Subject, findings: Findings, loss: str, dtype: str) -> None:
    found = cases(loss=loss, dtype=dtype)
    for start in range(0, len(found), TOGETHER):
        _check_together(subject, findings, found[start : start + TOGETHER])


def _check_together(subject: Subject, findings: Findings, some: Sequence[Case]) -> None:
    try:
        values, gradients = _ask(subject, some)
    except Exception as error:  # noqa: BLE001  # one of them raised: find out which
        if len(some) > 1:
            middle = len(some) // 2
            _check_together(subject, findings, some[:middle])
            _check_together(subject, findings, some[middle:])
        else:
            text = f"{type(error).__name__}: {error}"
            findings.add(mismatch("loss and gradient", "numbers", text, some[0].name))
        return
    for case, value, gradient in zip(some, values, gradients, strict=True):
        _judge(findings, case, "value", value, case.value, case.value_error)
        if gradient is not None:
            _judge(findings, case, "gradient", gradient, case.gradient, case.gradient_error)


def _ask(subject: Subject, some: Sequence[Case]) -> tuple[list[Any], list[Any]]:
    """Values and gradients of several cases, by one call."""
    given = [arrays(case) for case in some]
    built = [build(case) for case in some]
    ps = {str(i): prediction for i, (prediction, _, _) in enumerate(given)}
    data = {str(i): (target, weight) for i, (_, target, weight) in enumerate(given)}

    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        total = None
        found = []
        for i, loss in enumerate(built):
            target, weight = data[str(i)]
            keywords = {} if weight is None else {"sample_weight": weight}
            value = loss(ps[str(i)], target, **keywords)
            found.append(value)
            xp = polylux.array_namespace(value)
            # A sum's derivative is 1 whatever the values are, infinities included.
            part = xp.astype(xp.sum(value), xp.float32 if _is_low(some[i]) else value.dtype)
            total = part if total is None else total + part
        return total, st, found

    state = TrainState(identity_model, ps, {}, SGD(0.1))
    if subject.is_truncated or not subject.claims(Capability.GRADIENT):
        result = compute_objective(subject.selector, objective, data, state)
        return list(result.stats), [None] * len(some)
    result = compute_gradients(subject.selector, objective, data, state)
    return list(result.stats), [result.grads[str(i)] for i in range(len(some))]


def _is_low(case: Case) -> bool:
    return case.dtype in ("float16", "bfloat16")


def _judge(
    findings: Findings, case: Case, what: str, found: Any, exact: Any, error: Callable[[Any], float]
) -> None:
    subject = findings.subject
    if not subject.owns(found):
        findings.add(mismatch(what, "an array of the backend", repr(type(found)), case.name))
        return
    host = subject.host(found)
    if str(host.dtype) != case.dtype:
        findings.add(mismatch(what, f"dtype {case.dtype}", f"dtype {host.dtype}", case.name))
        return
    allowed = case.bar
    if subject.backend.float64 is Accuracy.NOMINAL and case.dtype == "float64":
        allowed *= EPSILON["float32"] / EPSILON["float64"]
    ulps = float(error(host))
    expected, got = np.asarray(exact).reshape(-1), host.astype(np.float64).reshape(-1)
    place = 0
    if expected.size and expected.shape == got.shape:
        with np.errstate(all="ignore"):
            place = int(np.argmax(np.where(np.isnan(got), np.inf, np.abs(got - expected))))
    findings.add(
        Comparison(
            what, case.name, ulps <= allowed, ulps, ulps / allowed,
            f"[{place}] {expected[place]!r}" if expected.size else "",
            f"[{place}] {got[place]!r}" if got.size > place else f"shape {host.shape}",
        )
    )  # fmt: skip


def _applies(subject: Subject, dtype: str) -> str | None:
    if dtype == "float64" and dtype not in subject.dtypes:
        return f"{subject.backend.name} has no float64"
    if dtype in ("float16", "bfloat16"):
        try:
            subject.backend.dtype(dtype)
        except polylux.errors.DTypeError as error:
            return str(error)
    return None


LOSSES = tuple(
    Check(
        f"loss/{loss} [{dtype}]",
        "oracle",
        "Values and gradients are those of 50-digit arithmetic.",
        functools.partial(_body, loss=loss, dtype=dtype),
        frozenset(),
        functools.partial(_applies, dtype=dtype),
    )
    for loss in loss_names()
    for dtype in ("float64", "float32", "float16", "bfloat16")
    if cases(loss=loss, dtype=dtype)
)
