"""Gradients, pullbacks and pushforwards: results, nesting, threads, leaks and exceptions."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

autograd = pytest.importorskip("autograd")

from autograd.tracer import trace_stack  # noqa: E402

import polylux_autograd.array_api as xp  # noqa: E402
from polylux_autograd._tracing import (  # noqa: E402
    LeakedTracerError,
    is_tracing,
    linearize,
    pullback,
    pushforward,
    stop_gradient,
    value_and_gradient,
)
from polylux_autograd.array_api._tape import OPEN  # noqa: E402

X = np.array([0.5, -1.0, 2.0])


def gradient(f, *leaves):
    return value_and_gradient(lambda *a: (f(*a), ()), leaves)[1]


def derivative(f):
    """f' of a scalar function of a scalar, to be nested."""
    return lambda x: gradient(f, x)[0]


def test_value_gradient_and_auxiliary_output():
    def f(x, w):
        y = xp.tanh(x * w)
        return xp.sum(y), (y, "text", 3, [y, {"deep": y}])

    value, (gx, gw), aux = value_and_gradient(f, [X, X + 1])
    y = np.tanh(X * (X + 1))
    assert float(value) == pytest.approx(y.sum())
    np.testing.assert_allclose(np.asarray(gx), (1 - y**2) * (X + 1))
    np.testing.assert_allclose(np.asarray(gw), (1 - y**2) * X)
    for found in (aux[0], aux[3][0], aux[3][1]["deep"]):
        assert type(found) is xp.Array
    assert aux[1:3] == ("text", 3)


def test_unused_leaf_gets_zeros_of_its_own_dtype():
    leaves = [X.astype(np.float32), np.ones((2, 2), np.float64)]
    grads = gradient(lambda x, y: xp.sum(x), *leaves)
    assert [g.dtype for g in grads] == [xp.float32, xp.float64]
    np.testing.assert_array_equal(np.asarray(grads[1]), np.zeros((2, 2)))


def test_constant_function_gets_zeros():
    value, (grad,), _ = value_and_gradient(lambda x: (xp.asarray(3.0), ()), [X])
    assert float(value) == 3
    np.testing.assert_array_equal(np.asarray(grad), np.zeros(3))


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8"])
def test_integer_leaf_is_not_traced_and_gets_zeros(dtype):
    seen = []

    def f(x, n):
        seen.append(type(n))
        return xp.sum(x * n), ()

    _, (gx, gn), _ = value_and_gradient(f, [X, np.ones(3, dtype)])
    assert seen == [xp.Array]
    assert gn.dtype == np.dtype(dtype)
    assert not np.any(np.asarray(gn))
    np.testing.assert_array_equal(np.asarray(gx), np.ones(3))


def test_gradients_are_separate_writable_memory():
    shared = gradient(lambda x, y: xp.sum(x + y), X, X)
    datas = [np.asarray(g) for g in shared]
    assert all(d.flags.writeable and d.flags.c_contiguous for d in datas)
    assert not np.shares_memory(*datas)


@pytest.mark.parametrize("value", [np.ones(2), np.ones(()) * 1j], ids=["vector", "complex"])
def test_a_value_that_is_not_a_real_scalar_is_refused(value):
    with pytest.raises(ValueError, match="real scalar"):
        value_and_gradient(lambda x: (x[0] * value, ()), [X])


def test_second_and_third_derivative():
    f = derivative(derivative(derivative(lambda x: x**4 * 1.0)))
    assert float(f(np.array(2.0))) == pytest.approx(48)


def test_forward_over_reverse_over_reverse():
    f = derivative(derivative(xp.sin))
    _, out = pushforward(f, [np.array(0.7)], [np.array(1.0)])
    assert float(out) == pytest.approx(-np.cos(0.7))


def test_perturbations_of_nested_derivatives_are_not_confused():
    # d/dx (x d/dy (x + y)) = 1, and 2 if the inner derivative sees the outer x as its own
    for d in (derivative, _forward_derivative):
        for e in (derivative, _forward_derivative):
            got = d(lambda x, e=e: x * e(lambda y: x + y)(xp.asarray(1.0)))(xp.asarray(1.0))
            assert float(got) == 1


