"""Errors of torch that say what to do: numpy constants in an objective, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from polylux.errors import ArrayMixError, UnsupportedError
from polylux.selectors import AutoTorch
from polylux_torch._backend import TorchBackend
from polylux_torch._namespace import namespace as xp

BACKEND = TorchBackend()
CONSTANT = np.asarray([1.0, 2.0])

MIXTURES: dict[str, Callable[[Any], Any]] = {
    "tensor * numpy": lambda x: x * CONSTANT,
    "numpy * tensor": lambda x: CONSTANT * x,
    "numpy + tensor": lambda x: CONSTANT + x,
    "tensor @ numpy": lambda x: x @ CONSTANT,
    "numpy > tensor": lambda x: CONSTANT > x,
    "xp.maximum": lambda x: xp.maximum(x, CONSTANT),
    "xp.where": lambda x: xp.where(x > 0, x, CONSTANT),
    "xp.stack": lambda x: xp.stack([x, CONSTANT]),
    "np.sin": np.sin,
    "np.sum": np.sum,
}


def error_of(function: Callable[[Any], Any], x: torch.Tensor) -> Exception:
    try:
        function(x)
    except Exception as error:  # noqa: BLE001  # whatever torch or numpy raises is the subject
        return error
    raise AssertionError("the mixture went through")


@pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES.keys())
def test_numpy_in_a_traced_expression_is_explained(mixture: Callable[[Any], Any]) -> None:
    error = error_of(mixture, torch.ones(2, dtype=torch.float64, requires_grad=True))
    clearer = BACKEND.diagnose(error)
    assert isinstance(clearer, ArrayMixError)
    assert "xp.asarray(constant, dtype=x.dtype)" in str(clearer)
    assert "to_backend(constant, AutoTorch())" in str(clearer)


@pytest.mark.parametrize(
    "error",
    [
        TypeError("unsupported operand type(s) for +: 'Tensor' and 'str'"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
        ValueError("mine"),
        KeyError("numpy.ndarray"),
    ],
)
def test_other_errors_are_left_alone(error: Exception) -> None:
    assert BACKEND.diagnose(error) is None


def test_control_flow_on_values_is_explained() -> None:
    def branch(x: Any) -> tuple[Any, None]:
        return (x if x > 0 else -x), None

    selector = AutoTorch(compile={"backend": "eager"})
    staged = BACKEND.stage(branch, selector)
    clearer = BACKEND.diagnose(error_of(staged, torch.tensor(1.0)))
    assert isinstance(clearer, UnsupportedError)
    assert "xp.where" in str(clearer)
    assert "AutoTorch() without compile" in str(clearer)
