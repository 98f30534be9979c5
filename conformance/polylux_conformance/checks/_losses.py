"""Checks of every loss against multiprecision values and gradients."""

from __future__ import annotations

import functools
import itertools
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
"""So many settings go into one objective: a trace for each alone would take minutes."""


def loss_names() -> list[str]:
    """Every public loss class, by name; a new one is found here."""
    return sorted(
        name
        for name, value in vars(losses).items()
        if isinstance(value, type) and issubclass(value, losses.Loss) and value is not losses.Loss
        and value.__name__ == name
    )  # fmt: skip


def _body(subject: Subject, findings: Findings, loss: str, dtype: str) -> None:
    alike: dict[str, list[Case]] = {}
    for case in cases(loss=loss, dtype=dtype):
        alike.setdefault(_signature(case), []).append(case)
    # Groups of nearly one length go together, since each is called as often as the longest.
    ordered = sorted(alike.values(), key=len)
    for _, some in itertools.groupby(ordered, key=lambda group: len(group).bit_length()):
        groups = list(some)
        for start in range(0, len(groups), TOGETHER):
            _check_together(subject, findings, groups[start : start + TOGETHER])


def _signature(case: Case) -> str:
    """What cases have in common that one trace can serve: settings, shapes and dtypes."""
    given = [None if a is None else (a.shape, str(a.dtype)) for a in arrays(case)]
    return repr((sorted(case.options.items()), given))


def _check_together(subject: Subject, findings: Findings, groups: Sequence[Sequence[Case]]) -> None:
    try:
        answers = _ask(subject, groups)
    except Exception as error:  # noqa: BLE001  # one of them raised: find out which
        if len(groups) == 1:
            groups = [[case] for case in groups[0]]
        if len(groups) > 1:
            middle = len(groups) // 2
            _check_together(subject, findings, groups[:middle])
            _check_together(subject, findings, groups[middle:])
        else:
            text = f"{type(error).__name__}: {error}"
            findings.add(mismatch("loss and gradient", "numbers", text, groups[0][0].name))
        return
    for case, value, gradient in answers:
        _judge(findings, case, "value", value, case.value, case.value_error)
        if gradient is not None:
            _judge(findings, case, "gradient", gradient, case.gradient, case.gradient_error)


def _ask(subject: Subject, groups: Sequence[Sequence[Case]]) -> list[tuple[Case, Any, Any]]:
    """Each case with its value and gradient: the first of all groups by one call, and so on."""
    built = [build(group[0]) for group in groups]

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
            low = _is_low(groups[i][0])
            part = xp.astype(xp.sum(value), xp.float32 if low else value.dtype)
            total = part if total is None else total + part
        return total, st, found

    exact = not subject.is_truncated and subject.claims(Capability.GRADIENT)
    call = compute_gradients if exact else compute_objective
    state = None
    answers = []
    for turn in range(max(map(len, groups))):
        # A group that has come to its end gives its last case again.
        given = {str(i): arrays(group[min(turn, len(group) - 1)]) for i, group in enumerate(groups)}
        ps = {i: prediction for i, (prediction, _, _) in given.items()}
        data = {i: (target, weight) for i, (_, target, weight) in given.items()}
        if state is None:
            state = TrainState(identity_model, ps, {}, SGD(0.1))
        result = call(subject.selector, objective, data, state.replace(parameters=ps))
        answers += [
            (group[turn], result.stats[i], result.grads[str(i)] if exact else None)
            for i, group in enumerate(groups)
            if turn < len(group)
        ]
    return answers


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
