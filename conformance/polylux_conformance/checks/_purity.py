"""Checks that nothing is changed which is not the call's own: inputs, results, global settings."""

from __future__ import annotations

import contextlib
import gc
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import polylux
from polylux import TrainState, compute_gradients, compute_objective, single_train_step
from polylux.backend import Capability
from polylux.optimizers import SGD, Adam
from polylux_conformance._asking import ask, points_of
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._settings import global_settings
from polylux_conformance._subject import Subject
from polylux_conformance.checks._modifiers import CARRIERS
from polylux_conformance.checks._objectives import identity_model


def _objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, Any]:
    xp = polylux.array_namespace(ps["w"])
    y = xp.tanh(data["x"] @ ps["w"] + ps["b"])
    new = {"mean": 0.5 * st["mean"] + 0.5 * xp.mean(y, axis=0)}
    return xp.mean(y * y) + xp.sum(ps["b"]) ** 2, new, {"y": y, "w": ps["w"]}


def _parts(dtype: str, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(seed)
    ps = {"w": rng.normal(size=(3, 2)).astype(dtype), "b": rng.normal(size=2).astype(dtype)}
    return ps, {"mean": np.zeros(2, dtype)}, {"x": rng.normal(size=(5, 3)).astype(dtype)}


def _inputs_stay(subject: Subject, findings: Findings) -> None:
    for dtype in subject.dtypes:
        for kind in ("host", "own"):
            parts = _parts(dtype)
            before = [{n: a.copy() for n, a in part.items()} for part in parts]
            if kind == "own":
                parts = polylux.to_backend(parts, subject.selector)
            ps, st, data = parts
            state = TrainState(identity_model, ps, st, Adam(0.1))
            for call in (compute_objective, compute_gradients, single_train_step):
                for _ in range(2):
                    call(subject.selector, _objective, data, state)
                for part, former in zip(parts, before, strict=True):
                    for name, array in part.items():
                        findings.exactly(f"{name} after {call.__name__}", array, former[name],
                                         point=f"{dtype}, {kind} arrays")  # fmt: skip
            step = polylux.single_train_step_(subject.selector, _objective, data, state)
            for _ in range(2):
                step = polylux.single_train_step_(
                    subject.selector, _objective, data, step.train_state
                )
            for part, former in zip(parts, before, strict=True):
                for name, array in part.items():
                    findings.exactly(f"{name} after three single_train_step_", array, former[name],
                                     point=f"{dtype}, {kind} arrays")  # fmt: skip


def _gradients_are_fresh(subject: Subject, findings: Findings) -> None:
    """A gradient of an earlier call keeps its values, and shares memory with nothing."""
    backend = subject.backend
    for dtype in subject.dtypes:
        ps, st, data = _parts(dtype)
        ps = polylux.to_backend(ps, subject.selector)
        state = TrainState(identity_model, ps, st, SGD(0.1))
        first = compute_gradients(subject.selector, _objective, data, state)
        kept = polylux.to_host((first.grads, first.loss, first.stats["y"]))
        kept = (dict(kept[0]), kept[1].copy(), kept[2].copy())
        others = []
        for seed in (1, 2, 3):
            other, _, batch = _parts(dtype, seed)
            moved = TrainState(identity_model, other, st, SGD(0.1))
            others.append(compute_gradients(subject.selector, _objective, batch, moved))
            others.append(compute_gradients(subject.selector, _objective, batch, state))
        for name in kept[0]:
            findings.exactly(f"gradient of {name} after other calls", first.grads[name],
                             kept[0][name], point=dtype)  # fmt: skip
        findings.exactly("loss after other calls", first.loss, kept[1], point=dtype)
        findings.exactly("statistic after other calls", first.stats["y"], kept[2], point=dtype)
        views = {f"gradient of {n}": backend.to_host([a])[0] for n, a in first.grads.items()}
        views |= {f"parameter {n}": backend.to_host([a])[0] for n, a in ps.items()}
        later = others[-1].grads
        views |= {f"later gradient of {n}": backend.to_host([a])[0] for n, a in later.items()}
        _apart(findings, views, dtype)
        # The linear function's gradient is its data, and the identity's a constant.
        (a,) = subject.own(np.asarray([1.0, 2.0, 3.0], dtype))
        (x,) = subject.own(np.asarray([3.0, 2.0, 1.0], dtype))
        for about, f in (("sum(a * x)", _dot), ("sum(x)", _sum), ("sum(x + x)", _double)):
            slope = polylux.gradient(f, subject.selector, x, a)
            again = polylux.gradient(f, subject.selector, x, a)
            arrays = {"gradient": slope, "second gradient": again, "constant": a, "leaf": x}
            _apart(findings, {n: backend.to_host([v])[0] for n, v in arrays.items()},
                   f"{dtype}, {about}")  # fmt: skip
        both = polylux.gradient(_same_slopes, subject.selector, {"u": x, "v": a})
        views = {f"gradient of {n}": backend.to_host([v])[0] for n, v in both.items()}
        _apart(findings, views, f"{dtype}, u + v")


def _dot(x: Any, a: Any) -> Any:
    return polylux.array_namespace(x).sum(a * x)


def _sum(x: Any, a: Any) -> Any:
    return polylux.array_namespace(x).sum(x)


def _double(x: Any, a: Any) -> Any:
    return polylux.array_namespace(x).sum(x + x)


def _same_slopes(p: Any) -> Any:
    return polylux.array_namespace(p["u"]).sum(p["u"] + p["v"])


def _apart(findings: Findings, views: Mapping[str, Any], point: str) -> None:
    names = list(views)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            if "gradient" in first or "gradient" in second:
                findings.true(
                    f"{first} and {second}", not np.shares_memory(views[first], views[second]),
                    expected="memory of their own", found="shared memory", point=point,
                )  # fmt: skip


def _again_bit_for_bit(subject: Subject, findings: Findings) -> None:
    for scenario, point, dtype in points_of(subject, CARRIERS):
        leaves, data = scenario.at(point, dtype)
        value, gradients = ask(subject, scenario, leaves, data)
        value = polylux.to_host(value).copy()
        kept = {n: g.copy() for n, g in polylux.to_host(dict(gradients)).items()}
        for call in range(4):
            again, others = ask(subject, scenario, leaves, data)
            findings.exactly("value", again, value, point=f"{point}, repetition {call}")
            for name in kept:
                findings.exactly(f"gradient of {name}", others[name], kept[name],
                                 point=f"{point}, repetition {call}")  # fmt: skip


def _objective_alone(subject: Subject, findings: Findings) -> None:
    """compute_objective gives the loss, states and stats of compute_gradients."""
    for dtype in subject.dtypes:
        ps, st, data = _parts(dtype)
        state = TrainState(identity_model, ps, st, SGD(0.1))
        alone = compute_objective(subject.selector, _objective, data, state)
        x = data["x"].astype(np.longdouble)
        y = np.tanh(x @ ps["w"] + ps["b"])
        loss = np.mean(y * y) + np.sum(ps["b"].astype(np.longdouble)) ** 2
        findings.close("loss", alone.loss, loss, dtype=dtype, condition=4, scale=[1.0])
        findings.close("state", alone.train_state.states["mean"], 0.5 * y.mean(axis=0),
                       dtype=dtype, condition=4, scale=[1.0])  # fmt: skip
        findings.close("statistic", alone.stats["y"], y, dtype=dtype, condition=4, scale=[1.0])
        findings.true("gradients", alone.grads is None, expected="None", found=alone.grads)


def _globals_stay(subject: Subject, findings: Findings) -> None:
    xp = subject.backend.namespace

    def behaviour() -> dict[str, Any]:
        """What a user would notice of a setting that no probe above reads."""
        made = [xp.zeros(1), xp.asarray(1.5), xp.asarray([1, 2])]
        return {"default dtypes": [str(a.dtype) for a in made],
                "arithmetic": str((xp.asarray([1.5]) * 2 + 1).dtype)}  # fmt: skip

    class Failure(Exception):
        """A user's."""

    def failing(model: Any, ps: Any, st: Any, data: Any) -> Any:
        raise Failure

    for dtype in subject.dtypes:
        ps, st, data = _parts(dtype)
        state = TrainState(identity_model, ps, st, Adam(0.1))
        single_train_step(subject.selector, _objective, data, state)  # loads what is loaded lazily
        for about, call in (
            ("compute_objective",
             lambda: compute_objective(subject.selector, _objective, data, state)),  # noqa: B023
            ("compute_gradients",
             lambda: compute_gradients(subject.selector, _objective, data, state)),  # noqa: B023
            ("single_train_step",
             lambda: single_train_step(subject.selector, _objective, data, state)),  # noqa: B023
            ("gradient", lambda: polylux.gradient(_sum, subject.selector, ps["b"], ps["b"])),  # noqa: B023
            ("an objective that raises",
             lambda: compute_gradients(subject.selector, failing, data, state)),  # noqa: B023
        ):  # fmt: skip
            # Settings that differ from what a careless backend would set them to, each time anew.
            with (
                np.errstate(divide="warn", over="print", under="warn", invalid="print"),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("default", BytesWarning)
                before = {**global_settings(), **behaviour()}
                with contextlib.suppress(Failure):
                    call()
                after = {**global_settings(), **behaviour()}
            _compare_settings(findings, before, after, f"after {about}", dtype)
            findings.true(f"is_tracing after {about}", not subject.backend.is_tracing(),
                          expected="False", found="True", point=dtype)  # fmt: skip


def _settings_since_loading(subject: Subject, findings: Findings) -> None:
    """What is set once, at the first call, is not seen by comparing around later ones."""
    ps, st, data = _parts("float32")
    state = TrainState(identity_model, ps, st, Adam(0.1))
    single_train_step(subject.selector, _objective, data, state)
    before, after = (
        {name: value for name, value in settings.items() if name not in _SET_BY_THE_SUITE}
        for settings in (subject.settings, global_settings())
    )
    _compare_settings(findings, before, after, "since the backend was loaded", "float32")


def _compare_settings(
    findings: Findings, before: Any, after: Any, when: str, point: str
) -> None:
    for name in dict.fromkeys([*before, *after]):
        former, latter = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if name.startswith("settings of") and former is _ABSENT:
            continue  # a framework that was imported in between
        findings.true(f"{name} {when}", latter == former, expected=str(former)[:200],
                      found=str(latter)[:200], point=point)  # fmt: skip


def _nothing_is_kept(subject: Subject, findings: Findings) -> None:
    """Functions are let go: a run that makes a new one at each step must not fill the memory."""

    class Captured:
        """Something that a user's function holds."""

    def ask() -> tuple[Any, Any]:
        held = Captured()

        def f(x: Any) -> Any:
            assert held is not None
            return polylux.array_namespace(x).sum(x * x)

        def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
            return f(ps["w"]), st, {}

        for dtype in subject.dtypes:
            w = np.asarray([1.0, -2.0], dtype)
            polylux.value_and_gradient(f, subject.selector, w)
            state = TrainState(identity_model, {"w": w}, {}, SGD(0.1))
            single_train_step(subject.selector, objective, None, state)
        return weakref.ref(held), weakref.ref(f)

    references = ask()
    polylux.clear_caches()
    gc.collect()
    for what, reference in zip(("what a function captured", "the function"), references,
                               strict=True):  # fmt: skip
        findings.true(f"{what}, after clear_caches", reference() is None, expected="gone",
                      found="kept")  # fmt: skip


_ABSENT = "not set"

# By `run_check`, around each check.
_SET_BY_THE_SUITE = ("numpy's error handling", "warning filters")


_ALL: tuple[tuple[str, str, Callable[[Subject, Findings], None]], ...] = (
    ("inputs stay", "No function changes the arrays that it is given.", _inputs_stay),
    ("gradients are fresh", "Gradients share memory with nothing and keep their values.",
     _gradients_are_fresh),
    ("bit for bit", "The same call gives the same bits.", _again_bit_for_bit),
    ("objective alone", "compute_objective gives the true loss, states and stats.",
     _objective_alone),
    ("global settings", "Nothing global is changed, also where the objective raises.",
     _globals_stay),
    ("settings since loading", "No first call changes something global for good.",
     _settings_since_loading),
    ("nothing is kept", "Functions are let go after clear_caches.", _nothing_is_kept),
)  # fmt: skip

PURITY = tuple(
    Check(f"purity/{name}", "core", about, body, frozenset({Capability.GRADIENT}))
    for name, about, body in _ALL
)
