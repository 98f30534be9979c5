"""Kernels by name: which one runs, what it is asked to check, and when look-ups are renewed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polylux import ops, registry
from polylux.backend import HostBackend, Plugin
from polylux.errors import ArrayMixError, DTypeError
from polylux.registry import _registry
from polylux.selectors import NoAutoDiff


class Tensor:
    """An array of the backend below: as much of one as the dispatch looks at."""

    def __init__(self, dtype: Any = np.float32) -> None:
        self.dtype = np.dtype(dtype)


class TensorBackend(HostBackend):
    """A backend with kernels, a derivative barrier and a precision scope that leave traces."""

    name = "tensor"

    def __init__(self) -> None:
        self.kernels = {
            "relu": lambda x: "kernel of relu",
            "dense": lambda x, weight, bias: self.log.append("kernel"),
        }
        self.log: list[str] = []

    @property
    def namespace(self) -> Any:
        return SimpleNamespace(tanh=lambda x: "namespace's tanh")

    def owns(self, array_type: type) -> bool:
        return issubclass(array_type, Tensor)

    def stop_gradient(self, array: Any) -> Any:
        return "constant"

    def precision_scope(self, arrays: Any) -> contextlib.AbstractContextManager[Any] | None:
        if all(array.dtype != np.float64 for array in arrays):
            return None
        return self._entering(len(arrays))

    @contextlib.contextmanager
    def _entering(self, count: int) -> Iterator[None]:
        self.log.append(f"in, for {count}")
        yield
        self.log.append("out")


@pytest.fixture
def tensors(own_registry: _registry._Registry) -> TensorBackend:
    """The backend above, alone in a registry of the test's own."""
    own_registry.discovered = True
    host = Plugin(name="host", backend="polylux.backend:HostBackend", selector=NoAutoDiff)
    own_registry.add(host, "a")
    plugin = Plugin(name="tensor", backend="unused:Unused", selector=NoAutoDiff)
    own_registry.add(plugin, "test")
    own_registry.loaded["tensor"] = backend = TensorBackend()
    return backend


def test_kernel_of_the_owner_runs_in_place_of_the_neutral_definition(
    tensors: TensorBackend,
) -> None:
    assert ops.relu(Tensor()) == "kernel of relu"
    np.testing.assert_array_equal(ops.relu(np.asarray([-1.0, 2.0])), [0, 2])


def test_function_without_a_kernel_runs_its_neutral_definition(tensors: TensorBackend) -> None:
    assert ops.tanh(Tensor()) == "namespace's tanh"


def test_kernel_is_found_anew_when_the_registry_has_changed(tensors: TensorBackend) -> None:
    assert ops.relu(Tensor()) == "kernel of relu"
    tensors.kernels = {"relu": lambda x: "another"}
    assert ops.relu(Tensor()) == "kernel of relu"  # it was looked up already
    _registry._REGISTRY.changed()
    assert ops.relu(Tensor()) == "another"


def test_precision_scope_is_entered_around_the_kernel_where_it_is_needed(
    tensors: TensorBackend,
) -> None:
    ops.dense(Tensor(), Tensor(), None)
    assert tensors.log == ["kernel"]
    ops.dense(Tensor(), Tensor(np.float64), None)
    assert tensors.log == ["kernel", "in, for 2", "kernel", "out"]


def test_keeping_precision_is_none_where_none_is_needed(tensors: TensorBackend) -> None:
    assert ops.keeping_precision(np.ones(1)) is None
    assert ops.keeping_precision(Tensor()) is None
    scope = ops.keeping_precision(Tensor(np.float64), 3)
    assert scope is not None
    with scope:
        assert tensors.log == ["in, for 1"]


def test_detach_asks_the_owner(tensors: TensorBackend) -> None:
    assert ops.detach(Tensor()) == "constant"
    host = np.ones(1)
    assert ops.detach(host) is host
    assert ops.detach(3) == 3


@pytest.mark.parametrize("name", sorted(ops.natives()))
def test_integer_arrays_are_an_error_with_a_remedy(name: str, library: Any) -> None:
    x = library.array([[1]], np.int32)
    line = library.array([[[1]]], np.int32)
    arguments = {
        "convolution": (line, line, None, (1,), ((0, 0),), (1,), 1),
        "max_pool": (line, (1,), (1,), ((0, 0),)),
        "mean_pool": (line, (1,), (1,), ((0, 0),)),
        "dropout": (x, x, x, 0.5),
        "bilinear": (x, x, x),
        **dict.fromkeys(
            (
                "dense",
                "embedding",
                "gru",
                "lstm",
                "mse",
                "scale",
                "softmax_cross_entropy",
                "softmax_cross_entropy_mean",
            ),
            (x, x),
        ),
    }.get(name, (x,))
    with pytest.raises(DTypeError, match=rf"{name} needs real floating-point.*xp.astype"):
        ops.natives()[name](*arguments)


@pytest.mark.parametrize("argument", [[1.0], 1.0, "x", None], ids=repr)
@pytest.mark.parametrize("name", ["relu", "softmax"])
def test_argument_that_is_no_array_is_an_error(name: str, argument: Any) -> None:
    with pytest.raises(ArrayMixError, match=rf"{name} needs an array, got .*np.asarray"):
        ops.natives()[name](argument)


def test_native_keeps_name_documentation_and_neutral_definition() -> None:
    assert ops.relu.__name__ == "relu"
    assert (ops.relu.__doc__ or "").startswith("The larger of `x` and 0")
    assert ops.natives()["relu"] is ops.relu
    assert ops.relu.neutral(np.float64(-2.0)) == 0.0


def test_generation_of_the_process_is_restored() -> None:
    assert registry.generation() < 10**6


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        ("float16", "low"),
        ("float32", "float"),
        ("float64", "float"),
        ("complex64", "complex"),
        ("int8", "integer"),
        ("uint64", "integer"),
        ("bool", "bool"),
        ("datetime64[s]", "other"),
    ],
)
def test_kind_of_a_numpy_dtype(dtype: str, kind: str) -> None:
    assert ops.kind_of(np.zeros(1, dtype=dtype)) == kind


@pytest.mark.parametrize(
    ("dtype", "kind"), [(np.float32, "float"), (np.int32, "integer"), (np.bool_, "bool")]
)
def test_kind_is_the_same_in_every_library(dtype: Any, kind: str, library: Any) -> None:
    assert ops.kind_of(library.array([1], dtype)) == kind


def test_bfloat16_is_a_low_float() -> None:
    import ml_dtypes

    assert ops.kind_of(np.zeros(1, dtype=ml_dtypes.bfloat16)) == "low"
