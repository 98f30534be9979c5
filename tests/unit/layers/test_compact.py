"""compact: what each value is, the namespace, states, derivatives, printing, and its errors."""

from __future__ import annotations

import collections
import copy
import operator
import pickle
from typing import Any, NamedTuple

import numpy as np
import pytest

import polylux
from polylux import (
    TrainState,
    array_namespace,
    compact,
    compute_gradients,
    f64,
    gradient,
    init_fn,
    non_trainable,
    setup,
    single_train_step,
    to_backend,
    to_host,
)
from polylux.errors import DomainError, OptionError, TreeError
from polylux.layers import Chain, Dense, Layer, WrappedFunction, parameter_count, state_count
from polylux.ops import relu
from polylux.optimizers import SGD, Adam

A = np.asarray([1.0, 2.0, 3.0])
B = np.asarray([[4.0, 5.0]])


class Pair(NamedTuple):
    one: Any
    two: Any


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def hand_on(s: Any, x: Any) -> Any:
    return x


def made(**values: Any) -> Any:
    return compact(hand_on, **values)


def call(model: Any, x: Any) -> tuple[Any, Any]:
    return model(x, *setup(rng(), model))  # type: ignore[no-any-return]


# --- what each value is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        A,
        A.astype(np.float32),
        np.asarray(3.0),
        np.arange(3),
        np.asarray([True]),
        A * 1j,
        [A, B],
        (A, B),
    ],
    ids=["float", "float32", "no axes", "integer", "bool", "complex", "list", "tuple"],
)
def test_arrays_of_numbers_are_parameters(value: Any) -> None:
    ps, st = setup(rng(), made(v=value))
    assert st == {}
    assert type(ps["v"]) is type(value)
    np.testing.assert_equal(ps["v"], value)


@pytest.mark.parametrize(
    "value",
    [
        3,
        2.5,
        1j,
        True,
        np.float32(2),
        None,
        "relu",
        relu,
        np.asarray(["a"]),
        np.asarray([None]),
        [],
        [A, 1.0],
        [1, 2],
        {"a": A},
        {},
        Pair(A, B),
        object(),
    ],
    ids=[
        "int", "float", "complex", "bool", "scalar of numpy", "None", "string", "function",
        "array of strings", "array of objects", "empty list", "list of an array and a number",
        "list of numbers", "dict", "empty dict", "namedtuple", "object",
    ],
)  # fmt: skip
def test_everything_else_is_a_state(value: Any) -> None:
    ps, st = setup(rng(), made(v=value))
    assert ps == {}
    assert type(st["v"]) is type(value)
    np.testing.assert_equal(st["v"], value)


@pytest.mark.parametrize("value", [A, [A, B], 3, {"a": A}, relu])
def test_non_trainable_is_a_state(value: Any) -> None:
    ps, st = setup(rng(), made(v=non_trainable(value)))
    assert ps == {}
    np.testing.assert_equal(st["v"], value)


def test_arrays_of_any_library_are_parameters(library: Any) -> None:
    given = library.array(A)
    ps, _ = setup(rng(), made(v=given))
    assert type(ps["v"]) is type(given)
    np.testing.assert_array_equal(library.host(ps["v"]), A)
    assert library.host(ps["v"]).dtype == np.float64


def test_a_layer_has_its_trees_under_its_name() -> None:
    ps, st = setup(rng(), made(dense=Dense(2, 3), inner=made(w=A, n=1)))
    assert {name: list(part) for name, part in ps.items()} == {
        "dense": ["weight", "bias"],
        "inner": ["w"],
    }
    assert st == {"dense": {}, "inner": {"n": 1}}


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_layers_have_the_numbers_from_one_as_keys(kind: Any) -> None:
    ps, st = setup(rng(), made(w=kind([Dense(2, 3), made(n=1)])))
    assert list(ps["w"]) == ["1", "2"]
    assert st == {"w": {"1": {}, "2": {"n": 1}}}


