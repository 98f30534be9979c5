"""explain: what it says is what happens, counted on backends that run Python at each call."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import polylux
from polylux import (
    AutoAutograd,
    AutoFiniteDiff,
    AutoJax,
    AutoTorch,
    NoAutoDiff,
    SecondOrder,
    array_namespace,
    explain,
)
from polylux.errors import OptionError, UnsupportedError

POINT = {"a": np.asarray([0.5, -1.2]), "b": np.asarray(0.7)}
OPERATORS = [
    "gradient", "value_and_gradient", "pushforward", "pullback", "jacobian",
    "hvp", "value_gradient_and_hvp", "hessian",
]  # fmt: skip
SELECTORS = {
    repr(s): s
    for make in (AutoTorch, AutoAutograd)
    for s in (
        *(make(mode=mode) for mode in (None, "forward", "reverse")),
        *(
            SecondOrder(make(mode=outer), make(mode=inner))
            for outer in (None, "forward", "reverse")
            for inner in ("forward", "reverse")
        ),
    )
}


class Counted:
    """A function that counts its calls."""

    def __init__(self, rows):
        self.calls = 0
        self.rows = rows

    def __call__(self, p):
        self.calls += 1
        xp = array_namespace(p["a"])
        values = xp.stack([p["a"][0] ** 2 * p["b"], p["a"][1], xp.sin(p["b"]), p["b"], p["b"]])
        return xp.sum(values) if self.rows is None else values[: self.rows]


def directions(name, rows, count):
    if name in ("pushforward", "hvp", "value_gradient_and_hvp"):
        shapes = {key: (count, *leaf.shape) for key, leaf in POINT.items()}
        return ({key: np.ones(shape) for key, shape in shapes.items()},)
    return (np.ones((count, rows)),) if name == "pullback" else ()


# None for a scalar function; else the output is shorter or longer than the point.
ROWS = [(name, None) for name in OPERATORS if name not in ("pushforward", "pullback", "jacobian")]
ROWS += [(name, rows) for name in ("pushforward", "pullback", "jacobian") for rows in (2, 5)]


@pytest.mark.parametrize("selector", SELECTORS.values(), ids=SELECTORS.keys())
@pytest.mark.parametrize(("name", "rows"), ROWS)
@pytest.mark.parametrize("count", [1, 3])
def test_calls_are_those_that_are_made(selector, name, rows, count):
    operator = getattr(polylux, name)
    along = directions(name, rows, count)
    batched = {"batched": True} if along else {}
    said = explain(operator, selector, POINT, *along, output=np.ones(rows or 1), **batched)
    f = Counted(rows)
    operator(f, selector, POINT, *along, **batched)
    assert f.calls == said.calls


@pytest.mark.parametrize("order", [2, 4])
def test_calls_of_finite_differences(order):
    selector = AutoFiniteDiff(order=order)
    for name in ("gradient", "pushforward", "pullback", "jacobian"):
        operator = getattr(polylux, name)
        along = {"pushforward": (POINT,), "pullback": (np.ones(2),)}.get(name, ())
        f = Counted(None if name == "gradient" else 2)
        operator(f, selector, POINT, *along)
        assert f.calls == explain(operator, selector, POINT).calls


@pytest.mark.parametrize("name", ["derivative", "second_derivative"])
@pytest.mark.parametrize("selector", SELECTORS.values(), ids=SELECTORS.keys())
def test_calls_for_one_number(selector, name):
    calls = []

    def f(t):
        calls.append(t)
        return array_namespace(t).stack([t**3, t])

    operator = getattr(polylux, name)
    operator(f, selector, 2.0)
    assert len(calls) == explain(operator, selector, 2.0, output=2).calls


class Sweeps:
    """Counts what a backend is asked for."""

    def __init__(self, monkeypatch, backend):
        self.forward = self.reverse = 0
        push, gradient, pull = backend.pushforward, backend.value_and_gradient, backend.pullback

        def pushforward(*args):
            self.forward += 1
            return push(*args)

        def value_and_gradient(*args):
            self.reverse += 1
            return gradient(*args)

        def pullback(*args):
            outputs, map_back, aux = pull(*args)

            def counted(cotangents):
                self.reverse += 1
                return map_back(cotangents)

            return outputs, counted, aux

        monkeypatch.setattr(backend, "pushforward", pushforward)
        monkeypatch.setattr(backend, "value_and_gradient", value_and_gradient)
        monkeypatch.setattr(backend, "pullback", pullback)


@pytest.mark.parametrize(("name", "rows"), ROWS)
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    "selector",
    [s for s in SELECTORS.values() if s.backend == "autograd"],
    ids=[repr(s) for s in SELECTORS.values() if s.backend == "autograd"],
)
def test_sweeps_are_those_that_are_made(monkeypatch, selector, name, rows, count):
    """On autograd, whose sweeps run one after the other."""
    backend, _ = polylux.registry.resolve(selector)
    sweeps = Sweeps(monkeypatch, backend)
    operator = getattr(polylux, name)
    along = directions(name, rows, count)
    batched = {"batched": True} if along else {}
    operator(Counted(rows), selector, POINT, *along, **batched)
    said = explain(operator, selector, POINT, *along, output=rows or 1, **batched)
    assert (sweeps.forward, sweeps.reverse) == (said.forward_sweeps, said.reverse_sweeps)
    assert not said.batched


def test_it_runs_nothing_and_says_which_side():
    x = np.ones(3)
    assert "rows" in explain(polylux.jacobian, AutoTorch(), x, output=2).route
    assert "columns" in explain(polylux.jacobian, AutoTorch(), x, output=np.ones(4)).route
    unknown = explain(polylux.jacobian, AutoTorch(), x)
    assert (unknown.calls, unknown.reverse_sweeps, unknown.batched) == (None, None, None)
    assert "output=" in str(unknown)


def test_what_it_prints():
    assert str(explain(polylux.hessian, AutoJax(), np.ones(3))).splitlines() == [
        "hessian with AutoJax(): forward over reverse mode",
        "  1 call of the function, 3 forward sweeps, 1 reverse sweep, batched",
        "  traced at the first call, and compiled for those that follow",
    ]
    said = explain(polylux.gradient, AutoAutograd(), np.ones(3))
    assert said == dataclasses.replace(said)
    assert not said.staged


def test_what_it_cannot_explain():
    with pytest.raises(OptionError, match="expected an operator .* did you mean 'gradient'"):
        explain(np.gradient, AutoTorch(), np.ones(2))
    with pytest.raises(OptionError, match="needs an operator with a direction"):
        explain(polylux.gradient, AutoTorch(), np.ones(2), batched=True)
    with pytest.raises(UnsupportedError, match=r"use AutoTorch\(\)"):
        explain(polylux.gradient, NoAutoDiff(), np.ones(2))
