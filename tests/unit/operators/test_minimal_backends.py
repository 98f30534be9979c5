"""Each operator on backends that have only one primitive: what can be derived, is."""

from __future__ import annotations

import numpy as np
import pytest

import polylux
from polylux import AutoAutograd, array_namespace, registry, to_host
from polylux.backend import Backend, Capability
from polylux.errors import UnsupportedError
from polylux_autograd._backend import AutogradBackend


def only(primitive, capabilities):
    """The autograd backend without the other two primitives."""
    names = {"value_and_gradient", "pullback", "pushforward"} - {primitive}
    absent = {name: getattr(Backend, name) for name in names}
    claims = frozenset({Capability.GRADIENT, Capability.THREADS, *capabilities})
    return type("Minimal", (AutogradBackend,), {**absent, "capabilities": claims})()


SECOND = Capability.SECOND_ORDER
BACKENDS = {
    "gradient": only("value_and_gradient", {SECOND}),
    "pullback": only("pullback", {Capability.REVERSE, SECOND}),
    "pushforward": only("pushforward", {Capability.FORWARD, SECOND}),
    "gradient, once": only("value_and_gradient", set()),
    "pullback, once": only("pullback", {Capability.REVERSE}),
    "pushforward, once": only("pushforward", {Capability.FORWARD}),
}


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS.keys())
def backend(request, monkeypatch):
    monkeypatch.setattr(registry, "resolve", lambda selector: (request.param, selector))
    return request.param


S = AutoAutograd()


def test_gradient(backend, scalar, flat, close):
    close(flat(polylux.gradient(scalar, S, scalar.point)), scalar.gradient, scalar.gradient_size)


@pytest.mark.parametrize("several", [False, True])
def test_pushforward(backend, vector, several, close):
    v = np.asarray([[1.0, -2.0, 3.0], [0.5, 0.0, 1.0]]) if several else np.asarray([1.0, -2.0, 3.0])
    direction = {"a": v[..., :2], "b": v[..., 2]}
    found = polylux.pushforward(vector, S, vector.point, direction, batched=several)
    expected, terms = v @ vector.matrix.T, np.abs(v) @ np.abs(vector.matrix.T)
    shape = (*v.shape[:-1], 2, 2)
    close(found["u"], expected[..., :4].reshape(shape), terms[..., :4].reshape(shape))
    close(found["w"][0], expected[..., 4], terms[..., 4])


@pytest.mark.parametrize("several", [False, True])
def test_pullback(backend, vector, several, close):
    u = np.asarray([[1.0, -1.0, 2.0, 0.5, 3.0], [0.0, 1.0, 0.0, 0.0, 1.0]])
    u = u if several else u[0]
    cotangent = {"u": u[..., :4].reshape(*u.shape[:-1], 2, 2), "w": (u[..., 4], None), "k": 0}
    found = polylux.pullback(vector, S, vector.point, cotangent, batched=several)
    expected, terms = u @ vector.matrix, np.abs(u) @ np.abs(vector.matrix)
    close(found["a"], expected[..., :2], terms[..., :2])
    close(found["b"], expected[..., 2], terms[..., 2])


def test_jacobian_and_derivative(backend, vector, close):
    found, expected = polylux.jacobian(vector, S, vector.point), vector.blocks()
    for key in ("a", "b"):
        close(found["u"][key], expected["u"][key], np.abs(expected["u"][key]))
        close(found["w"][0][key], expected["w"][key], np.abs(expected["w"][key]))
    found = polylux.derivative(lambda t: array_namespace(t).stack([t**3, t]), S, 2.0)
    close(found, [12.0, 1.0], [12.0, 1.0])


def test_second_derivatives(backend, scalar, flat, matrix, close):
    def power(t):
        return t**4

    calls = [
        lambda: polylux.hessian(scalar, S, scalar.point),
        lambda: polylux.hvp(scalar, S, scalar.point, scalar.direction),
        lambda: polylux.second_derivative(power, S, 2.0),
    ]
    if SECOND not in backend.capabilities:
        for call in calls:
            with pytest.raises(UnsupportedError, match=r"do not nest; use AutoTorch\(\)"):
                call()
        return
    hessian, product, second = (call() for call in calls)
    close(matrix(hessian), scalar.hessian, np.abs(scalar.hessian))
    terms = np.abs(scalar.hessian) @ np.abs(scalar.along)
    close(flat(product), scalar.hessian @ scalar.along, terms)
    close(second, 48.0, 48.0)


@pytest.mark.parametrize("name", ["gradient", "pushforward", "pullback", "jacobian", "hessian"])
def test_explain_counts_them_too(backend, name):
    if name == "hessian" and SECOND not in backend.capabilities:
        pytest.skip("unsupported")
    calls = []

    def f(x):
        calls.append(1)
        return x[0] * x[1] if name in ("gradient", "hessian") else x * x

    x = np.asarray([1.0, 2.0])
    along = (x,) if name in ("pushforward", "pullback") else ()
    operator = getattr(polylux, name)
    operator(f, S, x, *along)
    assert len(calls) == polylux.explain(operator, S, x, *along, output=2).calls


def test_a_backend_of_no_primitive(monkeypatch):
    none = only("", set())
    none.capabilities = frozenset()
    monkeypatch.setattr(registry, "resolve", lambda selector: (none, selector))
    with pytest.raises(UnsupportedError, match="does not differentiate; use"):
        polylux.pullback(lambda x: x, S, 1.0, 1.0)
    assert to_host(1.0) == 1.0
