"""Checks of pullback, pushforward, vmap, checkpoint and stop_gradient, as the contract has them."""

from __future__ import annotations

from typing import Any

import numpy as np

import polylux
from polylux.backend import Capability
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.checks._modifiers import in_thread

Host = np.ndarray[Any, Any]


class _Map:
    """Two outputs of three leaves, one of them unused, and their Jacobian in closed form.

    `y = a * tanh(b)` entry by entry, `z = sum(a * b)`; the third leaf is not used.
    """

    def __init__(self, dtype: str, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.dtype = dtype
        self.a, self.b = (rng.normal(size=4).astype(dtype) for _ in range(2))
        self.c = rng.normal(size=(2, 1)).astype(dtype)
        self.tangents = tuple(
            rng.normal(size=x.shape).astype(dtype) for x in (self.a, self.b, self.c)
        )
        self.cotangents = (rng.normal(size=4).astype(dtype), np.asarray(rng.normal(), dtype))

    @staticmethod
    def function(a: Any, b: Any, c: Any) -> Any:
        xp = polylux.array_namespace(a)
        return (a * xp.tanh(b), xp.sum(a * b)), (a + b,)

    @property
    def leaves(self) -> tuple[Host, ...]:
        return self.a, self.b, self.c

    def outputs(self) -> tuple[Any, Any]:
        a, b = self.a.astype(np.longdouble), self.b.astype(np.longdouble)
        return a * np.tanh(b), np.sum(a * b)

    def pulled(self, y: Host, z: Host) -> tuple[Any, ...]:
        a, b = self.a.astype(np.longdouble), self.b.astype(np.longdouble)
        t = np.tanh(b)
        return y * t + z * b, y * a * (1 - t * t) + z * a, np.zeros_like(self.c)

    def pushed(self, u: Host, v: Host) -> tuple[Any, Any]:
        a, b = self.a.astype(np.longdouble), self.b.astype(np.longdouble)
        t = np.tanh(b)
        return u * t + a * (1 - t * t) * v, np.sum(u * b + a * v)


_FAMILY: dict[str, Any] = {"condition": 4.0, "is_derivative": True, "scale": [np.asarray(1.0)]}


def _pullback(subject: Subject, findings: Findings) -> None:
    for dtype in subject.dtypes:
        for seed in (0, 1):
            case = _Map(dtype, seed)
            own = tuple(subject.own(*case.leaves))
            with subject.precision(*own):
                outputs, pull, aux = subject.backend.pullback(
                    case.function, own, subject.selector
                )
                point = f"seed {seed}"
                for k, (found, true) in enumerate(zip(outputs, case.outputs(), strict=True)):
                    findings.close(f"output {k}", found, true, dtype=dtype, point=point,
                                   condition=2, scale=[1.0])  # fmt: skip
                findings.close("aux", aux[0], case.a.astype(np.longdouble) + case.b, dtype=dtype,
                               point=point)  # fmt: skip
                y, z = case.cotangents
                for what, (p, q) in (
                    ("random", (y, z)), ("the first output's", (y, 0 * z)),
                    ("the second output's", (0 * y, z)), ("zero", (0 * y, 0 * z)),
                    ("random, again", (y, z)), ("doubled", (2 * y, 2 * z)),
                ):  # fmt: skip
                    pulled = pull(tuple(subject.own(p, np.asarray(z * 0 + q, dtype))))
                    findings.true("leaves", len(pulled) == 3, expected="3", found=len(pulled))
                    for i, (part, true) in enumerate(zip(pulled, case.pulled(p, q), strict=False)):
                        findings.close(f"cotangent of leaf {i}", part, true, dtype=dtype,
                                       point=f"{point}, cotangents {what}", **_FAMILY)  # fmt: skip
            _inputs_stay(findings, own, case.leaves, point)


def _pushforward(subject: Subject, findings: Findings) -> None:
    for dtype in subject.dtypes:
        for seed in (0, 1):
            case = _Map(dtype, seed)
            own = tuple(subject.own(*case.leaves))
            u, v, w = case.tangents
            for what, (p, q) in (
                ("random", (u, v)), ("the first leaf's", (u, 0 * v)),
                ("the second leaf's", (0 * u, v)), ("zero", (0 * u, 0 * v)),
                ("an unused leaf's", (0 * u, 0 * v)),
            ):  # fmt: skip
                along = tuple(subject.own(p, q, w))
                with subject.precision(*own):
                    outputs, slopes, aux = subject.backend.pushforward(
                        case.function, own, along, subject.selector
                    )
                point = f"seed {seed}, tangents {what}"
                for k, (found, true) in enumerate(zip(outputs, case.outputs(), strict=True)):
                    findings.close(f"output {k}", found, true, dtype=dtype, point=point,
                                   condition=2, scale=[1.0])  # fmt: skip
                for k, (found, true) in enumerate(zip(slopes, case.pushed(p, q), strict=True)):
                    findings.close(f"tangent of output {k}", found, true, dtype=dtype,
                                   point=point, **_FAMILY)  # fmt: skip
                findings.close("aux", aux[0], case.a.astype(np.longdouble) + case.b, dtype=dtype,
                               point=point)  # fmt: skip
                _inputs_stay(findings, (*own, *along), (*case.leaves, p, q, w), point)


def _inputs_stay(findings: Findings, arrays: Any, hosts: Any, point: str) -> None:
    for i, (array, host) in enumerate(zip(arrays, hosts, strict=True)):
        findings.exactly(f"argument {i} afterwards", array, host, point=point)


def _adjoint(subject: Subject, findings: Findings) -> None:
    """<w, J v> = <J^T w, v>: needs no reference value."""
    for dtype in subject.dtypes:
        case = _Map(dtype, 3)
        own, along = tuple(subject.own(*case.leaves)), tuple(subject.own(*case.tangents))
        with subject.precision(*own):
            _, slopes, _ = subject.backend.pushforward(case.function, own, along, subject.selector)
            _, pull, _ = subject.backend.pullback(case.function, own, subject.selector)
            pulled = pull(tuple(subject.own(*case.cotangents)))
        left = [subject.host(s).astype(np.longdouble) * w
                for s, w in zip(slopes, case.cotangents, strict=True)]  # fmt: skip
        right = [subject.host(p).astype(np.longdouble) * t
                 for p, t in zip(pulled, case.tangents, strict=True)]  # fmt: skip
        size = sum(np.sum(np.abs(part)) for part in left)
        findings.close(
            "<J^T w, v> against <w, J v>",
            np.asarray(sum(np.sum(part) for part in right), dtype),
            sum(np.sum(part) for part in left), dtype=dtype, condition=4, scale=[size],
            is_derivative=True,
        )  # fmt: skip


def _value_and_gradient(subject: Subject, findings: Findings) -> None:
    """The contract's own method: a gradient for each leaf, and aux, in any thread."""
    for dtype in subject.dtypes:
        case = _Map(dtype, 4)
        own = tuple(subject.own(*case.leaves))

        def function(a: Any, b: Any, c: Any) -> Any:
            (y, z), aux = _Map.function(a, b, c)
            return polylux.array_namespace(y).sum(y) * 2 + z, (*aux, y)

        def ask() -> Any:
            with subject.precision(*own):  # noqa: B023  # called within this round
                return subject.backend.value_and_gradient(function, own, subject.selector)  # noqa: B023

        ones = np.full(4, 2.0)
        for where, answer in (("main thread", ask()), ("another thread", in_thread(ask))):
            value, gradients, aux = answer
            y, z = case.outputs()
            findings.close("value", value, 2 * np.sum(y) + z, dtype=dtype, point=where,
                           condition=4, scale=[1.0])  # fmt: skip
            findings.true("gradients", isinstance(gradients, tuple) and len(gradients) == 3,
                          expected="a tuple of 3", found=type(gradients), point=where)  # fmt: skip
            true = case.pulled(ones, np.asarray(1.0))
            for i, (found, expected) in enumerate(zip(gradients, true, strict=False)):
                findings.close(f"gradient of leaf {i}", found, expected, dtype=dtype, point=where,
                               **_FAMILY)  # fmt: skip
            findings.true("aux", len(aux) == 2, expected="2 arrays", found=len(aux), point=where)
            findings.close("aux 0", aux[0], case.a.astype(np.longdouble) + case.b, dtype=dtype,
                           point=where)  # fmt: skip
            findings.close("aux 1", aux[1], y, dtype=dtype, point=where, condition=2,
                           scale=[1.0])  # fmt: skip


def _stop_gradient(subject: Subject, findings: Findings) -> None:
    backend = subject.backend

    def function(x: Any) -> Any:
        xp = polylux.array_namespace(x)
        kept = backend.stop_gradient(x * x)
        return xp.sum(x * kept) + xp.sum(backend.stop_gradient(x) ** 2)

    def whole(x: Any) -> Any:
        return polylux.array_namespace(x).sum(backend.stop_gradient(x * x))

    for dtype in subject.dtypes:
        host = np.asarray([1.5, -2.0, 0.25], dtype)
        (own,) = subject.own(host)
        findings.exactly("outside of a derivative", backend.stop_gradient(own), host)
        wide = host.astype(np.longdouble)
        for where, ask in (("main thread", lambda job: job()), ("another thread", in_thread)):
            value, slope = ask(
                lambda: polylux.value_and_gradient(function, subject.selector, host)  # noqa: B023
            )
            findings.close("value", value, np.sum(wide**3) + np.sum(wide**2), dtype=dtype,
                           point=where, scale=[np.sum(np.abs(wide) ** 3)])  # fmt: skip
            findings.close("gradient of x * stopped(x**2)", slope, wide**2, dtype=dtype,
                           is_derivative=True, point=where, condition=2,
                           scale=[value_scale(wide)])  # fmt: skip
            _, nothing = ask(
                lambda: polylux.value_and_gradient(whole, subject.selector, host)  # noqa: B023
            )
            findings.exactly("gradient of a constant", nothing, 0 * np.abs(host), point=where)
        if subject.claims(Capability.FORWARD):
            with subject.precision(own):
                _, (slope,), _ = backend.pushforward(
                    lambda x: ((function(x),), ()), (own,), (own,), subject.selector
                )
            findings.close("derivative along x, forward", slope, np.sum(wide**3), dtype=dtype,
                           is_derivative=True, condition=2, scale=[value_scale(wide)])  # fmt: skip


def value_scale(wide: Any) -> Any:
    """How large `x**3 + x**2` is, for the error of a difference quotient."""
    return np.sum(np.abs(wide) ** 3 + wide**2)


def _vmap(subject: Subject, findings: Findings) -> None:
    for dtype in subject.dtypes:
        rng = np.random.default_rng(5)
        a, b = rng.normal(size=(5, 3)).astype(dtype), rng.normal(size=(5, 3)).astype(dtype)
        own = tuple(subject.own(a, b))
        (kept,) = subject.own(np.asarray(2.0, dtype))

        def item(x: Any, y: Any) -> Any:
            xp = polylux.array_namespace(x)
            return xp.sum(x * y) * kept, x + y  # noqa: B023  # called within this round

        with subject.precision(*own):
            sums, rows = subject.backend.vmap(item, own, subject.selector)
        wide = a.astype(np.longdouble)
        findings.close("sums of rows", sums, 2 * np.sum(wide * b, axis=1), dtype=dtype,
                       condition=2, scale=[1.0])  # fmt: skip
        findings.close("rows", rows, wide + b, dtype=dtype, scale=[1.0])


def _checkpoint(subject: Subject, findings: Findings) -> None:
    backend = subject.backend
    is_staged = backend.is_staged(subject.selector)  # then Python may not even ask for numbers
    runs: list[bool] = []

    def layer(x: Any, w: Any, count: Any) -> Any:
        xp = polylux.array_namespace(x)
        runs.append(not is_staged and _has_numbers(x))
        return xp.tanh(x) * w, x * xp.astype(count, x.dtype)

    def function(p: Any, count: Any) -> Any:
        y, z = backend.checkpoint(layer, (p["x"], p["w"], count), subject.selector)
        return polylux.array_namespace(y).sum(y * y + z)

    count = np.asarray([1, 2, 3], np.int32)
    for dtype in subject.dtypes:
        host = {"x": np.asarray([0.5, -1.0, 2.0], dtype), "w": np.asarray([1.5, 3.0, -0.5], dtype)}
        runs.clear()
        value, slopes = polylux.value_and_gradient(function, subject.selector, host, count)
        x, w = host["x"].astype(np.longdouble), host["w"]
        t = np.tanh(x)
        findings.close("value", value, np.sum((t * w) ** 2 + x * count), dtype=dtype, condition=4,
                       scale=[10.0])  # fmt: skip
        findings.close("gradient of x", slopes["x"], 2 * t * w * w * (1 - t * t) + count,
                       dtype=dtype, **_FAMILY)  # fmt: skip
        findings.close("gradient of w", slopes["w"], 2 * t * t * w, dtype=dtype, **_FAMILY)
        # Where Python sees no numbers the framework computes anew by itself.
        findings.true("computed again", len(runs) > 1 or not all(runs),
                      expected="a second run of the function", found=f"{len(runs)} runs",
                      point=dtype)  # fmt: skip
        for run in (1, 2):  # a framework may keep what it traced
            again, _ = polylux.value_and_gradient(function, subject.selector, host, count + run)
            findings.close("value with other data", again,
                           np.sum((t * w) ** 2 + x * (count + run)), dtype=dtype, condition=4,
                           scale=[10.0])  # fmt: skip


def _has_numbers(x: Any) -> bool:
    """Whether a traced value has numbers yet, or stands for any."""
    try:
        return float(polylux.array_namespace(x).sum(x * 0)) == 0
    except Exception:  # noqa: BLE001  # each framework has its own
        return False


def _custom_rule(subject: Subject, findings: Findings) -> None:
    # The rules lie on purpose: only a backend that obeys them gives these numbers.
    @polylux.custom_rule(derivative=lambda y, x: 3 * x)
    def elementwise(x: Any) -> Any:
        return x * x

    def pull(residuals: Any, cotangent: Any) -> Any:
        _, w = residuals
        return cotangent * 5 * w, None

    @polylux.custom_rule(pullback=pull)
    def general(x: Any, w: Any) -> Any:
        return polylux.array_namespace(x).sum(x * w), (x, w)

    def function(p: Any) -> Any:
        xp = polylux.array_namespace(p["x"])
        return xp.sum(elementwise(p["x"])) * 2 + general(p["x"], p["w"])

    for dtype in subject.dtypes:
        x, w = np.asarray([1.0, -2.0], dtype), np.asarray([0.5, 4.0], dtype)
        value, slopes = polylux.value_and_gradient(function, subject.selector, {"x": x, "w": w})
        findings.close("value", value, np.sum(2 * x * x + x * w), dtype=dtype, scale=[10.0])
        findings.close("gradient of x", slopes["x"], 6 * x + 5 * w, dtype=dtype, **_FAMILY)
        findings.close("gradient of w", slopes["w"], 0 * np.abs(w), dtype=dtype)
        if subject.claims(Capability.FORWARD):
            own = tuple(subject.own(x))
            with subject.precision(*own):
                _, (slope,), _ = subject.backend.pushforward(
                    lambda a: ((elementwise(a),), ()), own, own, subject.selector
                )
            findings.close("derivative along x, forward", slope, 3 * x * x, dtype=dtype, **_FAMILY)


_ALL = (
    ("value_and_gradient", Capability.GRADIENT, "Value, a gradient for each leaf, and aux.",
     _value_and_gradient),
    ("pullback", Capability.REVERSE, "Cotangents of two outputs give those of the leaves.",
     _pullback),
    ("pushforward", Capability.FORWARD, "Tangents of the leaves give those of two outputs.",
     _pushforward),
    ("stop_gradient", Capability.GRADIENT, "A stopped value is a constant.", _stop_gradient),
    ("vmap", Capability.VMAP, "Items along the first axis.", _vmap),
    ("checkpoint", Capability.CHECKPOINT, "Computing anew changes no number.", _checkpoint),
    ("custom rule", Capability.CUSTOM_RULES, "Derivatives by hand are obeyed.", _custom_rule),
)  # fmt: skip

MODES = (
    *(Check(f"mode/{name}", "core", about, body, frozenset({need}))
      for name, need, about, body in _ALL),
    Check("mode/adjoint", "core", "Pullback and pushforward are each other's transposes.", _adjoint,
          frozenset({Capability.FORWARD, Capability.REVERSE})),
)  # fmt: skip
