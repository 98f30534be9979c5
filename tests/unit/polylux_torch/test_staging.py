"""Compiled steps: what eager gives, few traces, buffers reused, and no answer baked in.

Most of it is seen without a compiler, with torch's backend "eager", which runs the traced graph.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch

from polylux.backend import Numbers
from polylux.errors import LeakedTracerError, OptionError, UnsupportedError
from polylux.selectors import AutoTorch
from polylux_torch import _staging
from polylux_torch._backend import TorchBackend

BACKEND = TorchBackend()
TRACED = AutoTorch(compile={"backend": "eager"})

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None,
    reason="torch.compile needs a C++ compiler on CPU, and there is none",
)


def stage(
    function: Callable[..., Any], *, donated: bool = False, selector: Any = TRACED
) -> Any:
    return _staging.stage(function, selector, donated)


class Counted:
    """A function of groups that counts how often Python runs it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.runs = 0

    def __call__(self, *groups: Any) -> Any:
        self.runs += 1
        return self.function(*groups)


def batch(rows: int) -> torch.Tensor:
    return torch.arange(rows * 3.0, dtype=torch.float64).reshape(rows, 3)


def step(carry: Any, scalars: Any, data: Any) -> Any:
    """One step of momentum on the squares of x @ w; a factor depends on the number of rows."""
    parameters, slots = carry
    (x,) = data
    factor = 2.0 if x.shape[0] > 20 else 1.0

    def function(w: Any, b: Any) -> Any:
        return factor * ((x @ w + b) ** 2).mean(), (w,)

    loss, gradients, aux = BACKEND.value_and_gradient(function, parameters, TRACED)
    moments = tuple(0.5 * m + g for m, g in zip(slots[0], gradients, strict=True))
    new = tuple(p - scalars[0] * m for p, m in zip(parameters, moments, strict=True))
    return (loss, gradients, aux, (new, (moments,))), {"rows": x.shape[0], "name": "step"}


def start() -> tuple[Any, Any]:
    parameters = (
        torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64),
        torch.ones((), dtype=torch.float64),
    )
    return parameters, (tuple(torch.zeros_like(p) for p in parameters),)


SIZES = (8, 8, 5, 6, 30, 40, 7, 1, 2)
"""Two traces at 8 and 5, one for the other factor at 30, one for the single row."""


def check_run(selector: AutoTorch, donated: bool) -> Counted:
    counted = Counted(step)
    staged = stage(counted, donated=donated, selector=selector)
    carry, eager_carry = start(), start()
    for i, rows in enumerate(SIZES):
        numbers = Numbers(lambda update: (1e-3 / (1 + update),), i)
        buffers = [p.data_ptr() for p in carry[0]]
        result, static = staged(carry, numbers, (batch(rows),))
        expected, _ = step(eager_carry, numbers, (batch(rows),))
        torch.testing.assert_close(result, expected, rtol=1e-13, atol=1e-13)
        assert static == {"rows": rows, "name": "step"}
        assert type(static["rows"]) is int
        _, _, (aux,), carry = result
        if donated:
            assert [p.data_ptr() for p in carry[0]] == buffers
        assert aux.data_ptr() != carry[0][0].data_ptr()
        eager_carry = expected[3]
    return counted


@pytest.mark.parametrize("donated", [False, True], ids=["kept", "donated"])
def test_staged_run_is_the_eager_run_at_every_size(donated: bool) -> None:
    check_run(TRACED, donated)


@needs_compiler
def test_compiled_run_is_the_eager_run_at_every_size() -> None:
    check_run(AutoTorch(compile=True), donated=True)


def test_second_size_of_a_dimension_is_the_last_that_is_traced() -> None:
    counted = Counted(lambda x: ((x * 2).sum(), None))
    staged = stage(counted)
    for rows in (8, 5, 3, 100, 7, 2):
        assert staged(batch(rows))[0].item() == 2 * float(batch(rows).sum())
    assert counted.runs == 2


def test_branch_on_a_shape_is_taken_anew_where_the_shape_says_so() -> None:
    counted = Counted(lambda x: (x.sum() if x.shape[0] > 4 else -x.sum(), None))
    staged = stage(counted)
    for rows in (8, 6, 7, 3, 2, 9, 4):
        sign = 1 if rows > 4 else -1
        assert staged(batch(rows))[0].item() == sign * float(batch(rows).sum())
    assert counted.runs == 3


def test_python_floats_are_data_of_the_trace() -> None:
    counted = Counted(lambda x, scalars: (x * scalars[0] + scalars[1], None))
    staged = stage(counted)
    for rate in (0.1, 0.2, -1.0):
        result, _ = staged(torch.ones(2), (rate, 1.0))
        assert result.dtype == torch.float32
        torch.testing.assert_close(result, torch.full((2,), rate + 1.0))
    assert counted.runs == 1


def test_one_tensor_at_two_places_is_two_arguments() -> None:
    staged = stage(lambda x, y: (x * y + y, None))
    x = torch.tensor([2.0, 3.0])
    assert staged(x, x)[0].tolist() == [6.0, 12.0]
    assert staged(x, torch.ones(2))[0].tolist() == [3.0, 4.0]


def test_dtypes_are_told_apart() -> None:
    staged = stage(lambda x: (x / 2, None))
    for dtype in (torch.float32, torch.float64, torch.float32):
        assert staged(torch.ones(2, dtype=dtype))[0].dtype == dtype


