"""prepare: traced once, the same results, and a mismatch that lists every argument."""

from __future__ import annotations

import numpy as np
import pytest

import polylux
from polylux import (
    AutoJax,
    AutoTorch,
    SecondOrder,
    array_namespace,
    gradient,
    hessian,
    prepare,
    selector_of,
    to_backend,
    to_host,
)
from polylux.errors import ObjectiveError, OptionError, PreparationError, ShapeError

X = np.asarray([1.0, 2.0])


def cubes(x, scale=1.0):
    return (scale * x**3).sum()


CALLS = {
    "gradient": ((), [3.0, 12.0]),
    "hessian": ((), [[6.0, 0.0], [0.0, 12.0]]),
    "hvp": ((X,), [6.0, 24.0]),
    "pushforward": ((X,), 27.0),
    "pullback": ((np.asarray(2.0),), [6.0, 24.0]),
    "jacobian": ((), [3.0, 12.0]),
}


@pytest.mark.parametrize(("name", "case"), CALLS.items(), ids=CALLS.keys())
def test_a_prepared_call_gives_what_the_operator_does(selector, name, case):
    directions, expected = case
    prepared = prepare(getattr(polylux, name), cubes, selector, X + 5.0, *directions)
    for _ in range(2):
        found = prepared(X, *directions)
        assert to_host(found).tolist() == expected
        assert selector_of(found).backend == selector.backend


def test_all_results_and_auxiliary_output(selector):
    def f(x, scale):
        return cubes(x, scale), {"scale": scale}

    prepared = prepare(polylux.value_gradient_and_hvp, f, selector, X, X, X, has_aux=True)
    value, slope, product, aux = prepared(X, np.ones(2), np.asarray([1.0, 10.0]))
    assert float(value) == 81.0
    assert to_host(slope).tolist() == [3.0, 120.0]
    assert to_host(product).tolist() == [6.0, 120.0]
    assert to_host(aux["scale"]).tolist() == [1.0, 10.0]
    several = prepare(polylux.hvp, cubes, selector, X, np.eye(2), batched=True)
    assert to_host(several(X, np.eye(2))).tolist() == [[6.0, 0.0], [0.0, 12.0]]


def test_it_is_traced_while_it_is_prepared_and_never_again():
    traces = []

    def f(x):
        traces.append(1)
        return cubes(x)

    prepared = prepare(hessian, f, SecondOrder(AutoJax(mode="reverse"), AutoJax()), X)
    count = len(traces)
    assert count == 1
    for k in range(3):
        prepared(X + k)
    assert len(traces) == count


MISMATCHES = {
    "tree": ({"a": X}, X, r"x: prepared for float64\[2\] on \S+, got {'a': float64\[2\] on \S+}"),
    "shape": (np.ones(3), X, r"x: prepared for float64\[2\] on \S+, got float64\[3\] on \S+"),
    "dtype": (X.astype(np.float32), X, r"x: .* got float32\[2\]"),
    "constant": (X, np.ones((2, 1)), r"constant 1: prepared for float64\[2\] .* float64\[2, 1\]"),
    "missing": (X, None, r"constant 1: prepared for float64\[2\] on \S+, got None"),
}


@pytest.mark.parametrize(("x", "scale", "match"), MISMATCHES.values(), ids=MISMATCHES.keys())
def test_a_mismatch_is_one_error_that_lists_each_argument(selector, x, scale, match):
    prepared = prepare(gradient, cubes, selector, X, X)
    with pytest.raises(PreparationError, match=match) as caught:
        prepared(x, scale)
    lines = str(caught.value).splitlines()
    assert [line.strip().partition(":")[0] for line in lines[1:]] == ["f", "x", "constant 1"]
    assert ("got the same" in lines[2]) == (x is X)


def test_arguments_too_few_and_too_many(selector):
    prepared = prepare(gradient, cubes, selector, X, X)
    with pytest.raises(PreparationError, match=r"constant 1: prepared for .*, got nothing"):
        prepared(X)
    with pytest.raises(PreparationError, match=r"constant 2: prepared for nothing, got float64"):
        prepared(X, X, X)


def test_a_direction_that_no_longer_fits(selector):
    prepared = prepare(polylux.hvp, cubes, selector, X, X)
    with pytest.raises(PreparationError, match=r"direction: prepared for float64\[2\] on \S+, got"):
        prepared(X, np.ones(3))
    with pytest.raises(PreparationError, match=r"direction: prepared for .*, got the same"):
        prepared(np.ones(3), X)


def test_other_statics_and_other_ties_are_other_arguments(selector):
    def f(p):
        return (p["w"] * p["v"] * p["n"]).sum()

    prepared = prepare(gradient, f, selector, {"w": X, "v": X + 1, "n": 2})
    with pytest.raises(PreparationError, match=r"x: prepared for .*'n': 2.*, got .*'n': 3"):
        prepared({"w": X, "v": X + 1, "n": 3})
    with pytest.raises(PreparationError, match="one and the same array"):
        prepared({"w": X, "v": X, "n": 2})


def test_a_changed_capture_is_seen(selector):
    factor = 2.0

    def f(x):
        return (x * factor).sum()

    prepared = prepare(gradient, f, selector, X)
    assert to_host(prepared(X)).tolist() == [2.0, 2.0]
    factor = 3.0
    with pytest.raises(PreparationError, match="f: prepared for .* what it captures has changed"):
        prepared(X)


