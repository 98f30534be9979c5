"""Staged functions: one trace for many calls, statics, floats, donation, errors, memory."""

from __future__ import annotations

import gc
import threading
import traceback
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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


@pytest.mark.parametrize("count", [1, 2, 3])
def test_floats_are_no_constants_of_the_trace(count: int) -> None:
    runs = []

    def function(x: Any, floats: Any) -> Any:
        runs.append(len(floats))
        for f in floats:
            x = x * f
        return x, None

    staged = BACKEND.stage(function, JAX)
    assert float(staged(ones(), (2.0,) * count)[0]) == 2.0**count
    assert float(staged(ones(), (5.0,) * count)[0]) == 5.0**count
    assert runs == [count]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_floats_do_not_promote(dtype: str, count: int) -> None:
    staged = BACKEND.stage(lambda x, floats: (tuple(x * f for f in floats), None), JAX)
    results, _ = staged(ones(2, dtype=dtype), (0.5,) * count)
    assert [str(r.dtype) for r in results] == [dtype] * count


@pytest.mark.parametrize("count", [1, 2])
def test_floats_are_double_inside_the_precision_scope(count: int) -> None:
    (x,) = BACKEND.from_host([np.ones(())], JAX)
    staged = BACKEND.stage(lambda x, floats: (tuple(x * f for f in floats), None), JAX)
    with BACKEND.precision_scope([x]):
        results, _ = staged(x, (0.1,) * count)
    assert [float(r) for r in results] == [0.1] * count


def test_one_staged_function_serves_both_precisions() -> None:
    staged = BACKEND.stage(lambda x: (x / 3, None), JAX)
    (x,) = BACKEND.from_host([np.ones(())], JAX)
    single, _ = staged(ones())
    with BACKEND.precision_scope([x]):
        double, _ = staged(x)
    assert (float(single), float(double)) == (float(np.float32(1) / np.float32(3)), 1 / 3)


def test_donated_buffers_are_given_away_and_the_others_stay() -> None:
    staged = BACKEND.stage(lambda a, b: ((a[0] + b,), None), JAX, (0,))
    a, b = ones(4), ones(4)
    (result,), _ = staged((a,), b)
    assert result.tolist() == [2.0] * 4
    assert a.is_deleted()
    assert b.tolist() == [1.0] * 4


def test_a_donated_buffer_without_a_place_in_the_result_gives_no_warning() -> None:
    # Warnings are errors here.
    staged = BACKEND.stage(lambda a, b: (jnp.sum(a[0]) + a[1] + b, "kept"), JAX, (0,))
    result, static = staged((ones(4), ones()), ones())
    assert (float(result), static) == (6.0, "kept")


def test_donation_does_not_change_a_numpy_view_taken_before() -> None:
    staged = BACKEND.stage(lambda a: (a + 1, None), JAX, (0,))
    a = ones(1000)
    view = BACKEND.to_host([a])[0]
    staged(a)
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
    def step(leaves: Any, scale: Any) -> Any:
        value, gradients, _ = BACKEND.value_and_gradient(
            lambda x: (jnp.sum(x * x), ()), leaves, JAX
        )
        new = tuple(x - scale[0] * g for x, g in zip(leaves, gradients, strict=True))
        return (value, new), None

    (value, (new,)), _ = BACKEND.stage(step, JAX)((ones(2),), (0.25, 0.0))
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
    def fails(x: Any) -> Any:
        raise KeyError

    x = ones(3)
    with pytest.raises(KeyError):
        BACKEND.stage(fails, JAX, (0,))(x)
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
