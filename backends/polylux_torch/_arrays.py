"""Tensors in and out: numpy arrays, other frameworks' arrays, copies and devices."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor

from polylux.errors import DTypeError, LeakedTracerError
from polylux.selectors import ADType
from polylux_torch._gradient import LEAKED

try:
    from ml_dtypes import bfloat16 as _bfloat16

    _BFLOAT16: np.dtype[Any] | None = np.dtype(_bfloat16)
except ImportError:  # numpy has no bfloat16 of its own
    _BFLOAT16 = None

_SHARED_DTYPES = frozenset(
    np.dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "complex64", "complex128",
    )
)  # fmt: skip

_KDLCPU = 1  # kDLCPU of the DLPack header


def from_host(arrays: Sequence[np.ndarray[Any, Any]], selector: ADType) -> list[torch.Tensor]:
    """New tensors with the values of numpy arrays, where the selector wants them."""
    # Arrays are also moved under `Auto("torch")` and by tests with other selectors.
    device = getattr(selector, "device", None)
    with _recordable():
        target = torch.device(device) if device is not None else torch.empty(0).device
        tensors = [_tensor_of(array) for array in arrays]
        if target.type == "cpu":
            return tensors
        return [tensor.to(target) for tensor in tensors]


def to_host(arrays: Sequence[torch.Tensor]) -> list[np.ndarray[Any, Any]]:
    """Numpy arrays of tensors, which alias them where they are on the CPU."""
    return [_array_of(tensor) for tensor in arrays]


def copy(arrays: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The same values in fresh, contiguous buffers that hang on no graph."""
    with _recordable():
        return [a.detach().clone(memory_format=torch.contiguous_format) for a in arrays]


def to_device(arrays: Sequence[torch.Tensor], selector: ADType) -> list[torch.Tensor]:
    """Tensors where the selector wants them; the same objects if they are there."""
    if torch.is_inference_mode_enabled():
        # What inference mode has made cannot be saved for a backward pass; a clone can.
        with torch.inference_mode(False):
            arrays = [a.clone() if a.is_inference() else a for a in arrays]
            return to_device(arrays, selector)
    device = getattr(selector, "device", None)
    if device is None:
        return list(arrays)
    target = torch.device(device)
    return [a if a.device == target else a.to(target) for a in arrays]


def from_foreign(arrays: Sequence[Any], selector: ADType) -> list[torch.Tensor] | None:
    """Copies of another framework's arrays that live on an accelerator, or None.

    On the CPU numpy's way costs the same one copy, and is safe: `torch.from_dlpack` ends the
    process at a negative stride.
    """
    try:
        if any(array.__dlpack_device__()[0] == _KDLCPU for array in arrays):
            return None
        with _recordable():
            # Cloned, since torch could write into what other frameworks hold to be immutable.
            taken = [torch.utils.dlpack.from_dlpack(array).clone() for array in arrays]
    except (AttributeError, TypeError, ValueError, RuntimeError, BufferError):
        return None
    return to_device(taken, selector)


def overwrite(target: torch.Tensor, value: torch.Tensor) -> bool:
    """Put a value into a tensor that is off every graph, or a leaf; False for any other."""
    if target.requires_grad:
        if not target.is_leaf:
            return False
    elif value.requires_grad:
        return False  # the derivative would be lost
    if target.is_inference() and not torch.is_inference_mode_enabled():
        return False
    steps = zip(target.stride(), target.shape, strict=True)
    if any(step == 0 and length > 1 for step, length in steps):
        return False
    with torch.no_grad():
        target.copy_(value)
    return True


def _tensor_of(array: np.ndarray[Any, Any]) -> torch.Tensor:
    dtype = array.dtype
    # A fresh array in C order: torch takes neither negative strides nor read-only memory.
    if dtype in _SHARED_DTYPES:
        return torch.from_numpy(np.array(array, order="C"))
    if dtype == _BFLOAT16:
        return torch.from_numpy(np.array(array, order="C").view(np.int16)).view(torch.bfloat16)
    native = dtype.newbyteorder("=")
    if native in _SHARED_DTYPES:
        return torch.from_numpy(np.array(array, dtype=native, order="C"))
    raise DTypeError(
        f"torch has no dtype for {dtype} arrays; cast them first, to float32 for instance"
    )


def _array_of(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    if isinstance(tensor, FakeTensor):
        raise LeakedTracerError(LEAKED)
    if tensor.dtype is torch.bfloat16:
        if _BFLOAT16 is None:
            raise DTypeError(
                "numpy has no bfloat16 of its own; run: pip install ml_dtypes, or cast to float32"
            )
        return tensor.view(torch.int16).numpy(force=True).view(_BFLOAT16)
    try:
        return tensor.numpy(force=True)
    except TypeError as error:
        raise DTypeError(
            f"numpy has no dtype for {tensor.dtype}; cast the tensor first, to float32 for instance"
        ) from error


def _recordable() -> contextlib.AbstractContextManager[Any]:
    """A context in which new tensors may take part in derivatives later."""
    if torch.is_inference_mode_enabled():
        return torch.inference_mode(False)
    return contextlib.nullcontext()
