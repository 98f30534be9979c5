"""gelu in memory: its slope comes from its value, which the caller may have changed since."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch

from polylux import ops

INF, NAN = float("inf"), float("nan")


def slope(x: float) -> Any:
    return mp.ncdf(x) + x * mp.npdf(x)


def tracked(values: Any, dtype: torch.dtype = torch.float64) -> Any:
    return torch.tensor(values, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_slope_are_right_to_what_rounding_x_does(dtype: torch.dtype) -> None:
    values = np.linspace(-12, 12, 48)  # 0 is none of them
    x = tracked(values, dtype)
    y = ops.gelu(x)
    (found,) = torch.autograd.grad(y.sum(), x)
    eps = torch.finfo(dtype).eps
    with mp.workdps(40):
        for at, value, rate in zip(x.tolist(), y.tolist(), found.tolist(), strict=True):
            room = (4 + at * at) * eps  # of exp(-x * x / 2), as much as x * x is rounded
            tail = abs(at) * mp.npdf(at)
            assert abs(value - at * mp.ncdf(at)) <= room * abs(at) * mp.ncdf(at)
            assert abs(rate - slope(at)) <= room * (mp.ncdf(at) + tail)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (3,), (2, 5)])
def test_zero_has_half_of_the_slope(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    x = torch.zeros(shape, dtype=dtype, requires_grad=True)
    y = ops.gelu(x)
    (found,) = torch.autograd.grad(y.sum(), x)
    assert y.dtype == found.dtype == dtype
    assert found.tolist() == torch.full(shape, 0.5).tolist()


def test_entries_beside_infinite_ones_are_right() -> None:
    x = tracked([-INF, 0.5, INF, NAN, 0.0])
    y = ops.gelu(x)
    (found,) = torch.autograd.grad(y, x, torch.ones(5, dtype=torch.float64))
    value = 0.5 * float(mp.ncdf(0.5))
    np.testing.assert_allclose(y.detach(), [0, value, INF, NAN, 0], rtol=1e-15)
    np.testing.assert_allclose(found, [0, float(slope(0.5)), 1, NAN, 0.5], rtol=1e-15)


def test_the_caller_may_write_into_the_value() -> None:
    x = tracked([0.5, -1.5])
    y = ops.gelu(x)
    y += 1
    (found,) = torch.autograd.grad(y.sum(), x)
    np.testing.assert_allclose(found, [float(slope(v)) for v in (0.5, -1.5)], rtol=1e-14)


def test_a_second_backward_pass_finds_the_same() -> None:
    x = tracked([0.5, -1.5])
    y = (2 * ops.gelu(x)).sum()
    (once,) = torch.autograd.grad(y, x, retain_graph=True)
    (again,) = torch.autograd.grad(y, x)
    np.testing.assert_array_equal(once, again)


def test_layout_of_the_argument_does_not_matter() -> None:
    x = torch.linspace(-3, 3, 24, dtype=torch.float64).reshape(4, 6).T.requires_grad_()
    g = torch.arange(24, dtype=torch.float64).reshape(6, 4)
    (found,) = torch.autograd.grad(ops.gelu(x), x, g)
    slopes = [[float(slope(at)) for at in row] for row in x.tolist()]
    np.testing.assert_allclose(found, g.numpy() * slopes, rtol=1e-14)