def test_default_dtype_of_the_moment_is_seen() -> None:
    staged = stage(lambda x: (x + torch.ones(2), None))
    integers = torch.ones(2, dtype=torch.int64)
    assert staged(integers)[0].dtype == torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert staged(integers)[0].dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_strides_do_not_matter() -> None:
    staged = stage(lambda x: (x @ x.mT, None))
    matrix = torch.arange(9.0).reshape(3, 3)
    for x in (matrix, matrix.mT, matrix.flip(0)):
        torch.testing.assert_close(staged(x)[0], x @ x.mT)


def test_results_never_share_memory_with_a_donated_buffer_or_with_each_other() -> None:
    def function(x: Any) -> Any:
        return (x[:1], x.expand(2, 3), x, x * 2, x + 0, x.detach()), None

    staged = stage(function, donated=True)
    x = torch.tensor([1.0, 2.0, 3.0])
    results, _ = staged(x)
    expected = [t.clone() for t in function(torch.tensor([1.0, 2.0, 3.0]))[0]]
    torch.testing.assert_close(list(results), expected, rtol=0, atol=0)
    assert len({t.untyped_storage().data_ptr() for t in results}) == len(results)


def test_swapped_donated_buffers_keep_their_values() -> None:
    staged = stage(lambda carry: ((carry[1], carry[0]), None), donated=True)
    (first, second), _ = staged((torch.ones(2), torch.zeros(2)))
    assert (first.tolist(), second.tolist()) == ([0.0, 0.0], [1.0, 1.0])


def test_captured_tensors_are_constants() -> None:
    constant = torch.tensor([2.0, 3.0])
    staged = stage(lambda x: ((x * constant, constant), None))
    (product, same), _ = staged(torch.ones(2))
    assert product.tolist() == same.tolist() == [2.0, 3.0]
    assert same.data_ptr() != constant.data_ptr()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x * float(x[0]),
        lambda x: x * x[0].item(),
        lambda x: x[x > 0],
    ],
    ids=["if", "float", "item", "mask"],
)
def test_python_that_looks_at_values_is_an_error(function: Callable[[Any], Any]) -> None:
    staged = stage(lambda x: (function(x), None))
    with pytest.raises(Exception) as caught:  # torch's own; diagnose explains it
        staged(torch.ones(3))
    assert isinstance(BACKEND.diagnose(caught.value), UnsupportedError)


def test_error_of_the_user_passes_and_leaves_nothing_behind() -> None:
    def fails(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        stage(fails)(torch.ones(2))
    assert not BACKEND.is_tracing()


def test_tracing_is_seen_inside_the_trace_only() -> None:
    seen = []
    stage(lambda x: (seen.append(BACKEND.is_tracing()), (x, None))[1])(torch.ones(2))
    assert seen == [True]
    assert not BACKEND.is_tracing()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_contexts_of_the_user_do_not_matter(context: Any) -> None:
    staged = stage(step)
    with context():
        (_, gradients, _, _), _ = staged(start(), (0.1,), (batch(4),))
    expected, _ = step(start(), (0.1,), (batch(4),))
    torch.testing.assert_close(gradients, expected[1], rtol=1e-13, atol=0)
    assert not any(g.is_inference() for g in gradients)


def test_parameters_that_require_a_gradient_are_taken_as_numbers() -> None:
    staged = stage(lambda x: (x * 2, None))
    assert not staged(torch.nn.Parameter(torch.ones(2)))[0].requires_grad


def test_unknown_option_is_named() -> None:
    with pytest.raises(OptionError, match="'fast'.*it takes backend, dynamic"):
        stage(step, selector=AutoTorch(compile={"fast": True}))


def test_missing_compiler_is_explained() -> None:
    from torch._inductor import config

    with (
        config.patch({"cpp.cxx": ("no-such-compiler",), "fx_graph_cache": False}),
        pytest.raises(
            UnsupportedError, match=r"needs a C\+\+ compiler.*AutoTorch\(\) without compile"
        ),
    ):
        stage(lambda x: (torch.sin(x) + 3.25, None), selector=AutoTorch(compile=True))(
            torch.ones(3)
        )


USES_OF_A_LEAK: dict[str, Callable[[Any], Any]] = {
    "another trace": lambda leaked: stage(lambda x: ((x * leaked).sum(), None))(torch.ones(3)),
    "result of another trace": lambda leaked: stage(lambda x: (leaked, None))(torch.ones(3)),
    "eager derivative": lambda leaked: BACKEND.value_and_gradient(
        lambda x: ((x * leaked).sum(), ()), (torch.ones(3),), AutoTorch()
    ),
    "host": lambda leaked: BACKEND.to_host([leaked]),
}


@pytest.mark.parametrize("use", USES_OF_A_LEAK.values(), ids=USES_OF_A_LEAK.keys())
def test_value_that_outlives_its_trace_is_found(use: Callable[[Any], Any]) -> None:
    kept = []
    stage(lambda x: (kept.append(x * 2), (x, None))[1])(torch.ones(3))
    with pytest.raises(LeakedTracerError, match="return them in the stats"):
        use(kept[0])


def test_random_numbers_are_drawn_anew_at_each_call() -> None:
    staged = stage(lambda x: (x + torch.rand(3), None))
    first, second = staged(torch.zeros(3))[0], staged(torch.zeros(3))[0]
    assert not torch.equal(first, second)
