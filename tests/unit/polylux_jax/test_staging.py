"""Staged functions: one trace for many calls, statics, floats, donation, errors, memory."""

from __future__ import annotations

import functools
import gc
import math
import threading
import traceback
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from polylux.backend import Numbers
from polylux.selectors import AutoJax
from polylux_jax import _form
from polylux_jax._backend import JaxBackend
from polylux_jax._joining import Joining

BACKEND = JaxBackend()
JAX, EAGER = AutoJax(), AutoJax(jit=False)


def ones(*shape: int, dtype: Any = jnp.float32) -> jax.Array:
    return jnp.ones(shape, dtype=dtype)


def test_without_jit_the_function_itself_comes_back() -> None:
    def function() -> Any:
        return (), None

    assert BACKEND.stage(function, EAGER) is function
    assert not BACKEND.is_staged(EAGER)
    assert BACKEND.is_staged(JAX)


def test_python_runs_once_for_each_shape_and_the_static_is_that_of_the_replayed_trace() -> None:
    runs = []

    def function(x: Any) -> Any:
        runs.append(x.shape)
        return x + 1, {"shape": x.shape, "object": runs}

    staged = BACKEND.stage(function, JAX)
    for shape in ((2,), (3,), (2,), (3,), (2,)):
        result, static = staged(ones(*shape))
        assert result.tolist() == [2.0] * shape[0]
        assert static["shape"] == shape
        assert static["object"] is runs
    assert runs == [(2,), (3,)]


def test_groups_nest_and_come_back_nested() -> None:
    staged = BACKEND.stage(lambda a, b: (((a[0], (b,)), ()), "s"), JAX)
    ((first, (second,)), empty), static = staged((ones(1), ()), ones(2))
    assert (first.shape, second.shape, empty, static) == ((1,), (2,), (), "s")


def kept(carry: Any, gradients: Any, floats: Any) -> Any:
    return carry


def scaled(carry: Any, gradients: Any, floats: Any) -> Any:
    """An update by which the slots are the parameters times each of the floats."""
    parameters, _ = carry
    return parameters, tuple([tuple([p * f for p in parameters]) for f in floats])


def no_gradient(parameters: Any, *groups: Any) -> Any:
    return (), tuple(map(jnp.zeros_like, parameters)), None


def stepping(
    update: Any, *, gradient: Any = no_gradient, can_join: bool = False, donated: bool = False
) -> Any:
    """A staged step, called by the carry, the floats, the number of the update and the groups."""
    staged = BACKEND.stage_step(gradient, update, JAX, can_join=can_join, donated=donated)

    def call(carry: Any, floats: Any = (0.0,), count: int = 1, *groups: Any) -> Any:
        (outputs, carry), _ = staged(carry, Numbers(lambda _: floats, count), *groups)
        return outputs, carry

    return call


@pytest.mark.parametrize("count", [1, 2, 3])
def test_floats_are_no_constants_of_the_trace(count: int) -> None:
    runs = []

    def update(carry: Any, gradients: Any, floats: Any) -> Any:
        runs.append(len(floats))
        return scaled(carry, gradients, floats)

    step = stepping(update)
    for factor in (2.0, 5.0):
        _, (_, slots) = step(((ones(1),), ((ones(1),),) * count), (factor,) * count)
        assert [float(slot[0][0]) for slot in slots] == [factor] * count
    assert runs == [count]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("size", [2, 2**16])
def test_floats_do_not_promote(size: int, dtype: str, count: int) -> None:
    step = stepping(scaled, donated=True)
    _, (_, slots) = step(((ones(size, dtype=dtype),), ()), (0.5,) * count)
    assert [str(slot[0].dtype) for slot in slots] == [dtype] * count
    assert [float(slot[0][0]) for slot in slots] == [0.5] * count


def test_floats_do_not_depend_on_what_is_waited_for() -> None:
    def gradient(parameters: Any) -> Any:
        return (parameters[0][0],), tuple([p * jnp.nan for p in parameters]), None

    step = stepping(scaled, gradient=gradient, donated=True)
    _, (_, slots) = step(((ones(2**16) * jnp.inf, ones(3)), ()), (0.5, 0.25))
    assert [float(slot[1][0]) for slot in slots] == [0.5, 0.25]


@pytest.mark.parametrize("count", [1, 2])
def test_floats_are_double_inside_the_precision_scope(count: int) -> None:
    (x,) = BACKEND.from_host([np.ones(())], JAX)
    with BACKEND.precision_scope([x]):
        _, (_, slots) = stepping(scaled)(((x,), ()), (0.1,) * count)
    assert [float(slot[0]) for slot in slots] == [0.1] * count