def _forward_derivative(f):
    return lambda x: pushforward(f, [x], [xp.ones_like(x)])[1]


def test_outer_box_as_leaf_and_as_closure_of_an_inner_gradient():
    def outer(x):
        inner = gradient(lambda y, z: xp.sum(y * z * x), x * 2, xp.asarray(X))[0]
        return xp.sum(inner * x)  # sum of X x x

    np.testing.assert_allclose(np.asarray(gradient(outer, X)[0]), 2 * X * X)


def test_pullback_of_an_earlier_linearization_inside_a_gradient():
    def f(x):
        _, pull = linearize(lambda y: y**3, [x])
        return xp.sum(pull(xp.ones_like(x))[0])

    np.testing.assert_allclose(np.asarray(gradient(f, X)[0]), 6 * X)


def test_several_outputs_and_several_pullbacks():
    outputs, pull = linearize(lambda x: (x * 2, xp.sum(x), xp.asarray(1.0)), [X])
    assert len(outputs) == 3
    np.testing.assert_array_equal(np.asarray(pull((X, 1.0, 0.0))[0]), 2 * X + 1)
    np.testing.assert_array_equal(np.asarray(pull((0 * X, 1.0, 0.0))[0]), [1, 1, 1])


def test_pushforward_of_an_unused_leaf_and_of_none():
    out, tangent = pushforward(lambda x, y: (x * y, xp.ones(2)), [X, X], [None, X])
    np.testing.assert_array_equal(np.asarray(tangent[0]), X * X)
    np.testing.assert_array_equal(np.asarray(tangent[1]), np.zeros(2))
    assert type(out[0]) is xp.Array


def test_stop_gradient_stops_every_level():
    np.testing.assert_array_equal(
        np.asarray(gradient(lambda x: xp.sum(x * stop_gradient(x)), X)[0]), X)
    assert float(derivative(derivative(lambda x: stop_gradient(x) * x))(np.array(3.0))) == 0
    assert stop_gradient("text") == "text"


def test_leaked_box_raises_an_error_that_says_so():
    kept = []

    def f(x):
        kept.append(x * 2)
        return xp.sum(x), ()

    value_and_gradient(f, [X])
    (box,) = kept
    uses = [
        lambda: box + 1, lambda: box[0], lambda: xp.sum(box), lambda: xp.exp(box),
        lambda: box > 0, lambda: np.asarray(box), lambda: xp.where(box > 0, box, 0),
        lambda: float(box[0]), lambda: box @ box, lambda: xp.asarray(X) * box,
        lambda: stop_gradient(box), lambda: xp.concat([box, box]),
        lambda: xp.linalg.vector_norm(box),
    ]
    for use in uses:
        with pytest.raises(LeakedTracerError, match="auxiliary output"):
            use()
    with pytest.raises(LeakedTracerError):
        gradient(lambda x: xp.sum(x * box), X)
    assert "traced" in repr(box)


def test_leaked_box_of_an_inner_gradient_is_found_while_the_outer_one_runs():
    def f(x):
        kept = []
        gradient(lambda y: kept.append(y * x) or xp.sum(y), x)
        return xp.sum(x * kept[0])

    with pytest.raises(LeakedTracerError):
        gradient(f, X)


@pytest.mark.parametrize("run", [
    lambda f: value_and_gradient(lambda x: (f(x), ()), [X]),
    lambda f: linearize(f, [X]),
    lambda f: pushforward(f, [X], [X]),
    lambda f: gradient(lambda x: gradient(f, x)[0], X),
], ids=["gradient", "pullback", "pushforward", "nested"])
def test_users_exception_passes_through_and_leaves_nothing_behind(run):
    class Mine(Exception):
        pass

    raised = Mine("mine")

    def f(x):
        raise raised

    before = trace_stack.top
    with pytest.raises(Mine) as caught:
        run(f)
    assert caught.value is raised
    assert trace_stack.top == before
    assert not OPEN
    assert float(derivative(lambda x: x * x)(np.array(3.0))) == 6


