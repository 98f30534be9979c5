"""pushforward, pullback, derivative and jacobian on every backend in every mode."""

from __future__ import annotations

import numpy as np
import pytest

from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    array_namespace,
    derivative,
    explain,
    gradient,
    jacobian,
    jvp,
    pullback,
    pushforward,
    selector_of,
    to_backend,
    to_host,
    value_and_derivative,
    value_and_gradient,
    value_and_jacobian,
    value_and_pullback,
    value_and_pushforward,
    vjp,
)
from polylux.errors import (
    ArrayMixError,
    DTypeError,
    NothingTrainableError,
    ObjectiveError,
    OptionError,
    ShapeError,
    TreeError,
)


def test_gradient_in_each_mode(in_mode, scalar, flat, close):
    value, found = value_and_gradient(scalar, in_mode, scalar.point)
    close(flat(found), scalar.gradient, scalar.gradient_size)
    assert found["name"] == "energy"
    assert to_host(found["n"]).tolist() == [0]
    a, b = scalar.a, scalar.b
    terms = [a[0] * a[1] * b, *np.sin(a), b**3]
    close(value, sum(terms), np.abs(terms).sum())


def test_pushforward_is_the_jacobian_times_the_direction(in_mode, vector, close):
    direction = {"a": np.asarray([1.0, -2.0]), "b": 3.0}
    value, found = value_and_pushforward(vector, in_mode, vector.point, direction)
    v = np.asarray([1.0, -2.0, 3.0])
    expected, terms = vector.matrix @ v, np.abs(vector.matrix) @ np.abs(v)
    close(found["u"], expected[:4].reshape(2, 2), terms[:4].reshape(2, 2))
    close(found["w"][0], expected[4], terms[4])
    assert found["w"][1] is None
    assert to_host(found["k"]).tolist() == [0, 0]
    assert to_host(value["k"]).tolist() == [1, 2]
    close(value["w"][0], 0.5 * 0.7, 0.5 * 0.7)


def test_pullback_is_the_cotangent_times_the_jacobian(in_mode, vector, flat, close):
    cotangent = {"u": np.asarray([[1.0, -1.0], [2.0, 0.5]]), "w": (3, None), "k": 0}
    value, found = value_and_pullback(vector, in_mode, vector.point, cotangent)
    u = np.asarray([1.0, -1.0, 2.0, 0.5, 3.0])
    close(flat(found), u @ vector.matrix, np.abs(u) @ np.abs(vector.matrix))
    close(value["u"], [[0.35, -1.2 * 0.7], [0.25, 1.44]], [[0.35, 0.84], [0.25, 1.44]])


def test_several_directions_at_once(in_mode, vector, close):
    v = np.asarray([[1.0, 0.0, 0.0], [2.0, -3.0, 1.0], [0.0, 0.0, 2.0]])
    directions = {"a": v[:, :2], "b": v[:, 2].astype(int)}
    found = pushforward(vector, in_mode, vector.point, directions, batched=True)
    expected, terms = v @ vector.matrix.T, np.abs(v) @ np.abs(vector.matrix.T)
    close(found["u"], expected[:, :4].reshape(3, 2, 2), terms[:, :4].reshape(3, 2, 2))
    close(found["w"][0], expected[:, 4], terms[:, 4])
    assert found["k"].shape == (3, 2)


def test_several_cotangents_at_once(in_mode, vector, close):
    cotangents = {
        "u": np.stack([np.ones((2, 2)), np.zeros((2, 2))]),
        "w": (np.asarray([2.0, 1.0]), None),
        "k": 0,
    }
    value, found = value_and_pullback(vector, in_mode, vector.point, cotangents, batched=True)
    u = np.asarray([[1.0, 1.0, 1.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0, 1.0]])
    expected, terms = u @ vector.matrix, np.abs(u) @ np.abs(vector.matrix)
    close(found["a"], expected[:, :2], terms[:, :2])
    close(found["b"], expected[:, 2], terms[:, 2])
    assert value["u"].shape == (2, 2)


@pytest.mark.parametrize("beside", [0, np.ones(5), "text"], ids=["number", "length 5", "text"])
def test_what_stands_beside_an_integer_output_is_not_looked_at(selector, beside):
    def f(p):
        return {"first": p["n"], "y": p["x"] ** 2}

    point = {"n": np.asarray([1, 2]), "x": X}
    cotangents = {"first": beside, "y": np.ones((3, 2))}
    found = pullback(f, selector, point, cotangents, batched=True)
    np.testing.assert_array_equal(to_host(found["x"]), np.tile(2 * X, (3, 1)))
    np.testing.assert_array_equal(to_host(found["n"]), np.zeros((3, 2), int))
    said = explain(pullback, selector, point, cotangents, output=f(point), batched=True)
    assert said.reverse_sweeps == 3


def test_jacobian_is_a_tree_of_trees(in_mode, vector, close):
    value, found = value_and_jacobian(vector, in_mode, vector.point)
    expected = vector.blocks()
    for key in ("a", "b"):
        close(found["u"][key], expected["u"][key], np.abs(expected["u"][key]))
        close(found["w"][0][key], expected["w"][key], np.abs(expected["w"][key]))
        assert found["k"][key].shape == (2, *vector.point[key].shape)
        assert not to_host(found["k"][key]).any()
    assert value["u"].shape == (2, 2)


