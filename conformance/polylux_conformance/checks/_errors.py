"""Checks of errors: a user's own passes, a mistake is told, and the next call is right."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

import polylux
from polylux import TrainState, compute_gradients, compute_objective, registry, single_train_step
from polylux.backend import Backend, Capability
from polylux.errors import NothingTrainableError, ObjectiveError, PolyluxError, UnsupportedError
from polylux.optimizers import SGD
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.checks._objectives import identity_model


class UsersError(Exception):
    """Raised in objectives, and nowhere else."""


class UsersInterrupt(BaseException):
    """As Ctrl-C is: not an `Exception`."""


def _state(values: Any = (1.0, 2.0), dtype: str = "float32") -> TrainState:
    return TrainState(identity_model, {"w": np.asarray(values, dtype)}, {}, SGD(0.1))


def _fails(
    findings: Findings,
    what: str,
    call: Callable[[], Any],
    expected: type[BaseException],
    *,
    same: BaseException | None = None,
) -> BaseException | None:
    """Note whether a call raises; gives what it raised."""
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001  # an interrupt is one of the cases
        good = isinstance(error, expected) and (same is None or error is same)
        findings.true(what, good, expected=expected.__name__ + (" itself" if same else ""),
                      found=f"{type(error).__name__}: {error}")  # fmt: skip
        return error
    findings.true(what, False, expected=expected.__name__, found=f"no error, but {result!r:.80}")
    return None


def _users_pass(subject: Subject, findings: Findings) -> None:
    for raised in (
        UsersError("mine"), UsersInterrupt("mine"), ValueError("mine"), TypeError("mine"),
        NotImplementedError("mine"), KeyError("mine"), StopIteration("mine"), ArithmeticError(),
        RuntimeError("mine"),
    ):  # fmt: skip

        def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
            raise raised  # noqa: B023  # called within this round

        def function(x: Any) -> Any:
            raise raised  # noqa: B023  # called within this round

        for name, call in (
            ("compute_objective", compute_objective), ("compute_gradients", compute_gradients),
            ("single_train_step", single_train_step),
        ):  # fmt: skip
            error = _fails(
                findings, f"{type(raised).__name__} in {name}",
                lambda: call(subject.selector, objective, None, _state()),  # noqa: B023
                type(raised), same=raised,
            )  # fmt: skip
            _shows_users_line(findings, error, "objective")
        error = _fails(
            findings, f"{type(raised).__name__} in value_and_gradient",
            lambda: polylux.value_and_gradient(function, subject.selector, np.ones(2)),
            type(raised), same=raised,
        )  # fmt: skip
        _shows_users_line(findings, error, "function")
        _still_right(subject, findings, f"after {type(raised).__name__}")


def _shows_users_line(findings: Findings, error: BaseException | None, name: str) -> None:
    if error is not None:
        frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        findings.true("the traceback", name in frames, expected=f"a line in {name}",
                      found=f"lines in {frames[-3:]}")  # fmt: skip


def _still_right(subject: Subject, findings: Findings, point: str) -> None:
    result = compute_gradients(subject.selector, _squares, None, _state((1.0, -3.0)))
    findings.close("loss", result.loss, np.asarray(10.0), dtype="float32", point=point)
    findings.close("gradient", result.grads["w"], np.asarray([2.0, -6.0]), dtype="float32",
                   point=point, is_derivative=True)  # fmt: skip
    findings.true("is_tracing", not subject.backend.is_tracing(), expected="False", found="True",
                  point=point)  # fmt: skip


def _squares(model: Any, ps: Any, st: Any, data: Any) -> Any:
    return polylux.array_namespace(ps["w"]).sum(ps["w"] * ps["w"]), st, {}


def _late_failure(subject: Subject, findings: Findings) -> None:
    """An error after a part of the trace was built, once and then no more."""
    for calls in range(3):
        raised = UsersError(f"call {calls}")

        def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
            loss = polylux.array_namespace(ps["w"]).sum(ps["w"] ** 2)
            if loss is not None:
                raise raised  # noqa: B023  # called within this round
            return loss, st, {}

        _fails(findings, "an error at the end of the objective",
               lambda: compute_gradients(subject.selector, objective, None, _state()),
               UsersError, same=raised)  # fmt: skip
        _still_right(subject, findings, f"after failure {calls}")


def _bad_losses(subject: Subject, findings: Findings) -> None:
    def returning(make: Callable[[Any], Any]) -> Callable[..., Any]:
        return lambda model, ps, st, data: (make(ps["w"]), st, {})

    def whole(x: Any) -> Any:
        xp = polylux.array_namespace(x)
        return xp.astype(xp.sum(x), xp.int32)

    cases: dict[str, Callable[..., Any]] = {
        "a vector as the loss": returning(lambda w: w * w),
        "one entry, not 0-d": returning(lambda w: w[:1]),
        "None as the loss": returning(lambda w: None),
        "a Python number as the loss": returning(lambda w: 1.5),
        "an integer loss": returning(whole),
        "two values": lambda model, ps, st, data: (ps["w"][0], st),
    }
    for about, objective in cases.items():
        for call in (compute_gradients, single_train_step):
            error = _fails(
                findings, f"{about}, in {call.__name__}",
                lambda: call(subject.selector, objective, None, _state()),  # noqa: B023
                ObjectiveError,
            )  # fmt: skip
            findings.true(f"{about}: the message", error is None or len(str(error)) > 20,
                          expected="one that helps", found=str(error))  # fmt: skip
    ints = TrainState(identity_model, {"n": np.asarray([1, 2])}, {}, SGD(0.1))
    _fails(findings, "nothing trainable",
           lambda: compute_gradients(subject.selector, _squares, None, ints),
           NothingTrainableError)  # fmt: skip
    _still_right(subject, findings, "after bad losses")


def _plugin(subject: Subject, findings: Findings) -> None:
    """What `polylux backends` and the errors about absent frameworks need."""
    plugin = registry.plugins()[subject.backend.name]
    info = next((i for i in registry.backends() if i.name == plugin.name), None)
    findings.true("listed by backends()", info is not None and info.available,
                  expected="available", found=info)  # fmt: skip
    findings.true("plugin.name", plugin.name == subject.backend.name,
                  expected=subject.backend.name, found=plugin.name)  # fmt: skip
    findings.true(
        "how the framework is installed",
        not plugin.framework or bool(plugin.install or plugin.distribution),
        expected="Plugin(install=...) or Plugin(distribution=...)", found=plugin,
    )  # fmt: skip
    selector = plugin.selector()
    findings.true("the selector's default", eval_like(selector), expected="equal to a copy",
                  found=repr(selector))  # fmt: skip
    found = registry.resolve(polylux.Auto(plugin.name))
    findings.true("Auto(name)", found == (subject.backend, selector),
                  expected=repr((subject.backend, selector)), found=repr(found))  # fmt: skip


def eval_like(selector: Any) -> bool:
    """Whether a selector is a value: equal and of equal hash to another of the same options."""
    other = type(selector)()
    return bool(selector == other and hash(selector) == hash(other))


def _members(subject: Subject, findings: Findings) -> None:
    backend = subject.backend
    findings.true("capabilities", isinstance(backend.capabilities, frozenset) and all(
        isinstance(c, Capability) for c in backend.capabilities
    ), expected="a frozenset of Capability", found=backend.capabilities)  # fmt: skip
    findings.true("name", isinstance(backend.name, str), expected="a string", found=backend.name)
    findings.true("kernels", all(callable(k) for k in backend.kernels.values()),
                  expected="functions by name", found=backend.kernels)  # fmt: skip
    unknown = sorted(set(backend.kernels) - set(_native_names()))
    findings.true("names of kernels", not unknown, expected="functions that can be overridden",
                  found=unknown)  # fmt: skip
    for capability, method in _METHODS.items():
        own = getattr(type(backend), method) is not getattr(Backend, method)
        if capability in backend.capabilities:
            findings.true(f"claims {capability.value}", own, expected=f"a {method} of its own",
                          found="the contract's, which raises")  # fmt: skip
    findings.true("is_staged", backend.is_staged(subject.selector) in (True, False),
                  expected="a bool", found=backend.is_staged(subject.selector))  # fmt: skip
    claimed = Capability.STAGING in backend.capabilities
    findings.true("staging", claimed or not subject.is_staged, expected="claimed where it is done",
                  found="is_staged without Capability.STAGING")  # fmt: skip


_METHODS = {
    Capability.FORWARD: "pushforward",
    Capability.REVERSE: "pullback",
    Capability.CUSTOM_RULES: "custom_rule",
    Capability.CHECKPOINT: "checkpoint",
    Capability.VMAP: "vmap",
    Capability.STAGING: "stage",
}


def _native_names() -> list[str]:
    return list(polylux.ops.natives())


def _unclaimed(subject: Subject, findings: Findings) -> None:
    """What is not claimed raises UnsupportedError, with a message, and never gives a number."""
    backend, selector = subject.backend, subject.selector
    (x,) = subject.own(np.asarray([1.0, 2.0], np.float32))

    def total(a: Any) -> Any:
        return (polylux.array_namespace(a).sum(a),), ()

    asked: dict[Capability, Callable[[], Any]] = {
        Capability.GRADIENT: lambda: compute_gradients(selector, _squares, None, _state()),
        Capability.REVERSE: lambda: backend.pullback(total, (x,), selector),
        Capability.FORWARD: lambda: backend.pushforward(total, (x,), (x,), selector),
        Capability.CHECKPOINT: lambda: backend.checkpoint(lambda a: (a,), (x,), selector),
        Capability.VMAP: lambda: backend.vmap(lambda a: (a,), (x,), selector),
        Capability.CUSTOM_RULES: lambda: backend.custom_rule(None),  # type: ignore[arg-type]  # never read
    }
    for capability, call in asked.items():
        if capability in backend.capabilities:
            findings.true(capability.value, True, expected="claimed", found="claimed")
            continue
        error = _fails(findings, f"{capability.value}, not claimed", call, UnsupportedError)
        findings.true(
            f"{capability.value}: the message", error is None or isinstance(error, PolyluxError),
            expected="an error of polylux", found=type(error).__name__,
        )  # fmt: skip


_ALL = (
    ("a user's exception passes", "It comes out as it is, with its own traceback.", _users_pass),
    ("late failures", "A call that fails leaves nothing behind.", _late_failure),
    ("bad objectives", "A loss that is no real scalar is an error that says so.", _bad_losses),
)

ERRORS = (
    *(
        Check(f"error/{name}", "core", about, body, frozenset({Capability.GRADIENT}))
        for name, about, body in _ALL
    ),
    Check("contract/plugin", "core", "The plugin describes itself.", _plugin),
    Check("contract/members", "core", "The backend has what it says it has.", _members),
    Check("contract/unclaimed", "core", "What is not claimed raises UnsupportedError.", _unclaimed),
)
