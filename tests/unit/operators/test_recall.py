"""A remembered call: the next one takes its short way, and whatever differs is looked at anew."""

from __future__ import annotations

import gc
import weakref

import jax
import numpy as np
import pytest
import torch

import polylux
from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    clear_caches,
    gradient,
    hvp,
    jacobian,
    prepare,
    registry,
    to_backend,
    to_host,
)
from polylux.cache import LRU
from polylux.errors import NothingTrainableError, OptionError, ShapeError
from polylux.operators import _recall
from polylux.preferences import override_preferences

JAX = AutoJax()
X, Y = np.asarray([1.0, 2.0]), np.asarray([3.0, 5.0])


@pytest.fixture
def looks(monkeypatch):
    """Grows by one at each call that is looked at from the start."""
    found = []

    def call(*args):
        found.append(args)
        return made(*args)

    made = _recall.Call
    monkeypatch.setattr(_recall, "Call", call)
    clear_caches()
    return found


def on(selector, *hosts):
    return [to_backend(host, selector) for host in hosts]


def squares(x, scale=1.0):
    return (scale * x**2).sum()


def test_it_is_looked_at_once(selector, looks):
    x, y = on(selector, X, Y)
    for point in (x, y, x):
        assert to_host(gradient(squares, selector, point)).tolist() == (2 * to_host(point)).tolist()
        assert to_host(hvp(squares, selector, point, y)).tolist() == [6.0, 10.0]
    assert len(looks) == 2


def test_a_tree_that_was_seen_before(selector, looks):
    x, y, n = on(selector, X, Y, np.asarray(2.0))

    def f(p, k):
        return {"out": (p["a"] * p["b"][0] * k["n"]).sum()}, {"aux": p["a"]}

    for a, b in ((x, y), (y, x)):
        found, aux = jacobian(f, selector, {"a": a, "b": (b, None)}, {"n": n}, has_aux=True)
        assert to_host(found["out"]["a"]).tolist() == (2 * to_host(b)).tolist()
        assert to_host(found["out"]["b"][0]).tolist() == (2 * to_host(a)).tolist()
        assert to_host(aux["aux"]).tolist() == to_host(a).tolist()
    assert len(looks) == 1


def test_a_fresh_closure_of_an_eager_backend_is_no_new_call(looks):
    x = on(AutoTorch(), X)[0]
    for k in (1.0, 2.0):
        found = gradient(lambda x, k=k: (k * x**2).sum(), AutoTorch(), x)
        assert found.tolist() == (2 * k * X).tolist()
    assert len(looks) == 1
    with pytest.raises(OptionError, match="expected a callable"):
        gradient(None, AutoTorch(), x)


def test_what_a_function_captures_is_compared(looks):
    x, factor = on(JAX, X)[0], 2.0

    def f(x):
        return (x * factor).sum()

    for factor in (2.0, 2.0, 3.0, 2.0):
        assert to_host(gradient(f, JAX, x)).tolist() == [factor, factor]
    assert len(looks) == 3


SCALE = 2.0


def test_a_global_number_is_compared(monkeypatch):
    x = on(JAX, X)[0]

    def f(x):
        return (x * SCALE).sum()

    assert to_host(gradient(f, JAX, x)).tolist() == [2.0, 2.0]
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert to_host(gradient(f, JAX, x)).tolist() == [5.0, 5.0]


def test_other_dtypes_are_kept(selector):
    for dtype in ("float32", "float64", "float32"):
        x = on(selector, X.astype(dtype))[0]
        assert str(to_host(gradient(squares, selector, x)).dtype) == dtype
        assert to_host(jacobian(lambda x: x * x, selector, x)).dtype == dtype


def test_float64_stays_so_where_the_first_call_had_a_scope_of_its_own():
    x = on(JAX, X)[0]
    with jax.enable_x64(True):
        gradient(squares, JAX, x)
    assert to_host(gradient(squares, JAX, x)).dtype == np.float64


def test_the_side_of_a_jacobian_follows_the_shape():
    traces = []

    def f(x):  # of three numbers: by columns for two entries, by rows for five
        traces.append(x.shape)
        return polylux.array_namespace(x).stack([x.sum(), (x**2).sum(), (x**3).sum()])

    for n in (2, 5, 2, 5):
        x = np.arange(1.0, n + 1)
        found = jacobian(f, JAX, on(JAX, x)[0])
        assert to_host(found).tolist() == [[1.0] * n, (2 * x).tolist(), (3 * x**2).tolist()]
    # Columns take a run to see the output and one to push; rows pull through the first.
    assert traces == [(2,), (2,), (5,)]


def test_shapes_that_have_to_fit_are_compared(selector):
    x, y, long = on(selector, X, Y, np.ones(3))
    for _ in range(2):
        assert to_host(hvp(squares, selector, x, y)).tolist() == [6.0, 10.0]
    with pytest.raises(ShapeError, match="has to be"):
        hvp(squares, selector, x, long)
    with pytest.raises(ShapeError, match="has to be"):
        hvp(squares, selector, long, y)
    assert to_host(hvp(squares, selector, long, long)).tolist() == [2.0, 2.0, 2.0]
    number = on(selector, np.asarray(3.0))[0]
    assert float(polylux.derivative(squares, selector, number)) == 6.0
    with pytest.raises(ShapeError, match="one number"):
        polylux.derivative(squares, selector, x)