@pytest.mark.parametrize(
    "value",
    [
        {"one": Dense(2, 3), "two": made(n=1)},
        collections.OrderedDict(one=Dense(2, 3), two=made(n=1)),
        Pair(Dense(2, 3), made(n=1)),
    ],
    ids=["dict", "OrderedDict", "namedtuple"],
)
def test_named_layers_keep_their_names(value: Any) -> None:
    ps, st = setup(rng(), made(w=value))
    assert list(ps["w"]) == ["one", "two"]
    assert st == {"w": {"one": {}, "two": {"n": 1}}}


def test_one_layer_given_three_times_is_three_layers() -> None:
    ps, _ = setup(rng(), made(w=[Dense(2, 2)] * 3))
    assert not np.array_equal(ps["w"]["1"]["weight"], ps["w"]["2"]["weight"])


@pytest.mark.parametrize(
    "value",
    [
        [Dense(2, 3), A],
        (Dense(2, 3), relu),
        {"a": Dense(2, 3), "b": 1},
        Pair(Dense(2, 3), None),
        [[Dense(2, 3)], [Dense(2, 3)]],
    ],
    ids=["list", "tuple", "dict", "namedtuple", "list of lists"],
)
def test_layers_mixed_with_other_values_are_an_error(value: Any) -> None:
    with pytest.raises(OptionError, match="layers and other values mixed in v=.* holds layers onl"):
        made(v=value)


@pytest.mark.parametrize("value", [[init_fn(lambda rng: A)], {"a": non_trainable(A)}])
def test_marked_values_inside_of_others_are_an_error(value: Any) -> None:
    with pytest.raises(OptionError, match="inside of the value of v; give it a name of its own"):
        made(v=value)


def test_class_of_a_layer_is_an_error() -> None:
    with pytest.raises(OptionError, match=r"got the class Dense as v; make one: Dense\(...\)"):
        made(v=Dense)


# --- initial values ------------------------------------------------------------------------------


def test_arrays_are_copied_at_each_setup() -> None:
    given, fixed, inside = A.copy(), B.copy(), A.copy()
    model = made(v=given, w=[given, inside], fixed=non_trainable(fixed), record={"a": inside})
    for _ in range(2):
        ps, st = setup(rng(), model)
        for array in (ps["v"], *ps["w"], st["fixed"], st["record"]["a"]):
            array[...] = -1
    np.testing.assert_array_equal(given, A)
    np.testing.assert_array_equal(fixed, B)
    np.testing.assert_array_equal(inside, A)


def test_init_fn_draws_anew_at_every_setup_in_the_order_of_the_keywords() -> None:
    model = made(
        b=init_fn(lambda rng: rng.random(2), kind="state"),
        w=init_fn(lambda rng: rng.random((3, 2))),
        dense=Dense(1, 1),
        v=init_fn(lambda rng: rng.random(1), "parameter"),
    )
    generator, expected = rng(), rng()
    for _ in range(2):
        ps, st = setup(generator, model)
        assert list(ps) == ["w", "dense", "v"]
        np.testing.assert_array_equal(ps["w"], expected.random((3, 2)))
        weight = Dense(1, 1).initial_parameters(expected)["weight"]
        np.testing.assert_array_equal(ps["dense"]["weight"], weight)
        np.testing.assert_array_equal(ps["v"], expected.random(1))
        np.testing.assert_array_equal(st["b"], expected.random(2))


def test_init_fn_of_another_kind_is_an_error() -> None:
    with pytest.raises(DomainError, match="is 'parameter' or 'state', got 'buffer'"):
        init_fn(lambda rng: A, "buffer")  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [A, 3, Dense(1, 1), Dense])
def test_init_fn_of_no_function_is_an_error(given: Any) -> None:
    with pytest.raises(OptionError, match="takes a function of a generator"):
        init_fn(given)


