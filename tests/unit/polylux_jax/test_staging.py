"""Staged functions: one trace for many calls, statics, floats, donation, errors, memory."""

from __future__ import annotations

import functools
import gc
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
from polylux_jax._backend import JaxBackend

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


def stepped(
    factors: tuple[float, ...], carry: Any, staged: Any, update: int = 1
) -> tuple[Any, Any]:
    """One call of a staged step with these floats: what it computes, and the next carry."""
    (result, carry), _ = staged(carry, Numbers(lambda _: factors, update))
    return result, carry


@pytest.mark.parametrize("count", [1, 2, 3])
def test_floats_are_no_constants_of_the_trace(count: int) -> None:
    runs = []

    def function(carry: Any, floats: Any) -> Any:
        runs.append(len(floats))
        (x,) = carry
        for f in floats:
            x = x * f
        return (x, carry), None

    staged = BACKEND.stage(function, JAX, carried=True)
    for factor in (2.0, 5.0):
        result, _ = stepped((factor,) * count, (ones(),), staged)
        assert float(result) == factor**count
    assert runs == [count]


def product(carry: Any, floats: Any) -> Any:
    return (tuple(carry[0] * f for f in floats), carry), None


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_floats_do_not_promote(dtype: str, count: int) -> None:
    staged = BACKEND.stage(product, JAX, carried=True)
    results, _ = stepped((0.5,) * count, (ones(2, dtype=dtype),), staged)
    assert [str(r.dtype) for r in results] == [dtype] * count


@pytest.mark.parametrize("count", [1, 2])
def test_floats_are_double_inside_the_precision_scope(count: int) -> None:
    (x,) = BACKEND.from_host([np.ones(())], JAX)
    staged = BACKEND.stage(product, JAX, carried=True)
    with BACKEND.precision_scope([x]):
        results, _ = stepped((0.1,) * count, (x,), staged)
    assert [float(r) for r in results] == [0.1] * count


def test_floats_follow_their_function_and_their_update() -> None:
    staged = BACKEND.stage(product, JAX, carried=True)
    carry: Any = (ones(),)
    # One sequence after another, from any update, and again: each row belongs to its own update.
    for slope, updates in ((1.0, range(1, 6)), (2.0, range(6, 9)), (2.0, (3, 4, 4, 9))):
        function = functools.partial(lambda slope, update: (slope * update,), slope)
        for update in updates:
            ((result,), carry), _ = staged(carry, Numbers(function, update))
            assert float(result) == slope * update


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("sizes", [(1, 1), (1,), (1, 100_000)], ids=["vector", "alone", "apart"])
def test_floats_of_many_updates_follow_their_update(sizes: tuple[int, ...], dtype: str) -> None:
    staged = BACKEND.stage(product, JAX, carried=True)
    carry: Any = tuple(ones(size, dtype=dtype) for size in sizes)
    numbers = functools.partial(Numbers, lambda update: (float(update % 201),))
    for update in (*range(240, 800), *range(65_530, 65_540)):
        ((result,), carry), _ = staged(carry, numbers(update))
        assert float(result[0]) == update % 201


def test_one_staged_function_serves_both_precisions() -> None:
    staged = BACKEND.stage(lambda x: (x / 3, None), JAX)
    (x,) = BACKEND.from_host([np.ones(())], JAX)
    single, _ = staged(ones())
    with BACKEND.precision_scope([x]):
        double, _ = staged(x)
    assert (float(single), float(double)) == (float(np.float32(1) / np.float32(3)), 1 / 3)


def add_one(carry: Any, floats: Any, *rest: Any) -> Any:
    return (jax.tree.map(lambda a: a + 1, carry),), None


def donating(function: Any) -> Any:
    staged = BACKEND.stage(function, JAX, carried=True, donated=True)
    return lambda *groups: staged(groups[0], Numbers(lambda _: (0.0,), 1), *groups[1:])


# Many numbers in separate buffers, or few in one vector.
@pytest.mark.parametrize("size", [4, 100_000])
def test_a_carry_comes_back_as_tuples_and_goes_round(size: int) -> None:
    staged = donating(add_one)
    carry: Any = ((ones(size), ones(2, 3)), (ones(),))
    for _ in range(3):
        (carry,), _ = staged(carry, ones())
    (first, second), (third,) = carry
    assert (len(carry), len(carry[0])) == (2, 2)
    assert [a.shape for a in (first, second, third)] == [(size,), (2, 3), ()]
    assert [float(jnp.max(a)) for a in (first, second, third)] == [4.0] * 3


def test_donated_buffers_are_given_away_and_the_others_stay() -> None:
    a, b = ones(4), ones(4)
    ((result,),), _ = donating(lambda carry, floats, b: (((carry[0] + b,),), None))((a,), b)
    assert result.tolist() == [2.0] * 4
    assert a.is_deleted()
    assert b.tolist() == [1.0] * 4


def test_a_carry_whose_dtype_drifts_keeps_its_values() -> None:
    def drift(carry: Any, floats: Any) -> Any:
        a, b = carry
        return ((a.astype(jnp.float16), b + 1),), None

    staged = BACKEND.stage(drift, JAX, carried=True)
    (carry,), _ = staged((ones(2) / 3, ones(3)), Numbers(lambda _: (0.0,), 1))
    assert [(str(a.dtype), a.shape) for a in carry] == [("float16", (2,)), ("float32", (3,))]
    assert float(carry[0][0]) == float(np.float16(np.float32(1) / np.float32(3)))


def test_donation_does_not_change_a_numpy_view_taken_before() -> None:
    a = ones(1000)
    view = BACKEND.to_host([a])[0]
    donating(add_one)((a,))
    assert view.tolist() == [1.0] * 1000


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


def test_gradients_are_taken_inside() -> None:
    def step(carry: Any, scale: Any) -> Any:
        value, gradients, _ = BACKEND.value_and_gradient(
            lambda x: (jnp.sum(x * x), ()), carry, JAX
        )
        new = tuple(x - scale[0] * g for x, g in zip(carry, gradients, strict=True))
        return (value, new), None

    staged = BACKEND.stage(step, JAX, carried=True)
    value, (new,) = stepped((0.25, 0.0), (ones(2),), staged)
    assert (float(value), new.tolist()) == (2.0, [0.5, 0.5])


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
        donating(fails)((x,))
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