def test_inside_another_derivative(selector):
    # d/dx of sum((3 x**2)**2) = 36 x**3
    slope = prepare(gradient, cubes, selector, X)
    found = gradient(lambda x: (slope(x) ** 2).sum(), selector, X)
    np.testing.assert_allclose(to_host(found), 36 * X**3, rtol=1e-15)


def test_prepared_arrays_are_not_kept():
    import gc
    import weakref

    x = to_backend(X, AutoTorch())
    alive = weakref.ref(x)
    prepared = prepare(gradient, cubes, AutoTorch(), x)
    del x
    gc.collect()
    assert alive() is None
    assert to_host(prepared(X)).tolist() == [3.0, 12.0]


def test_errors_of_the_operator_pass():
    with pytest.raises(ObjectiveError, match="real scalar"):
        prepare(gradient, lambda x: x, AutoJax(), X)
    with pytest.raises(ShapeError, match="has to be"):
        prepare(polylux.hvp, cubes, AutoTorch(), X, np.ones(3))
    with pytest.raises(OptionError, match="expected an operator"):
        prepare(array_namespace, cubes, AutoTorch(), X)


class Traced:
    """A function on a trace of JAX, which counts how often that happens."""

    def __init__(self, f):
        self.f, self.traces = f, 0

    def __call__(self, *args):
        self.traces += 1
        return self.f(*args)


def on_jax(*hosts):
    return [to_backend(host, AutoJax()) for host in hosts]


def test_arrays_of_jax_go_straight_to_the_compiled_function():
    f = Traced(cubes)
    x, y, one, ten = on_jax(X, X + 1.0, np.ones(2), np.full(2, 10.0))
    prepared = prepare(polylux.hvp, f, AutoJax(), x, x, one)
    assert f.traces == 1
    assert to_host(prepared(x, y, ten)).tolist() == [120.0, 360.0]  # 6 scale x y
    assert to_host(prepared(y, y, one)).tolist() == [24.0, 54.0]
    assert f.traces == 1
    # Arrays of numpy have a trace of their own.
    for _ in range(2):
        assert to_host(prepared(X, X, np.ones(2))).tolist() == [6.0, 24.0]
    assert f.traces == 2


def test_trees_statics_and_aux_of_a_compiled_function():
    def f(p, scale):
        return (scale * p["w"] ** 3).sum() * p["n"], {"label": "cubes", "w": p["w"]}

    w, scale = on_jax(X, np.ones(2))
    prepared = prepare(polylux.value_and_gradient, f, AutoJax(), {"w": w, "n": 2}, scale,
                       has_aux=True)  # fmt: skip
    for _ in range(2):
        value, slope, aux = prepared({"w": w, "n": 2}, scale)
        assert (float(value), to_host(slope["w"]).tolist()) == (18.0, [6.0, 24.0])
        assert (aux["label"], to_host(aux["w"]).tolist()) == ("cubes", [1.0, 2.0])

    g = Traced(lambda p: (p["a"] * p["b"] ** 2).sum())
    a, b = on_jax(X, X + 1.0)
    both = prepare(gradient, g, AutoJax(), {"a": a, "b": b})
    for first, second in ((a, b), (b, a)):
        found = both({"b": second, "a": first})
        x, y = to_host(first), to_host(second)
        assert to_host(found["a"]).tolist() == (y**2).tolist()
        assert to_host(found["b"]).tolist() == (2 * x * y).tolist()
    assert g.traces == 1
    with pytest.raises(PreparationError, match="one and the same array"):
        both({"a": a, "b": a})
    with pytest.raises(PreparationError, match="x: prepared for"):
        both((a, b))


def test_other_arrays_of_jax_are_an_error_that_lists_each():
    x, scale = on_jax(X, X)
    prepared = prepare(gradient, cubes, AutoJax(), x, scale)
    others = {
        "float32[2]": X.astype(np.float32),
        "float64[3]": np.ones(3),
        "float64[2, 1]": np.ones((2, 1)),
        "int32[2]": np.ones(2, np.int32),
    }
    for words, host in others.items():
        (other,) = on_jax(host)
        with pytest.raises(PreparationError) as caught:
            prepared(x, other)
        assert f"constant 1: prepared for float64[2] on cpu:0, got {words} on" in str(caught.value)
    assert to_host(prepared(x, scale)).tolist() == [3.0, 24.0]


def test_a_compiled_function_of_float64_needs_no_scope():
    import jax

    (x,) = on_jax(X)
    prepared = prepare(hessian, cubes, AutoJax(), x)
    with jax.enable_x64(True):
        assert to_host(prepared(x)).tolist() == [[6.0, 0.0], [0.0, 12.0]]
    found = prepared(x)
    assert found.dtype == np.float64
    assert to_host(found).tolist() == [[6.0, 0.0], [0.0, 12.0]]


def test_where_jax_has_several_devices_each_is_looked_at(monkeypatch):
    from polylux_jax import _staging

    monkeypatch.setattr(_staging, "only_name", lambda: None)
    (x,) = on_jax(X)
    f = Traced(cubes)
    prepared = prepare(gradient, f, AutoJax(), x)
    assert to_host(prepared(x)).tolist() == [3.0, 12.0]
    assert f.traces == 1


def test_a_users_own_type_error_comes_through_a_compiled_function():
    def f(x):
        raise TypeError("the user's own")

    with pytest.raises(TypeError, match="the user's own"):
        prepare(gradient, f, AutoJax(), on_jax(X)[0])