def test_non_trainable_of_a_layer_or_of_init_fn_is_an_error() -> None:
    with pytest.raises(OptionError, match="give the layer itself"):
        non_trainable(Dense(1, 1))
    with pytest.raises(OptionError, match=r"give init_fn\(f, kind='state'\)"):
        non_trainable(init_fn(lambda rng: A))


# --- the function --------------------------------------------------------------------------------


def test_values_are_attributes(library: Any) -> None:
    model = compact(lambda s, x: s.act(s.w * x + s.n), w=A, n=-3, act=relu)
    _, st = setup(rng(), model)
    y, new = model(library.array([1.0, 2.0, 3.0]), {"w": library.array(A)}, st)
    np.testing.assert_array_equal(library.host(y), [0, 1, 6])
    assert library.host(y).dtype == np.float64
    assert new is st


def test_decorator_makes_the_same_layer() -> None:
    @compact(w=A)
    def scale(s: Any, x: Any) -> Any:
        return s.w * x

    assert isinstance(scale, Layer)
    np.testing.assert_array_equal(call(scale, A)[0], A * A)


def test_third_argument_is_the_whole_parameter_tree() -> None:
    def forward(s: Any, x: Any, p: Any) -> Any:
        assert s.w is p["w"]
        return x @ p["dense"]["weight"]

    model = compact(forward, w=A, dense=Dense(2, 3))
    ps, st = setup(rng(), model)
    x = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(model(x, ps, st)[0], x @ ps["dense"]["weight"])


@pytest.mark.parametrize(
    "forward", [lambda s, *x: x[0], lambda s, x, n=2: n * x], ids=["star", "default"]
)
def test_arguments_with_defaults_are_left_alone(forward: Any) -> None:
    assert call(compact(forward, w=A), 3)[0] in (3, 6)


def test_layers_are_called_with_the_input_alone() -> None:
    @compact(first=Dense(2, 3, "tanh"), rest=[Dense(3, 3), Dense(3, 3)], last={"out": Dense(3, 1)})
    def mlp(s: Any, x: Any) -> Any:
        h = s.first(x)
        for layer in s.rest:
            h = layer(h)
        assert isinstance(s.rest, tuple)
        return s.last["out"](h)

    ps, st = setup(rng(), mlp)
    x = np.ones((5, 2), np.float32)
    plain = Chain(Dense(2, 3, "tanh"), Dense(3, 3), Dense(3, 3), Dense(3, 1))
    layers = [ps["first"], ps["rest"]["1"], ps["rest"]["2"], ps["last"]["out"]]
    expected, _ = plain(
        x,
        {f"layer_{n}": p for n, p in enumerate(layers, 1)},
        {f"layer_{n}": {} for n in range(1, 5)},
    )
    y, new = mlp(x, ps, st)
    np.testing.assert_array_equal(y, expected)
    assert new is st


def test_sub_layer_may_get_other_parameters_and_shows_its_own() -> None:
    model = compact(lambda s, x: s.a(x, s.b.ps), a=Dense(2, 2), b=Dense(2, 2))
    ps, st = setup(rng(), model)
    x = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(model(x, ps, st)[0], Dense(2, 2)(x, ps["b"], {})[0])


def test_it_is_a_layer_among_layers() -> None:
    model = Chain(Dense(2, 3), compact(lambda s, x: s.w * x, w=A, n=1), np.tanh)
    ps, st = setup(rng(), model)
    assert (parameter_count(model), state_count(model)) == (12, 1)
    assert st["layer_2"] == {"n": 1}
    assert model.output_shape((5, 2)) == (5, 3)
    y, new = model(np.ones((5, 2), np.float32), ps, st)
    assert y.shape == (5, 3)
    assert new is st


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wieght", "no value 'wieght'; did you mean 'weight'"),
        ("weights", "no value 'weights'; did you mean 'weight'"),
    ],
)
def test_unknown_name_is_an_error_that_names_the_nearest(name: str, message: str) -> None:
    model = compact(lambda s, x: getattr(s, name) * x, weight=A)
    with pytest.raises(AttributeError, match=message):
        call(model, A)