def test_floats_follow_their_function_and_their_update() -> None:
    staged = BACKEND.stage_step(no_gradient, scaled, JAX)
    carry: Any = ((ones(),), ((ones(),),))
    # One sequence after another, from any update, and again: each row belongs to its own update.
    for slope, updates in ((1.0, range(1, 6)), (2.0, range(6, 9)), (2.0, (3, 4, 4, 9))):
        function = functools.partial(lambda slope, update: (slope * update,), slope)
        for update in updates:
            (_, carry), _ = staged(carry, Numbers(function, update))
            assert float(carry[1][0][0]) == slope * update


# In one vector, alone, small ones joined and a large one apart, all of them apart.
CARRIES = {"vector": (1, 1), "alone": (1,), "joined": (1, 7, 20_000), "apart": (1, 40_000)}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("sizes", CARRIES.values(), ids=CARRIES)
def test_floats_of_many_updates_follow_their_update(sizes: tuple[int, ...], dtype: str) -> None:
    def gradient(parameters: Any, seen: Any) -> Any:
        return seen + parameters[0][:1], parameters, None

    def update(carry: Any, gradients: Any, floats: Any) -> Any:
        parameters, slots = carry
        return tuple([p * 0 + floats[0] for p in parameters]), slots

    staged = BACKEND.stage_step(gradient, update, JAX, can_join=True)
    parameters = tuple([ones(size, dtype=dtype) for size in sizes])
    carry: Any = (parameters, (parameters,))
    numbers = functools.partial(Numbers, lambda update: (float(update % 201),))
    nothing, expected = jnp.zeros(1, dtype=dtype), 1.0
    for count in (*range(240, 800), *range(65_530, 65_540)):
        (seen, carry), _ = staged(carry, numbers(count), nothing)
        assert float(seen[0]) == expected
        expected = count % 201


def test_one_staged_function_serves_both_precisions() -> None:
    staged = BACKEND.stage(lambda x: (x / 3, None), JAX)
    (x,) = BACKEND.from_host([np.ones(())], JAX)
    single, _ = staged(ones())
    with BACKEND.precision_scope([x]):
        double, _ = staged(x)
    assert (float(single), float(double)) == (float(np.float32(1) / np.float32(3)), 1 / 3)


def add_one(carry: Any, gradients: Any, floats: Any) -> Any:
    return jax.tree.map(lambda a: a + 1, carry)


@pytest.mark.parametrize("can_join", [False, True])
@pytest.mark.parametrize("size", [4, 20_000], ids=["few", "many"])
def test_a_carry_comes_back_as_tuples_and_goes_round(size: int, can_join: bool) -> None:
    step = stepping(add_one, can_join=can_join, donated=True)
    shapes = ((size,), (2, 3), (), (0, 2), (5,))
    parameters = tuple([ones(*shape) * i for i, shape in enumerate(shapes)])
    slot = tuple([ones(*shape) * -i for i, shape in enumerate(shapes)])
    carry: Any = (parameters, (slot,))
    for count in range(1, 4):
        _, carry = step(carry, (0.0,), count)
    assert len(carry) == 2
    parameters, (slot,) = carry
    for i, (p, s, shape) in enumerate(zip(parameters, slot, shapes, strict=True)):
        np.testing.assert_array_equal(p, np.full(shape, i + 3, np.float32), strict=True)
        np.testing.assert_array_equal(s, np.full(shape, 3 - i, np.float32), strict=True)


def test_donated_buffers_are_given_away_and_the_others_stay() -> None:
    def gradient(parameters: Any, b: Any) -> Any:
        return (), (b,), None

    def update(carry: Any, gradients: Any, floats: Any) -> Any:
        return (carry[0][0] + gradients[0],), ()

    a, b = ones(4), ones(4)
    step = stepping(update, gradient=gradient, donated=True)
    _, ((result,), _) = step(((a,), ()), (0.0,), 1, b)
    assert result.tolist() == [2.0] * 4
    assert a.is_deleted()
    assert b.tolist() == [1.0] * 4


def test_a_carry_whose_dtype_drifts_keeps_its_values() -> None:
    def drift(carry: Any, gradients: Any, floats: Any) -> Any:
        (a, b), _ = carry
        return (a.astype(jnp.float16), b + 1), ()

    _, ((a, b), _) = stepping(drift)(((ones(2) / 3, ones(3)), ()))
    assert [(str(x.dtype), x.shape) for x in (a, b)] == [("float16", (2,)), ("float32", (3,))]
    assert float(a[0]) == float(np.float16(np.float32(1) / np.float32(3)))