def test_two_threads_that_are_both_inside_a_nested_gradient():
    # autograd numbers its traces on one stack for the whole process: with it, each of these
    # threads would give the other's inner trace a number that is too low
    barrier = threading.Barrier(2, timeout=20)

    def f(x):
        barrier.wait()

        def inner(y):
            barrier.wait()
            z = xp.sum(y * y * x)
            barrier.wait()
            return z

        g = gradient(inner, x)[0]
        barrier.wait()
        return xp.sum(g * x)  # 2 x**3

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda scale: gradient(f, X * scale)[0], (1.0, 3.0)))
    for scale, got in zip((1.0, 3.0), results, strict=True):
        np.testing.assert_allclose(np.asarray(got), 6 * (X * scale) ** 2)


def test_many_threads_with_nested_gradients():
    def hessian_row(seed):
        x = np.random.default_rng(seed).standard_normal(3)
        got = gradient(lambda a: gradient(lambda b: xp.sum(b**3), a)[0][0], x)[0]
        return np.asarray(got)[0], 6 * x[0]

    with ThreadPoolExecutor(8) as pool:
        for got, expected in pool.map(hessian_row, range(400)):
            assert got == pytest.approx(expected)
    assert not OPEN


def test_trace_ids_are_never_used_again():
    seen = set()

    def f(x):
        seen.add(x._trace)
        return xp.sum(x)

    for _ in range(50):
        gradient(lambda x: xp.sum(x * gradient(f, x)[0]) + f(x), X)
    assert len(seen) == 100


def test_autograds_own_operators_take_our_arrays():
    x = xp.asarray(X)
    got = autograd.grad(lambda a: xp.sum(a**3))(x)
    assert type(got) is xp.Array
    np.testing.assert_allclose(np.asarray(got), 3 * X**2)
    vjp, out = autograd.make_vjp(xp.sin)(x)
    np.testing.assert_allclose(np.asarray(vjp(x)), np.cos(X) * X)
    assert type(out) is xp.Array


def test_autograds_operators_nest_with_ours():
    x = np.array(1.5)
    ours_outside = derivative(lambda a: autograd.grad(lambda b: b**3 * a)(a))
    assert float(ours_outside(x)) == pytest.approx(9 * 1.5**2)
    ours_inside = autograd.grad(lambda a: gradient(lambda b: b**3 * a, a)[0])
    assert float(ours_inside(xp.asarray(x))) == pytest.approx(9 * 1.5**2)
    assert trace_stack.top == -1


def test_gradients_share_memory_with_nothing():
    cotangent = xp.asarray(np.ones(4))

    def f(x, y):
        return xp.reshape(x, (4,)) + y

    _, (gx, gy) = pullback(f, [np.ones((2, 2)), np.ones(4)], cotangent)
    datas = [np.asarray(a) for a in (gx, gy, cotangent)]
    for i in range(3):
        for j in range(i):
            assert not np.shares_memory(datas[i], datas[j])


def test_auxiliary_output_of_pullback_and_pushforward():
    def f(x):
        return x * 2, (x + 1, "text")

    _, pull, aux = linearize(f, [X], has_aux=True)
    assert type(aux[0]) is xp.Array
    assert aux[1] == "text"
    np.testing.assert_array_equal(np.asarray(pull(X)[0]), 2 * X)
    _, tangent, aux = pushforward(f, [X], [X], has_aux=True)
    assert type(aux[0]) is xp.Array
    np.testing.assert_array_equal(np.asarray(tangent), 2 * X)


def test_is_tracing_inside_and_not_outside():
    seen = []
    gradient(lambda x: seen.append(is_tracing()) or xp.sum(x), X)
    assert seen == [True]
    assert not is_tracing()


def test_pullback_refuses_a_cotangent_of_another_shape():
    with pytest.raises(ValueError, match="shape"):
        pullback(lambda x: x * 2, [X], np.ones(2))