def test_function_that_forgets_to_return_is_an_error() -> None:
    with pytest.raises(OptionError, match="returned None; end it with the output, 'return y'"):
        call(compact(lambda s, x: None, w=A), A)


def test_users_exceptions_pass() -> None:
    def forward(s: Any, x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        call(compact(forward, w=A), A)


# --- states --------------------------------------------------------------------------------------


def test_assigning_to_a_state_changes_the_returned_ones_alone() -> None:
    @compact(count=0, seen=non_trainable(np.zeros(3)), act=relu)
    def model(s: Any, x: Any) -> Any:
        s.count = s.count + 1
        s.count += 1
        s.seen = s.seen + x
        return s.count * x

    ps, st = setup(rng(), model)
    given = copy.deepcopy(st)
    y, new = model(A, ps, st)
    np.testing.assert_array_equal(y, 2 * A)
    np.testing.assert_equal(new, {"count": 2, "seen": A, "act": relu})
    np.testing.assert_equal(st, given)
    np.testing.assert_equal(model(A, ps, new)[1], {"count": 4, "seen": 2 * A, "act": relu})


def test_assigning_to_a_parameter_holds_to_the_end_of_the_call() -> None:
    @compact(w=A)
    def model(s: Any, x: Any) -> Any:
        s.w = 2 * s.w
        return s.w * x

    ps, st = setup(rng(), model)
    for _ in range(2):
        y, new = model(A, ps, st)
        np.testing.assert_array_equal(y, 2 * A * A)
        assert new is st
    np.testing.assert_array_equal(ps["w"], A)


def test_states_of_sub_layers_are_collected_and_threaded_through_repeated_calls() -> None:
    @compact(n=0)
    def counter(s: Any, x: Any) -> Any:
        s.n = s.n + 1
        return x + s.n

    model = compact(
        lambda s, x: s.some[1](s.one(s.one(x))), one=counter, some=[counter, counter], idle=counter
    )
    ps, st = setup(rng(), model)
    y, new = model(0, ps, st)
    assert y == 1 + 2 + 1
    assert new == {"one": {"n": 2}, "some": {"1": {"n": 0}, "2": {"n": 1}}, "idle": {"n": 0}}
    assert new["some"]["1"] is st["some"]["1"]
    assert st["one"] == {"n": 0}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("coutn", "no state 'coutn' to assign to .did you mean 'count'.*coutn=initial"),
        ("dense", "'dense' is a layer of the compact layer, and cannot be assigned to"),
    ],
)
def test_assigning_to_what_is_no_value_is_an_error(name: str, message: str) -> None:
    model = compact(lambda s, x: setattr(s, name, 1), count=0, dense=Dense(1, 1))
    with pytest.raises(AttributeError, match=message):
        call(model, A)


def test_type_of_the_states_is_kept_where_sub_layers_keep_theirs() -> None:
    class Growing(Dense):
        def preserves_state_type(self) -> bool:
            return False

    assert made(a=Dense(1, 1), n=1).preserves_state_type()
    assert not made(a=[made(b=Growing(1, 1))]).preserves_state_type()


# --- trained -------------------------------------------------------------------------------------


def squares(model: Any, ps: Any, st: Any, x: Any) -> Any:
    y, st = model(x, ps, st)
    return array_namespace(y).sum(y * y), st, {}


@compact(
    w=A, k=np.arange(3), fixed=non_trainable(np.full(3, 2.0)), act=relu, total=non_trainable(0 * A)
)
def affine(s: Any, x: Any) -> Any:
    y = s.act(s.w * x + s.fixed)
    s.total = s.total + y
    return y