@pytest.mark.parametrize(("rows", "columns"), [(2, 5), (5, 2), (3, 3), (1, 1), (1, 4), (4, 1)])
def test_jacobian_of_one_array_is_an_array(in_mode, rows, columns, close):
    matrix = np.random.default_rng(0).normal(size=(rows, columns))
    x = np.linspace(-1.0, 2.0, columns)
    found = jacobian(lambda x, m: m @ x**2, in_mode, x, matrix)
    close(found, matrix * 2 * x, np.abs(matrix * 2 * x))


@pytest.mark.parametrize(("shape", "output"), [((0,), (2,)), ((2,), (0,)), ((2, 0), (0, 3))])
def test_jacobian_without_an_entry_has_its_shape(in_mode, shape, output):
    def f(x):
        return array_namespace(x).zeros(output, dtype=x.dtype) + array_namespace(x).sum(x)

    found = jacobian(f, in_mode, np.ones(shape))
    assert found.shape == (*output, *shape)
    assert selector_of(found).backend == in_mode.backend


def test_derivative_of_a_tree_by_one_number(in_mode, close):
    def f(t, scale):
        xp = array_namespace(t)
        return {"cube": t**3, "both": xp.stack([t, scale * xp.sin(t)]), "n": 7}

    value, found = value_and_derivative(f, in_mode, 2.0, np.asarray(10.0))
    close(found["cube"], 12.0, 12.0)
    close(found["both"], [1.0, 10 * np.cos(2.0)], [1.0, 10.0])
    assert (value["n"], found["n"]) == (7, 0)


def test_auxiliary_output_comes_back_untraced(selector):
    def f(x):
        return (x**2).sum(), {"double": 2 * x, "text": "as it is", "nothing": None, "host": HOST}

    for found in (
        gradient(f, selector, X, has_aux=True),
        pushforward(f, selector, X, X, has_aux=True),
        pushforward(f, selector, X, np.stack([X, X]), has_aux=True, batched=True),
        pullback(f, selector, X, 1.0, has_aux=True),
        jacobian(f, selector, X, has_aux=True),
    ):
        _, aux = found
        assert to_host(aux["double"]).tolist() == [2.0, 4.0]
        assert (aux["text"], aux["nothing"]) == ("as it is", None)
        assert aux["host"] is HOST
        assert selector_of(aux["double"]).backend == selector.backend
        assert not getattr(aux["double"], "requires_grad", False)


X = np.asarray([1.0, 2.0])
HOST = np.asarray([5.0])


def test_results_of_torch_hang_on_no_graph_and_share_no_memory():
    x, v = (to_backend(a, AutoTorch()) for a in (X, np.stack([X, X])))
    for selector in (AutoTorch(), AutoTorch(mode="forward"), AutoTorch(mode="reverse")):
        for result in (
            pushforward(lambda x: x, selector, x, v, batched=True),
            pushforward(lambda x: x, selector, x, v[0]),
            pullback(lambda x: x, selector, x, v, batched=True),
            jacobian(lambda x: x.sum(), selector, x),
        ):
            assert not result.requires_grad
            result.add_(1.0)
        blocks = jacobian(lambda p: p[0] + p[1], selector, (x, x * 1))
        blocks[0].add_(1.0)
        np.testing.assert_array_equal(to_host(blocks[1]), np.eye(2))
    np.testing.assert_array_equal(to_host(x), X)
    np.testing.assert_array_equal(to_host(v), np.stack([X, X]))


def test_tied_leaves_are_one_parameter(selector):
    tied = {"a": X, "again": X}

    def f(p):
        return p["a"] * p["again"] ** 2  # x**3

    for found in (
        gradient(lambda p: f(p).sum(), selector, tied),
        pullback(f, selector, tied, np.ones(2)),
    ):
        assert to_host(found["a"]).tolist() == to_host(found["again"]).tolist() == [3.0, 12.0]
    direction = {"a": np.ones(2), "again": np.ones(2)}
    assert to_host(pushforward(f, selector, tied, direction)).tolist() == [3.0, 12.0]
    with pytest.raises(TreeError, match="different values at its places"):
        pushforward(f, selector, tied, {"a": np.ones(2), "again": np.zeros(2)})