def test_donation_does_not_change_a_numpy_view_taken_before() -> None:
    a = ones(1000)
    view = BACKEND.to_host([a])[0]
    stepping(add_one, donated=True)(((a,), ()))
    assert view.tolist() == [1.0] * 1000


def test_donation_does_not_change_what_was_looked_at_in_a_form_of_the_carrys_own() -> None:
    step = stepping(add_one, can_join=True, donated=True)
    parameters = (ones(20_000), ones(2), ones(3))
    _, carry = step((parameters, (tuple(map(jnp.copy, parameters)),)))
    _, *seen = carry[0]
    step(carry, (0.0,), 2)
    assert [x.tolist() for x in seen] == [[2.0] * 2, [2.0] * 3]


# --- small arrays joined ------------------------------------------------------------------------


def jitted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list of what is jitted from now on."""
    made: list[Any] = []
    jit = jax.jit
    monkeypatch.setattr(jax, "jit", lambda *args, **kw: made.append(jit(*args, **kw)) or made[-1])
    return made


def seen_by_update(parameters: Any, slots: Any = (), can_join: bool = True) -> list[Any]:
    """The shapes of the parameters that an update gets."""
    seen: list[Any] = []

    def update(carry: Any, gradients: Any, floats: Any) -> Any:
        assert [g.shape for g in gradients] == [p.shape for p in carry[0]]
        seen.extend(p.shape for p in carry[0])
        return carry

    stepping(update, can_join=can_join)((parameters, slots))
    return seen


def test_small_parameters_of_one_dtype_are_joined_where_the_update_lets_them() -> None:
    arrays = (ones(100, 100), ones(2, 3), ones(dtype=jnp.float16), ones(), ones(4))
    shapes = [(100, 100), (2, 3), (), (), (4,)]
    assert seen_by_update(arrays) == [(11,), (100, 100), ()]
    assert seen_by_update(arrays, can_join=False) == shapes
    assert seen_by_update(arrays, (arrays,)) == [(11,), (100, 100), ()]
    assert seen_by_update((ones(200, 200), ones(2), ones(2))) == [(4,), (200, 200)]
    assert seen_by_update(tuple([ones(2) for _ in range(17)])) == [(34,)]


def test_parameters_are_not_joined_that_gain_nothing() -> None:
    assert seen_by_update((ones(100, 100), ones(3))) == [(100, 100), (3,)]
    middling = tuple([ones(3000) for _ in range(4)])
    assert seen_by_update(middling) == [(3000,)] * 4
    assert seen_by_update(middling[:2]) == [(6000,)]
    shapes = ((2048,),) * (2**13 + 1)  # float32 cannot count their entries
    assert Joining(shapes, (np.dtype(np.float32),) * len(shapes)).groups == ()


def test_parameters_are_not_joined_whose_slots_cannot_be() -> None:
    arrays = (ones(2), ones(3))
    assert seen_by_update(arrays, ((ones(2),),)) == [(2,), (3,)]
    assert seen_by_update(arrays, ((ones(2), ones(3, dtype=jnp.float16)),)) == [(2,), (3,)]


def test_a_joined_carry_is_taken_apart_for_an_update_that_does_not_join() -> None:
    sums = stepping(lambda carry, *_: (tuple([p + p.size for p in carry[0]]), ()))
    joined = stepping(add_one, can_join=True)
    carry: Any = ((ones(2), ones(3)), ())
    _, carry = joined(carry, (0.0,), 1)
    _, carry = sums(carry, (0.0,), 2)
    _, carry = joined(carry, (0.0,), 3)
    assert [float(p[0]) for p in carry[0]] == [5.0, 6.0]


@pytest.mark.parametrize("can_join", [False, True])
@pytest.mark.parametrize("alike", [0, 3, 4, 10])
def test_gradients_go_to_their_parameters(alike: int, can_join: bool) -> None:
    def gradient(parameters: Any, *groups: Any) -> Any:
        def loss(*leaves: Any) -> Any:
            return sum(jnp.sum(i * x * x) for i, x in enumerate(leaves)), ()

        value, gradients, _ = BACKEND.value_and_gradient(loss, parameters, JAX)
        return (value, gradients), gradients, None

    def descend(carry: Any, gradients: Any, floats: Any) -> Any:
        return tuple([p - floats[0] * g for p, g in zip(carry[0], gradients, strict=True)]), ()

    shapes = ((2, 3), (100, 100), *[(4,), (2, 3)] * alike, (), (4,))
    start = tuple([ones(*shape) * (i + 1) for i, shape in enumerate(shapes)])
    step = stepping(descend, gradient=gradient, can_join=can_join)
    (value, gradients), (parameters, _) = step((start, ()), (0.25,))
    assert float(value) == sum(i * (i + 1) ** 2 * math.prod(s) for i, s in enumerate(shapes))
    for i, (p, g, shape) in enumerate(zip(parameters, gradients, shapes, strict=True)):
        np.testing.assert_array_equal(g, np.full(shape, 2 * i * (i + 1), np.float32), strict=True)
        np.testing.assert_array_equal(p, np.full(shape, (i + 1) * (1 - i / 2), np.float32))


def test_one_loop_reads_all_joined_parameters_of_a_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    made = jitted(monkeypatch)

    def gradient(parameters: Any) -> Any:
        loss = sum(jnp.sum(x * x) for x in parameters)
        return (loss,), tuple([x + x for x in parameters]), None

    parameters = tuple([ones(40, 30) for _ in range(20)])
    _, carry = stepping(add_one, gradient=gradient, can_join=True)((parameters, ()))
    (step,) = made
    program = step.lower(carry.content, carry.table.rows).compile().as_text()
    # XLA compiles each loop with a place of its own written in it; those of this kind it shares.
    assert program.count(" dynamic-slice(") >= 20
    assert program.count("slice={[") <= 3


def test_large_parameters_are_overwritten_and_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    made = jitted(monkeypatch)

    def gradient(parameters: Any, *groups: Any) -> Any:
        (x,) = parameters
        return (jnp.sum(x * x),), (x + x,), None

    def descend(carry: Any, gradients: Any, floats: Any) -> Any:
        ((x,), _), (g,) = carry, gradients
        return (x - floats[0] * g,), ()

    size = 2**17
    start = jnp.arange(size, dtype=jnp.float32)
    (loss,), carry = stepping(descend, gradient=gradient, donated=True)(((start,), ()), (0.25,))
    np.testing.assert_allclose(loss, np.sum(np.arange(size, dtype=np.float64) ** 2), rtol=1e-6)
    np.testing.assert_array_equal(carry[0][0], np.arange(size, dtype=np.float32) / 2)
    # The loss needs the old values, and nothing of it the new ones: XLA would copy them first.
    (step,) = made
    compiled = step.lower(carry.content, carry.table.rows).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 4 * size


@pytest.mark.parametrize(("count", "is_one"), [(1, False), (2, True), (64, True), (65, False)])
def test_a_few_arrays_travel_as_one(count: int, is_one: bool) -> None:
    _, carry = stepping(add_one)((tuple([ones(2) * i for i in range(count)]), ()))
    assert isinstance(carry.content, jax.Array) is is_one
    assert [p.tolist() for p in carry[0]] == [[i + 1.0] * 2 for i in range(count)]


def test_a_carry_stays_on_its_device_and_can_be_looked_at_inside_a_trace() -> None:
    step = stepping(add_one, can_join=True)
    here = jax.devices()[0]
    _, carry = step(((jax.device_put(ones(2), here), jax.device_put(ones(3), here)), ()))
    jax.jit(lambda x: x + carry[0][0])(ones(2))
    assert [p.tolist() for p in carry[0]] == [[2.0] * 2, [2.0] * 3]
    assert all(p.committed for p in carry[0])


@pytest.mark.parametrize("size", [3, 20_000], ids=["vector", "joined"])
def test_a_carry_is_looked_at_as_well_the_fifth_time(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # After some times XLA takes it apart, until then numpy does.
    monkeypatch.setattr(_form, "_OFTEN", 2)
    step = stepping(lambda carry, *_: scaled(carry, (), (2.0,)), can_join=True)
    parameters = (ones(size), ones() * 3, *[ones(2, 2) * i for i in range(4, 9)])
    carry: Any = (parameters, (parameters,))
    for count in range(1, 6):
        _, carry = step(carry, (0.0,), count)
        seen, (twice,) = carry
        for p, new, slot in zip(parameters, seen, twice, strict=True):
            np.testing.assert_array_equal(new, p, strict=True)
            np.testing.assert_array_equal(slot, 2 * p, strict=True)


def test_a_double_carry_is_looked_at_outside_the_precision_scope() -> None:
    a, b = BACKEND.from_host([np.ones(2), np.ones(3)], JAX)
    with BACKEND.precision_scope([a]):
        _, carry = stepping(scaled, can_join=True)(((a, b), ()), (0.1,))
    assert [x.tolist() for x in carry[1][0]] == [[0.1] * 2, [0.1] * 3]


def test_a_step_can_be_part_of_a_trace() -> None:
    step = stepping(add_one, can_join=True)

    @jax.jit
    def twice(*parameters: Any) -> Any:
        _, carry = step((parameters, ()), (0.0,), 1)
        _, carry = step(carry, (0.0,), 2)
        return tuple(carry[0])

    assert [p.tolist() for p in twice(ones(2), ones(3))] == [[3.0] * 2, [3.0] * 3]


@pytest.mark.parametrize("size", [3, 20_000], ids=["vector", "joined"])
def test_a_step_from_arrays_that_are_there_can_be_part_of_a_trace(size: int) -> None:
    def gradient(parameters: Any, x: Any) -> Any:
        return (), tuple([p + x for p in parameters]), None

    def update(carry: Any, gradients: Any, floats: Any) -> Any:
        return gradients, carry[1]

    step = stepping(update, gradient=gradient, can_join=True)
    parameters = (ones(2), ones(size), ones(4))

    @jax.jit
    def plus(x: Any) -> Any:
        _, carry = step((parameters, (parameters,)), (0.0,), 1, x)
        return tuple(carry[0])

    for x in (1.0, 2.0):
        assert [float(p[-1]) for p in plus(jnp.asarray(x))] == [1 + x] * 3


def test_results_share_no_buffer_with_each_other_or_with_inputs() -> None:
    def function(x: Any) -> Any:
        y = x + 1
        return (x, y, y), None

    x = ones(100)
    results, _ = BACKEND.stage(function, JAX)(x)
    assert len({a.unsafe_buffer_pointer() for a in (x, *results)}) == 4


def test_results_are_not_weakly_typed() -> None:
    (a, b), _ = BACKEND.stage(lambda x: ((jnp.asarray(2.0), x), None), JAX)(ones())
    assert not a.weak_type
    assert not b.weak_type


def test_an_exception_of_the_function_passes_through_with_its_own_traceback() -> None:
    error = KeyError("mine")

    def the_users_own_line(x: Any) -> Any:
        raise error

    with pytest.raises(KeyError) as caught:
        BACKEND.stage(the_users_own_line, JAX)(ones())
    assert caught.value is error
    assert any(
        frame.name == "the_users_own_line" for frame in traceback.extract_tb(error.__traceback__)
    )


def test_a_failed_trace_leaves_donated_arrays_whole() -> None:
    def fails(*groups: Any) -> Any:
        raise KeyError

    x = ones(3)
    with pytest.raises(KeyError):
        stepping(kept, gradient=fails, donated=True)(((x,), ()))
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_a_staged_function_is_freed_even_where_its_static_leads_back_to_it() -> None:
    def make() -> tuple[Any, Any]:
        large = np.ones(1000, np.float32)
        holder: dict[str, Any] = {}

        def function(x: Any) -> Any:
            return x + large.sum(), holder

        holder["staged"] = BACKEND.stage(function, JAX)
        holder["staged"](ones())
        return weakref.ref(function), holder["staged"]

    references = [make()[0] for _ in range(5)]
    gc.collect()
    assert [r() for r in references] == [None] * 5


def test_is_tracing_inside_every_transformation_and_nowhere_else() -> None:
    seen = []

    def look(x: Any) -> Any:
        seen.append(BACKEND.is_tracing())
        return jnp.sum(x)

    x = ones(2)
    for transform in (jax.jit, jax.grad, jax.vmap):
        transform(look)(x)
    BACKEND.value_and_gradient(lambda x: (look(x), ()), (x,), JAX)
    BACKEND.pushforward(lambda x: ((look(x),), ()), (x,), (x,), JAX)
    assert seen == [True] * 5
    assert not BACKEND.is_tracing()


def test_is_tracing_is_a_threads_own_matter() -> None:
    seen = []

    def look(x: Any) -> Any:
        thread = threading.Thread(target=lambda: seen.append(BACKEND.is_tracing()))
        thread.start()
        thread.join()
        return x

    jax.jit(look)(ones())
    assert seen == [False]


def test_the_same_staged_function_traces_in_several_threads() -> None:
    staged = BACKEND.stage(lambda x: (x + 1, x.shape), JAX)
    found: dict[int, Any] = {}

    def work(n: int) -> None:
        for _ in range(5):
            found[n] = staged(ones(n))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: (r.tolist(), s) for n, (r, s) in found.items()} == {
        n: ([2.0] * n, (n,)) for n in range(1, 7)
    }