def test_gradients_are_of_parameters_and_states_advance(selector: Any) -> None:
    x = np.asarray([1.0, -2.0, 1.0])  # w x + 2 = 3, -2, 5
    ts = TrainState(affine, *setup(rng(), affine), SGD(0.5))
    grads, loss, _, ts = compute_gradients(selector, squares, x, ts)
    assert float(loss) == 9 + 25
    np.testing.assert_array_equal(to_host(grads["w"]), [2 * 3, 0, 2 * 5])
    np.testing.assert_array_equal(to_host(grads["k"]), [0, 0, 0])
    np.testing.assert_array_equal(to_host(ts.states["total"]), [3, 0, 5])
    ts = single_train_step(selector, squares, x, ts).train_state
    np.testing.assert_array_equal(to_host(ts.parameters["w"]), [1 - 3, 2, 3 - 5])
    np.testing.assert_array_equal(to_host(ts.parameters["k"]), [0, 1, 2])
    np.testing.assert_array_equal(to_host(ts.states["total"]), [6, 0, 10])
    np.testing.assert_array_equal(to_host(ts.states["fixed"]), [2, 2, 2])
    assert ts.states["act"] is relu
    assert ts.cache.traces <= 2


def test_derivatives_stop_at_states(selector: Any) -> None:
    model = compact(
        lambda s, x: array_namespace(x).sum(s.a * x + s.b["c"][0]),
        a=non_trainable(A), b={"c": [A], "name": "b"},
    )  # fmt: skip

    def through_states(a: Any) -> Any:
        return model(a, {}, {"a": a, "b": {"c": [a * a], "name": "b"}})[0]

    # Of a * a + a**2, with the states constant, the derivative by x = a is a.
    slope = gradient(through_states, selector, A)
    np.testing.assert_array_equal(to_host(slope), A)


def test_derivatives_reach_states_that_were_assigned_in_the_call(selector: Any) -> None:
    @compact(w=A, h=non_trainable(0 * A))
    def model(s: Any, x: Any) -> Any:
        s.h = s.w * x
        return s.h

    ts = TrainState(model, *setup(rng(), model), SGD(0.5))
    grads = compute_gradients(selector, squares, np.ones(3), ts).grads
    np.testing.assert_array_equal(to_host(grads["w"]), 2 * A)


def test_float64_is_kept_outside_of_training(selector: Any) -> None:
    model = compact(lambda s, x: (s.w * x) / 3, w=A)
    ps, st = setup(rng(), model)
    y, _ = model(to_backend(np.ones(3), selector), to_backend(ps, selector), st)
    np.testing.assert_array_equal(to_host(y), A / 3)


def perceptron() -> Any:
    @compact(w1=Dense(1, 128), w2=[Dense(128, 128) for _ in range(3)], w3=Dense(128, 1), act=relu)
    def mlp(s: Any, x: Any) -> Any:
        h = s.act(s.w1(x))
        for w in s.w2:
            h = s.act(w(h))
        return s.w3(h)

    return mlp


def errors(model: Any, ps: Any, st: Any, data: Any) -> Any:
    x, y = data
    prediction, st = model(x, ps, st)
    return array_namespace(prediction).sum((prediction - y) ** 2), st, {}


def cubic(dtype: Any) -> tuple[Any, Any]:
    x = np.arange(-20, 21, dtype=dtype)[:, None] / 10
    return x, 2 * x - x**3


def trained(selector: Any, model: Any, steps: int) -> tuple[list[float], Any]:
    ts = f64(TrainState(model, *setup(rng(), model), Adam(1e-3)))
    losses = []
    for _ in range(steps):
        _, loss, _, ts = single_train_step(selector, errors, cubic(np.float64), ts)
        losses.append(float(loss))
    return losses, to_host(ts.parameters)


