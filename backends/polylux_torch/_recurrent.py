"""LSTM and GRU over a sequence by torch's own loops, where these have all derivatives asked for.

torch's loop is up to twenty times as fast as one in Python, but the derivative that it takes from
oneDNN in float32 has none itself. So it runs at first order in reverse mode alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from polylux_torch._functional import is_functional
from polylux_torch._state import STATE

_FULL = (torch.float32, torch.float64)


def _is_first_order(arrays: list[Any]) -> bool:
    if STATE.forward or STATE.staging or is_functional() or arrays[0].dtype not in _FULL:
        return False
    if STATE.depth == 1:
        return True
    differentiated = torch.is_grad_enabled() and any(array.requires_grad for array in arrays)
    return STATE.depth == 0 and not differentiated


def _sequence(
    native: Any,
    step: Callable[..., Any],
    carried: int,
    arrays: list[Any],
    keep: bool,
) -> Any:
    """The hidden states by torch's loop `native` or, where that will not do, step by step."""
    xs, weight_ih, weight_hh, *biases = arrays
    width = weight_hh.shape[0]
    if xs.ndim in (2, 3) and _is_first_order(arrays):
        batched = xs if xs.ndim == 3 else xs[:, None]
        zero = xs.new_zeros(1, batched.shape[1], width)
        weights = [weight_ih.t(), weight_hh.t(), *biases]
        carry = (zero, zero) if carried == 2 else zero
        # has_biases, num_layers, dropout, train, bidirectional, batch_first
        ys = native(batched, carry, weights, bool(biases), 1, 0.0, True, False, False)[0]
        ys = ys if xs.ndim == 3 else ys[:, 0]
        return ys if keep else ys[-1]
    projected = xs @ weight_ih
    if biases:
        projected = projected + biases[0]
    zero = xs.new_zeros(*xs.shape[1:-1], width)
    state = (zero,) * carried
    ys = []
    for entry in projected.unbind(0):
        hidden = state[0] @ weight_hh
        state = step(entry, hidden + biases[1] if biases else hidden, *state)
        ys.append(state[0])
    return torch.stack(ys) if keep else ys[-1]


def _lstm_step(projected: Any, hidden: Any, _: Any, c: Any) -> tuple[Any, ...]:
    i, f, g, o = (projected + hidden).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def _gru_step(projected: Any, hidden: Any, h: Any) -> tuple[Any, ...]:
    rx, zx, nx = projected.chunk(3, dim=-1)
    rh, zh, nh = hidden.chunk(3, dim=-1)
    z = torch.sigmoid(zx + zh)
    return ((1 - z) * torch.tanh(nx + torch.sigmoid(rx + rh) * nh) + z * h,)


def _lstm(xs: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any, bias_hh: Any, keep: bool) -> Any:
    arrays = [a for a in (xs, weight_ih, weight_hh, bias_ih, bias_hh) if a is not None]
    return _sequence(torch.lstm, _lstm_step, 2, arrays, keep)


def _gru(xs: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any, bias_hh: Any, keep: bool) -> Any:
    arrays = [a for a in (xs, weight_ih, weight_hh, bias_ih, bias_hh) if a is not None]
    return _sequence(torch.gru, _gru_step, 1, arrays, keep)


KERNELS: Mapping[str, Callable[..., Any]] = {"lstm": _lstm, "gru": _gru}
