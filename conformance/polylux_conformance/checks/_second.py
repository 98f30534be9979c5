"""Checks of second derivatives: gradients inside objectives, symmetry, kinks, threads."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import polylux
from polylux import ops
from polylux.backend import Capability
from polylux_conformance._asking import function_of
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.checks._modifiers import in_thread
from polylux_conformance.scenarios import SCENARIOS, Scenario
from polylux_conformance.scenarios._scenario import STEP

ANALYTIC = tuple(
    scenario
    for scenario in SCENARIOS
    if scenario.gradient is not None
    and scenario.name in (
        "quadratic", "non-homogeneous", "logsumexp", "powers", "linear", "tied leaves",
        "unused leaves", "many leaves", "Hilbert's matrix", "exponentials over float32's range",
    )
)  # fmt: skip
"""Their closed-form gradients are analytic, so that a complex step differentiates them."""


def _hessian_vector(subject: Subject, findings: Findings, scenario: Scenario) -> None:
    """Gradient of <gradient, v>, nested by `selector_of`, against the true Hessian times v."""
    for dtype in subject.dtypes:
        for point in scenario.points:
            leaves, data = scenario.at(point, dtype)
            along: dict[int, Any] = {}
            for k, a in enumerate(leaves.values()):
                count = np.arange(1, a.size + 1).reshape(a.shape) % 5 + k % 3 - 1.5
                along.setdefault(id(a), count.astype(dtype))
            directions = {n: along[id(a)] for n, a in leaves.items()}
            _, found = polylux.value_and_gradient(
                _inner_product(scenario), subject.selector, leaves, data, directions
            )
            for name, true in _true_product(scenario, leaves, data, directions).items():
                findings.close(
                    f"Hessian times v, {name}", found[name], true, dtype=dtype, point=point,
                    condition=8 * scenario.condition, scale=[1.0],
                )  # fmt: skip


@functools.cache
def _inner_product(scenario: Scenario) -> Any:
    f = function_of(scenario)

    def product(x: Any, data: Any, directions: Any) -> Any:
        slopes = polylux.gradient(f, polylux.selector_of(*x.values()), x, data)
        xp = polylux.array_namespace(*x.values())
        seen: dict[int, Any] = {}
        total = 0.0
        for name, slope in slopes.items():
            # The gradient of a tied leaf stands at each of its places, and counts once.
            if id(x[name]) not in seen:
                seen[id(x[name])] = True
                total = total + xp.sum(slope * directions[name])
        return total

    return product


def _true_product(scenario: Scenario, leaves: Any, data: Any, directions: Any) -> dict[str, Any]:
    moved: dict[int, Any] = {}
    for name, a in leaves.items():
        if id(a) not in moved:
            step = 1j * STEP * directions[name].astype(np.longdouble)
            moved[id(a)] = a.astype(np.clongdouble) + step
    x = {name: moved[id(a)] for name, a in leaves.items()}
    wide = {n: a.astype(np.longdouble) if a.dtype.kind == "f" else a for n, a in data.items()}
    assert scenario.gradient is not None
    slopes = scenario.gradient(x, wide)
    return {n: np.imag(slopes[n]) / STEP + np.zeros(leaves[n].shape) for n in leaves}


def _penalty(subject: Subject, findings: Findings) -> None:
    """A gradient penalty: the loss holds the norm of its own gradient by the data."""
    def objective(p: Any, x: Any) -> Any:
        xp = polylux.array_namespace(p)

        def potential(x: Any) -> Any:
            return xp.sum(p * x * x * x)

        slope = polylux.gradient(potential, polylux.selector_of(x), x)
        return potential(x) + xp.sum(slope * slope)

    for dtype in subject.dtypes:
        p, x = np.asarray([0.5, -1.0, 2.0], dtype), np.asarray([1.5, 0.25, -0.75], dtype)
        for where, ask in (("main thread", lambda job: job()), ("another thread", in_thread)):
            value, slope = ask(
                lambda: polylux.value_and_gradient(objective, subject.selector, p, x)  # noqa: B023
            )
            a, b = p.astype(np.longdouble), x.astype(np.longdouble)
            findings.close("loss", value, np.sum(a * b**3 + 9 * a**2 * b**4), dtype=dtype,
                           condition=4, point=where)  # fmt: skip
            findings.close("gradient", slope, b**3 + 18 * a * b**4, dtype=dtype, condition=4,
                           point=where)  # fmt: skip


def _far_points(subject: Subject, findings: Findings) -> None:
    """Second derivatives of the saturating functions are finite, and right, far from 0."""
    points = [-800.0, -30.0, -1.0, 0.0, 1.0, 30.0, 800.0]

    def logistic(x: Any) -> Any:
        small = np.exp(-np.abs(x))
        return small / (1 + small) ** 2

    curvatures: dict[str, Callable[[Any], Any]] = {
        "softplus": logistic,
        "sigmoid": lambda x: -logistic(x) * np.tanh(x / 2),
        "log_sigmoid": lambda x: -logistic(x),
        "tanh": lambda x: -2 * np.tanh(x) / np.cosh(x) ** 2,
    }
    for name, true in curvatures.items():
        for dtype in subject.dtypes:
            host = np.asarray(points, dtype)
            _, found = polylux.value_and_gradient(_slope_sum(name), subject.selector, host)
            findings.close(f"second derivative of {name}", found, true(host.astype(np.longdouble)),
                           dtype=dtype, condition=4, scale=[1.0])  # fmt: skip


@functools.cache
def _slope_sum(name: str) -> Any:
    f = getattr(ops, name)

    def total(x: Any) -> Any:
        xp = polylux.array_namespace(x)
        slopes = polylux.gradient(lambda y: xp.sum(f(y)), polylux.selector_of(x), x)
        return xp.sum(slopes)

    return total


def _third(subject: Subject, findings: Findings) -> None:
    """Three gradients inside each other."""
    def cube(x: Any) -> Any:
        return x * x * x * x

    def first(x: Any) -> Any:
        return polylux.gradient(cube, polylux.selector_of(x), x)

    def second(x: Any) -> Any:
        return polylux.gradient(first, polylux.selector_of(x), x)

    for dtype in subject.dtypes:
        host = np.asarray(1.5, dtype)
        value, slope = polylux.value_and_gradient(second, subject.selector, host)
        findings.close("second derivative of x**4", value, np.asarray(12 * 1.5**2), dtype=dtype)
        findings.close("third derivative of x**4", slope, np.asarray(24 * 1.5), dtype=dtype)


def _operators(subject: Subject, findings: Findings) -> None:
    """hvp and hessian, whatever derivative of a derivative they are made of."""
    scenario = next(s for s in SCENARIOS if s.name == "non-homogeneous")
    f = function_of(scenario)
    for dtype in subject.dtypes:
        leaves, data = scenario.at("first", dtype)
        size = leaves["u"].size
        eye, ones = np.eye(size), np.ones((size, size))
        # Of sum(u**3) - 2 u.v + sum(u) sum(v)
        blocks: dict[str, dict[str, Any]] = {
            "u": {"u": np.diag(6 * leaves["u"].astype(np.longdouble)), "v": ones - 2 * eye},
            "v": {"u": ones - 2 * eye, "v": 0 * ones},
        }  # fmt: skip
        along = {n: np.arange(1.0, size + 1).astype(dtype) - k for k, n in enumerate(leaves)}
        products = polylux.hvp(f, subject.selector, leaves, along, data)
        hessian = polylux.hessian(f, subject.selector, leaves, data)
        for row, parts in blocks.items():
            true = sum(block @ along[column] for column, block in parts.items())
            findings.close(f"hvp, {row}", products[row], true, dtype=dtype, condition=8,
                           scale=[10.0])  # fmt: skip
            for column, block in parts.items():
                findings.close(f"hessian, {row} by {column}", hessian[row][column], block,
                               dtype=dtype, condition=8, scale=[6.0])  # fmt: skip


def _of_parts(subject: Subject, findings: Findings) -> None:
    """Second derivatives through a custom rule, a checkpoint and a pullback."""
    backend = subject.backend

    # The rule lies on purpose: only one that is obeyed to any order gives these numbers.
    @polylux.custom_rule(derivative=lambda y, x: x * x * x)
    def ruled(x: Any) -> Any:
        return x

    def layer(x: Any) -> Any:
        return (x * x * x,)

    def by_rule(x: Any) -> Any:
        return polylux.array_namespace(x).sum(ruled(x))

    def by_checkpoint(x: Any) -> Any:
        (y,) = backend.checkpoint(layer, (x,), subject.selector)
        return polylux.array_namespace(x).sum(y * x) / 4

    def pulled(c: Any, x: Any) -> Any:
        _, pull, _ = backend.pullback(lambda a: ((a * a,), ()), (x,), subject.selector)
        (slope,) = pull((c,))
        return polylux.array_namespace(c).sum(slope * slope)

    for dtype in subject.dtypes:
        host = np.asarray([0.5, -1.0, 2.0], dtype)
        x = host.astype(np.longdouble)
        for need, what, f in (
            (Capability.CUSTOM_RULES, "a custom rule", by_rule),
            (Capability.CHECKPOINT, "a checkpoint", by_checkpoint),
        ):
            if subject.claims(need):
                value, slope = polylux.value_and_gradient(
                    _square_of_slope(f), subject.selector, host
                )
                findings.close(f"slope**2, {what}", value, np.sum(x**6), dtype=dtype, condition=4)
                findings.close(f"its gradient, {what}", slope, 6 * x**5, dtype=dtype, condition=4)
        if subject.claims(Capability.REVERSE):
            c = np.asarray([1.5, 0.25, -3.0], dtype)
            _, slope = polylux.value_and_gradient(pulled, subject.selector, c, host)
            findings.close("gradient of a pullback by its cotangent", slope, 8 * c * x * x,
                           dtype=dtype, condition=4)  # fmt: skip


def _square_of_slope(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def square(x: Any) -> Any:
        slope = polylux.gradient(f, polylux.selector_of(x), x)
        return polylux.array_namespace(x).sum(slope * slope)

    return square


def _symmetry(subject: Subject, findings: Findings) -> None:
    """<u, H v> = <v, H u>: needs no reference value."""
    scenario = next(s for s in SCENARIOS if s.name == "network")
    for dtype in subject.dtypes:
        leaves, data = scenario.at("first", dtype)
        rng = np.random.default_rng(8)
        u, v = (
            {n: np.asarray(rng.normal(size=a.shape)).astype(dtype) for n, a in leaves.items()}
            for _ in range(2)
        )
        products: list[tuple[Any, Any]] = []
        for along, other in ((u, v), (v, u)):
            _, found = polylux.value_and_gradient(
                _inner_product(scenario), subject.selector, leaves, data, along
            )
            terms = [subject.host(found[n]).astype(np.longdouble) * other[n] for n in leaves]
            products.append((sum(t.sum() for t in terms), sum(np.abs(t).sum() for t in terms)))
        (left, size), (right, _) = products
        findings.close("<u, H v>", np.asarray(left, dtype), right, dtype=dtype, condition=16,
                       scale=[size])  # fmt: skip


_NEEDS = frozenset({Capability.GRADIENT, Capability.SECOND_ORDER})

SECOND = (
    *(
        Check(f"second/Hessian of {scenario.name}", "second",
              "The gradient of a gradient is the Hessian's.",
              functools.partial(_hessian_vector, scenario=scenario), _NEEDS)
        for scenario in ANALYTIC
    ),
    Check("second/gradient penalty", "second", "A gradient inside an objective is differentiated.",
          _penalty, _NEEDS),
    Check("second/far points", "second", "Saturating functions have finite second derivatives.",
          _far_points, _NEEDS),
    Check("second/third derivative", "second", "Derivatives nest three deep.", _third, _NEEDS),
    Check("second/hvp and hessian", "second", "The operators give the true second derivatives.",
          _operators, _NEEDS),
    Check("second/rules, checkpoints, pullbacks", "second",
          "Each of them can be differentiated again.", _of_parts, _NEEDS),
    Check("second/symmetry", "second", "Hessians are symmetric.", _symmetry, _NEEDS),
)  # fmt: skip