def test_an_output_that_occurs_twice_takes_two_cotangents(selector):
    def f(x):
        y = x**2
        return y, y

    found = pullback(f, selector, X, (np.asarray([1.0, 0.0]), np.asarray([10.0, 1.0])))
    assert to_host(found).tolist() == [22.0, 4.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_kept_and_directions_cast(in_mode, dtype):
    x = X.astype(dtype)
    wide = np.asarray([1.0, 10.0])
    found = [
        pushforward(lambda x: x**2, in_mode, x, wide),
        pullback(lambda x: x**2, in_mode, x, wide),
        jacobian(lambda x: x**2, in_mode, x),
        derivative(lambda t: t * t, in_mode, x[0]),
        gradient(lambda x: (x * x).sum(), in_mode, x),
    ]
    assert {str(to_host(a).dtype) for a in found} == {dtype}
    assert to_host(found[0]).tolist() == to_host(found[1]).tolist() == [2.0, 40.0]


def test_mixed_dtypes_keep_those_of_each_side(in_mode):
    x = {"low": np.ones(2, np.float32), "high": np.ones(2)}

    def f(p):
        xp = array_namespace(p["low"])
        return xp.astype(p["low"], p["high"].dtype) * p["high"], p["low"] * 2

    first, second = pushforward(f, in_mode, x, x)
    assert (to_host(first).dtype, to_host(second).dtype) == (np.float64, np.float32)
    found = to_host(pullback(f, in_mode, x, (np.ones(2), np.ones(2))))
    assert (found["low"].dtype, found["high"].dtype) == (np.float32, np.float64)
    assert found["low"].tolist() == [3.0, 3.0]
    blocks = to_host(jacobian(f, in_mode, x))
    assert (blocks[0]["low"].dtype, blocks[1]["high"].dtype) == (np.float32, np.float64)


def test_points_and_directions_of_another_library_are_moved(selector):
    for other in (AutoTorch(), AutoJax(), AutoAutograd()):
        x, v = to_backend((X, np.ones(2)), other)
        found = pushforward(lambda x: x**2, selector, x, v)
        assert selector_of(found).backend == selector.backend
        assert to_host(found).tolist() == [2.0, 4.0]


def test_short_names():
    assert jvp is pushforward
    assert vjp is pullback


BAD = {
    "direction's shape": (
        lambda s: pushforward(lambda x: x, s, X, np.ones(3)),
        ShapeError, r"direction has shape \(3,\), and it has to be \(2\); .* batched=True",
    ),
    "direction's axis": (
        lambda s: pushforward(lambda x: x, s, X, X, batched=True),
        ShapeError, r"direction has shape \(2,\), and it has to be \(k, 2\)",
    ),
    "direction's tree": (
        lambda s: pushforward(lambda p: p["a"], s, {"a": X}, [X]),
        TreeError, "the direction is a tree like x: no leaf at",
    ),
    "a hole in the direction": (
        lambda s: pushforward(lambda p: p["a"], s, {"a": X}, {"a": "no array"}),
        TreeError, r"the direction has 'no array' at \['a'\]",
    ),
    "lengths": (
        lambda s: pushforward(
            lambda p: p[0], s, (X, X * 1), (np.ones((3, 2)), np.ones((4, 2))), batched=True
        ),
        ShapeError, "leading axis of one length, at least 1; got lengths 3, 4",
    ),
    "no direction": (
        lambda s: pushforward(lambda x: x, s, X, np.ones((0, 2)), batched=True),
        ShapeError, "got lengths 0",
    ),
    "cotangent's shape": (
        lambda s: pullback(lambda x: x, s, X, np.ones(3)),
        ShapeError, r"the cotangent has shape \(3,\)",
    ),
    "cotangent's tree": (
        lambda s: pullback(lambda x: {"y": x}, s, X, X), TreeError, "like the output of f",
    ),
    "a hole in the cotangent": (
        lambda s: pullback(lambda x: {"y": x}, s, X, {"y": "none"}),
        TreeError, r"no array at \['y'\], and the output of f has one of shape \(2,\)",
    ),
    "no number": (lambda s: derivative(lambda x: x, s, X), ShapeError, "one number"),
    "a tree of a number": (
        lambda s: derivative(lambda p: p["t"], s, {"t": 1.0}), ShapeError, "one number",
    ),
    "integers": (lambda s: jacobian(lambda x: x, s, 3), NothingTrainableError, "no trainable leaf"),
    "no array": (lambda s: jacobian(lambda x: 1.0, s, X), ObjectiveError, "Python number"),
    "complex": (
        lambda s: jacobian(lambda x: array_namespace(x).astype(x, C[s.backend]()), s, X),
        DTypeError, "complex array",
    ),
    "foreign": (lambda s: jacobian(lambda x: (x, HOST), s, X), ArrayMixError, r"at \[1\]"),
    "no length": (
        lambda s: pullback(lambda x: array_namespace(x).asarray([1]), s, X, 0, batched=True),
        ShapeError, "no floating-point array; leave batched out",
    ),
    "no aux": (
        lambda s: jacobian(lambda x: x, s, X, has_aux=True), ObjectiveError, "two values",
    ),
    "no function": (lambda s: pullback(X, s, X, X), OptionError, "f, selector, x, cotangent"),
}  # fmt: skip
C = {
    "torch": lambda: __import__("torch").complex128,
    "jax": lambda: np.complex128,
    "autograd": lambda: np.complex128,
}


@pytest.mark.parametrize(("call", "error", "match"), BAD.values(), ids=BAD.keys())
def test_bad_call_is_an_error_that_says_what_came(selector, call, error, match):
    with pytest.raises(error, match=match):
        call(selector)