def test_settings_are_compared(selector):
    x, eye = on(selector, X, np.eye(2))

    def f(x):
        return squares(x), {"x": x}

    with pytest.raises(polylux.errors.ObjectiveError):
        gradient(f, selector, x)
    assert gradient(f, selector, x, has_aux=True)[1]["x"].shape == (2,)
    assert to_host(hvp(squares, selector, x, x)).tolist() == [2.0, 4.0]
    assert to_host(hvp(squares, selector, x, eye, batched=True)).tolist() == [[2.0, 0], [0, 2.0]]
    with pytest.raises(ShapeError, match="has to be"):
        hvp(squares, selector, x, eye)


def test_an_array_that_has_become_two_or_one(selector):
    x, y = on(selector, X, Y)

    def f(p):
        return (p["a"] * p["b"]).sum()

    for a, b, expected in ((x, y, [3.0, 5.0]), (x, x, [2.0, 4.0]), (y, x, [1.0, 2.0])):
        # A tied leaf stands for its total: d(a * a)/da = 2 a.
        assert to_host(gradient(f, selector, {"a": a, "b": b})["a"]).tolist() == expected


def test_arguments_of_other_kinds(selector):
    x, count = on(selector, X, np.asarray([1, 2], np.int32))
    assert to_host(gradient(squares, selector, x, x)).tolist() == [2.0, 8.0]
    assert to_host(gradient(squares, selector, x, 3.0)).tolist() == [6.0, 12.0]
    assert to_host(gradient(squares, selector, X, X)).tolist() == [2.0, 8.0]
    assert to_host(gradient(squares, selector, x, x)).tolist() == [2.0, 8.0]
    assert to_host(gradient(squares, selector, x, count)).tolist() == [2.0, 8.0]
    with pytest.raises(NothingTrainableError):
        gradient(squares, selector, count, x)


def test_selectors_take_turns():
    for selector in (JAX, AutoTorch(), JAX, AutoAutograd(mode="forward"), AutoJax(jit=False), JAX):
        x = on(selector, X)[0]
        found = gradient(squares, selector, x)
        assert type(found) is type(x)
        assert to_host(found).tolist() == [2.0, 4.0]


def test_a_registry_that_has_changed_is_asked_again(looks):
    x = on(AutoTorch(), X)[0]
    gradient(squares, AutoTorch(), x)
    with registry.preferring("torch"):
        assert gradient(squares, AutoTorch(), x).tolist() == [2.0, 4.0]
    assert len(looks) == 2


def test_a_trace_under_way_is_no_place_for_a_remembered_function():
    class Box:
        value = None

    def f(x):
        return (Box.value * x**2).sum()

    x, one = on(JAX, X, np.asarray(1.0))
    Box.value = one
    assert to_host(gradient(f, JAX, x)).tolist() == [2.0, 4.0]
    slope = prepare(gradient, f, JAX, x)

    for inner in (lambda: gradient(f, JAX, x), lambda: slope(x)):

        def outer(s, inner=inner):
            Box.value = s
            return inner().sum()  # 2 s (x0 + x1)

        assert float(gradient(outer, JAX, one)) == 6.0
        Box.value = one


def test_tensors_of_inference_mode():
    slope = prepare(gradient, squares, AutoTorch(), torch.ones(2))
    gradient(squares, AutoTorch(), torch.ones(2))
    with torch.inference_mode():
        x = torch.ones(2) * 3
        assert gradient(squares, AutoTorch(), x).tolist() == [6.0, 6.0]
        assert slope(x).tolist() == [6.0, 6.0]


def test_a_cleared_cache_traces_anew():
    traces, x = [], on(JAX, X)[0]

    def f(x):
        traces.append(1)
        return squares(x)

    for _ in range(2):
        gradient(f, JAX, x)
    assert len(traces) == 1
    clear_caches()
    gradient(f, JAX, x)
    assert len(traces) == 2


def test_a_preference_that_a_trace_has_seen(looks):
    x = on(JAX, X)[0]
    gradient(squares, JAX, x)
    with override_preferences(eltype_mismatch_handling="warn"):
        gradient(squares, JAX, x)
    assert len(looks) == 2


def test_ten_thousand_closures_leave_nothing_behind():
    x, alive = X, weakref.WeakSet()
    for k in range(10_000):

        def f(x, k=k):
            return (k * x).sum()

        alive.add(f)
        gradient(f, AutoAutograd(), x)
    del f
    gc.collect()
    assert len(alive) == 0


def test_what_is_remembered_of_traced_functions_is_bounded():
    cache = LRU(size=8)
    for k in range(10_000):
        cache.remember(("gradient", 1, k), k)
    assert [cache.recall(("gradient", 1, k)) for k in (0, 9_991, 9_992, 9_999)] == [
        None, None, 9_992, 9_999,
    ]  # fmt: skip
    cache.clear()
    assert cache.recall(("gradient", 1, 9_999)) is None


def test_remembered_arrays_are_not_kept():
    for selector in (JAX, AutoTorch()):
        x = on(selector, X)[0]
        alive = weakref.ref(x)
        gradient(squares, selector, x)
        del x
        gc.collect()
        assert alive() is None