def test_perceptron_of_the_page_learns_the_same_on_every_backend() -> None:
    model = perceptron()
    expected, reference = trained(polylux.AutoAutograd(), model, 100)
    assert expected[-1] < 0.01 * expected[0]
    for selector in (polylux.AutoTorch(), polylux.AutoJax()):
        losses, ps = trained(selector, model, 100)
        np.testing.assert_allclose(losses, expected, rtol=1e-11)
        for a, b in [(ps["w1"], reference["w1"]), (ps["w2"]["2"], reference["w2"]["2"])]:
            np.testing.assert_allclose(a["weight"], b["weight"], rtol=0, atol=1e-11)


# --- printing ------------------------------------------------------------------------------------


def random(rng: np.random.Generator) -> Any:
    return rng.random(1)


def test_printing_shows_values_counts_and_source() -> None:
    @compact(
        w1=Dense(1, 128),
        w2=[Dense(128, 128)] * 3,
        named={"out": Dense(128, 1)},
        a=A,
        some=[A, B],
        fixed=non_trainable(B),
        drawn=init_fn(random),
        started=init_fn(random, kind="state"),
        act=relu,
        rate=0.5,
    )
    def mlp(s: Any, x: Any) -> Any:
        """Hands on."""
        return x

    assert str(mlp).splitlines() == [
        "@compact(",
        "    w1=Dense(1, 128),          # 256 parameters",
        "    w2=[",
        "        Dense(128, 128),       # 16,512 parameters",
        "        Dense(128, 128),       # 16,512 parameters",
        "        Dense(128, 128),       # 16,512 parameters",
        "    ],",
        "    named={",
        "        'out': Dense(128, 1),  # 129 parameters",
        "    },",
        "    a=<float64 array of shape (3,)>,",
        "    some=[<float64 array of shape (3,)>, <float64 array of shape (1, 2)>],",
        "    fixed=non_trainable(<float64 array of shape (1, 2)>),",
        "    drawn=init_fn(random),",
        "    started=init_fn(random, kind='state'),",
        "    act=relu,",
        "    rate=0.5,",
        ")                              # Total: 49,930 parameters, plus 5 states",
        "def mlp(s: Any, x: Any) -> Any:",
        '    """Hands on."""',
        "    return x",
    ]


def test_lambda_is_shown_as_it_was_written() -> None:
    outer = 2.0
    # Two on one line, of the same names.
    plus, scale = compact(lambda s, x: s.w + x, w=A), compact(lambda s, x: s.w * x, w=A)
    long = compact(
        lambda s, x, f=(lambda y: y + 1): (
            s.n * f(x)
            + outer
        ), n=2,
    )  # fmt: skip
    assert str(scale).splitlines() == [
        "compact(",
        "    lambda s, x: s.w * x,",
        "    w=<float64 array of shape (3,)>,",
        ")  # Total: 3 parameters, plus 0 states",
    ]
    assert "    lambda s, x: s.w + x," in str(plus)
    assert "    lambda s, x, f=(lambda y: y + 1): ( s.n * f(x) + outer)," in str(long)


def test_function_without_source_is_shown_by_name() -> None:
    names: dict[str, Any] = {}
    exec("def forward(s, x): return x", names)
    assert str(compact(names["forward"], n=1)).splitlines() == [
        "compact(",
        "    forward,",
        "    n=1,",
        ")  # Total: 0 parameters, plus 1 states",
    ]


def test_inside_of_another_layer_it_is_shown_without_source() -> None:
    assert str(Chain(made(w=A))).splitlines() == [
        "Chain(",
        "    compact(",
        "        hand_on,",
        "        w=<float64 array of shape (3,)>,",
        "    ),",
        ")  # Total: 3 parameters, plus 0 states",
    ]


def test_name_replaces_the_printed_form() -> None:
    model = compact(hand_on, w=A, name="Linear(3 => 1)")
    assert repr(model) == model.name == "Linear(3 => 1)"
    assert str(model) == "Linear(3 => 1)  # 3 parameters"
    assert "    Linear(3 => 1),  # 3 parameters" in str(Chain(model))


