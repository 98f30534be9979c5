"""Tensors in and out: values and dtypes kept, no memory shared that anyone may write to."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from polylux.errors import DTypeError
from polylux.selectors import AutoTorch
from polylux_torch._backend import TorchBackend

BACKEND = TorchBackend()
SELECTOR = AutoTorch()

DTYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip


def moved(array: Any, selector: AutoTorch = SELECTOR) -> torch.Tensor:
    return BACKEND.from_host([array], selector)[0]


def back(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    return BACKEND.to_host([tensor])[0]


@pytest.mark.parametrize("dtype", [*DTYPES, ml_dtypes.bfloat16])
def test_dtype_and_values_survive_the_way_there_and_back(dtype: Any) -> None:
    array = np.asarray([[0, 1], [1, 3]]).astype(dtype)
    result = back(moved(array))
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.arange(6.0)[::-1], id="negative stride"),
        pytest.param(np.arange(6.0).reshape(2, 3).T, id="transposed"),
        pytest.param(np.broadcast_to(np.float64(2.0), (3, 2)), id="read-only broadcast"),
        pytest.param(np.arange(3.0).astype(">f8"), id="other byte order"),
        pytest.param(np.asarray(4.0), id="0-d"),
        pytest.param(np.zeros((0, 3)), id="empty"),
        pytest.param(
            np.arange(4, dtype=np.float32).astype(ml_dtypes.bfloat16)[::-1], id="bfloat16"
        ),
    ],
)
def test_any_memory_layout_is_taken_over(array: np.ndarray[Any, Any]) -> None:
    tensor = moved(array)
    assert tensor.is_contiguous()
    assert tuple(tensor.shape) == array.shape
    np.testing.assert_array_equal(back(tensor), array)


def test_moved_tensors_do_not_share_the_host_memory() -> None:
    array = np.ones(3)
    moved(array).add_(1.0)
    np.testing.assert_array_equal(array, np.ones(3))


@pytest.mark.parametrize("dtype", [np.longdouble, ml_dtypes.float8_e5m2])
def test_dtype_that_torch_lacks_is_named(dtype: Any) -> None:
    with pytest.raises(DTypeError, match="torch has no dtype for"):
        moved(np.ones(2).astype(dtype))


def test_dtype_that_numpy_lacks_is_named() -> None:
    with pytest.raises(DTypeError, match=r"numpy has no dtype for torch\.float8_e5m2"):
        back(torch.ones(2).to(torch.float8_e5m2))


def test_parameters_conjugates_and_graphs_reach_the_host() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    np.testing.assert_array_equal(back(parameter * 2), [2.0, 2.0])
    np.testing.assert_array_equal(back(torch.tensor([1 + 2j]).conj()), [1 - 2j])


def test_copies_are_fresh_contiguous_and_off_the_graph() -> None:
    source = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3)).mT
    (copy,) = BACKEND.copy([source], SELECTOR)
    assert not copy.requires_grad
    assert copy.is_contiguous()
    assert type(copy) is torch.Tensor
    assert copy.data_ptr() != source.data_ptr()
    torch.testing.assert_close(copy, source.detach(), rtol=0, atol=0)


def test_tensors_that_are_there_stay_the_same_objects() -> None:
    tensor = torch.ones(2)
    assert BACKEND.to_device([tensor], SELECTOR)[0] is tensor
    assert BACKEND.to_device([tensor], AutoTorch(device="cpu"))[0] is tensor


def test_device_of_the_selector_is_where_arrays_go() -> None:
    # "meta" is the one device besides the CPU that every build of torch has.
    assert BACKEND.device(moved(np.ones(2), AutoTorch(device="meta"))) == "meta"
    (tensor,) = BACKEND.to_device([torch.ones(2)], AutoTorch(device="meta"))
    assert BACKEND.device(tensor) == "meta"


def test_default_device_of_torch_is_where_arrays_go_otherwise() -> None:
    with torch.device("meta"):
        assert BACKEND.device(moved(np.ones(2))) == "meta"
    assert BACKEND.device(moved(np.ones(2))) == "cpu"


class OnTheHost:
    """An array of another library whose DLPack export torch could not survive."""

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __dlpack__(self, **options: object) -> object:
        raise AssertionError("must go by the host")


@pytest.mark.parametrize("array", [OnTheHost(), object()], ids=["on the CPU", "no DLPack"])
def test_foreign_arrays_go_by_the_host_unless_on_an_accelerator(array: object) -> None:
    assert BACKEND.from_foreign([array], SELECTOR) is None


def test_inference_mode_makes_no_tensor_that_cannot_be_trained() -> None:
    with torch.inference_mode():
        (taken,) = BACKEND.to_device([torch.ones(2)], SELECTOR)
        tensors = [moved(np.ones(2)), *BACKEND.copy([torch.ones(2)], SELECTOR), taken]
    assert not any(t.is_inference() for t in tensors)


@pytest.mark.parametrize("array_type", [torch.Tensor, torch.nn.Parameter])
def test_subclasses_of_tensor_are_owned(array_type: type) -> None:
    assert BACKEND.owns(array_type)


def test_arrays_of_others_are_not_owned() -> None:
    assert not BACKEND.owns(np.ndarray)
    assert not BACKEND.owns(float)