def test_repr_is_one_line() -> None:
    model = made(w=A, act=relu, layers=[Dense(1, 2)])
    expected = "compact(hand_on, w=<float64 array of shape (3,)>, act=relu, layers=[Dense(1, 2)])"
    assert repr(model) == expected


# --- errors and identity -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("positional", "values", "message"),
    [
        ((), {}, "needs values by keyword"),
        ((hand_on,), {}, "needs values by keyword, .* use WrappedFunction"),
        ((hand_on, A), {}, "one function and values by keyword, got 2 positional arguments; write"),
        ((3,), {"w": A}, r"needs a function forward\(s, x\) that returns the output, got 3"),
        ((Dense(1, 1),), {"w": A}, "needs a function forward"),
        ((lambda s: s,), {"w": A}, r"takes \(s, x\), or \(s, x, p\) .* got <lambda>\(s\)"),
        ((lambda s, x, p, q: s,), {"w": A}, r"got <lambda>\(s, x, p, q\)"),
        ((lambda s, x, *, key: s,), {"w": A}, r"got <lambda>\(s, x, \*, key\)"),
        ((hand_on,), {"_w": A}, "names without a leading underscore, got '_w'"),
        ((hand_on,), {"w": A, "name": Dense(1, 1)}, r"name=...\) is what is printed, a string"),
    ],
)
def test_wrong_arguments_are_an_error(positional: Any, values: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        compact(*positional, **values)


def test_decorator_of_no_function_is_an_error() -> None:
    with pytest.raises(OptionError, match="needs a function forward"):
        compact(w=A)(3)


@pytest.mark.parametrize(
    ("ps", "st", "message"),
    [
        ({}, {"n": 1}, r"needs parameters with the keys \['w'\], got keys \[\]"),
        (None, {"n": 1}, r"needs parameters with the keys \['w'\], got <class 'NoneType'>"),
        ({"w": A}, {}, r"needs states with the keys \['n'\], got keys \[\]"),
    ],
)
def test_trees_of_another_model_are_an_error(ps: Any, st: Any, message: str) -> None:
    with pytest.raises(TreeError, match=message):
        made(w=A, n=1)(A, ps, st)


def test_it_is_compared_by_identity_and_cannot_be_changed() -> None:
    one, two = made(w=A), made(w=A)
    assert one != two
    assert one == one
    assert len({one, two, one}) == 2
    with pytest.raises(AttributeError, match="cannot assign to 'forward' of a compact layer"):
        one.forward = hand_on


def test_mark_for_dispatch_is_an_attribute() -> None:
    assert compact(hand_on, dispatch="Linear", w=A).dispatch == "Linear"
    assert made(w=A).dispatch is None


def test_pickled_train_state_has_the_decorated_model_again() -> None:
    ts = TrainState(affine, *setup(rng(), affine), SGD(0.5))
    again = pickle.loads(pickle.dumps(ts))
    assert again.model is affine
    plain = made(w=A, n=1)
    copied = pickle.loads(pickle.dumps(plain))
    np.testing.assert_equal(setup(rng(), copied), setup(rng(), plain))
    assert repr(copied) == repr(plain)


def test_it_replaces_a_dense_layer_with_the_same_weights() -> None:
    dense = Dense(5, 3, relu)
    model = compact(lambda s, x: s.act(x @ s.W + s.b), W=np.ones((5, 3)), b=np.zeros(3), act=relu)
    ps, st = setup(rng(), model)
    x = np.ones((2, 5))
    expected, _ = dense(x, {"weight": ps["W"], "bias": ps["b"]}, {})
    np.testing.assert_array_equal(model(x, ps, st)[0], expected)
    np.testing.assert_array_equal(expected, np.full((2, 3), 5.0))
    assert (model.parameter_count(), model.state_count()) == (18, 1)


def test_wrapped_functions_and_operators_are_values() -> None:
    model = compact(lambda s, x: s.op(s.f(x), x), f=WrappedFunction(relu), op=operator.add)
    np.testing.assert_array_equal(call(model, A)[0], 2 * A)
