"""The LSTM and the GRU over a whole sequence, and one step of each."""

from __future__ import annotations

from typing import Any

from polylux.arrays import array_namespace
from polylux.ops._elementwise import sigmoid, tanh
from polylux.ops._gates import multigate
from polylux.ops._libraries import one_library
from polylux.ops._linear import dense
from polylux.ops._native import native
from polylux.ops._scan import scan


def lstm_step(
    carry: tuple[Any, Any], projected: Any, weight: Any, bias: Any
) -> tuple[tuple[Any, Any], Any]:
    """New (h, c) and output h of an LSTM, from the input's share of the gates i, f, g, o."""
    h, c = carry
    i, f, g, o = multigate(projected + dense(h, weight, bias), 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return (h, c), h


def gru_step(carry: tuple[Any], projected: Any, weight: Any, bias: Any) -> tuple[tuple[Any], Any]:
    """New (h,) and output h of a GRU, from the input's share of the gates r, z, n."""
    (h,) = carry
    rx, zx, nx = multigate(projected, 3)
    rh, zh, nh = multigate(dense(h, weight, bias), 3)
    z = sigmoid(zx + zh)
    h = (1 - z) * tanh(nx + sigmoid(rx + rh) * nh) + z * h
    return (h,), h


@native(check=one_library("lstm"))
def lstm(xs: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any, bias_hh: Any, keep: bool, /) -> Any:
    """The hidden states of an LSTM that starts from zeros; see `polylux.layers.LSTMCell`.

    Parameters
    ----------
    xs : array of shape (time, batch, n), or (time, n), of a real floating dtype
        At least one step.
    weight_ih : array of shape (n, 4 * m), of the same dtype
    weight_hh : array of shape (m, 4 * m), of the same dtype
    bias_ih, bias_hh : array of shape (4 * m,), of the same dtype, or both None
    keep : bool
        Whether the hidden state of each step is returned, or the last one only.

    Returns
    -------
    array of shape (time, batch, m), without the axes that `xs` or `keep` leave out

    Examples
    --------
    >>> import numpy as np
    >>> xs, weight_ih, weight_hh = np.zeros((3, 2)), np.ones((2, 4)), np.ones((1, 4))
    >>> lstm(xs, weight_ih, weight_hh, None, None, True)
    array([[0.],
           [0.],
           [0.]])
    """
    projected = dense(xs, weight_ih, bias_ih)
    zero = array_namespace(xs).zeros_like(projected[0, ..., : weight_hh.shape[0]])
    return scan(projected, (zero, zero), lstm_step, (weight_hh, bias_hh), keep)[0]


@native(check=one_library("gru"))
def gru(xs: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any, bias_hh: Any, keep: bool, /) -> Any:
    """The hidden states of a GRU that starts from zeros; see `polylux.layers.GRUCell`.

    Parameters
    ----------
    xs : array of shape (time, batch, n), or (time, n), of a real floating dtype
        At least one step.
    weight_ih : array of shape (n, 3 * m), of the same dtype
    weight_hh : array of shape (m, 3 * m), of the same dtype
    bias_ih, bias_hh : array of shape (3 * m,), of the same dtype, or both None
    keep : bool
        Whether the hidden state of each step is returned, or the last one only.

    Returns
    -------
    array of shape (time, batch, m), without the axes that `xs` or `keep` leave out

    Examples
    --------
    >>> import numpy as np
    >>> xs, weight_ih, weight_hh = np.zeros((3, 2)), np.ones((2, 3)), np.ones((1, 3))
    >>> gru(xs, weight_ih, weight_hh, None, None, False)
    array([0.])
    """
    projected = dense(xs, weight_ih, bias_ih)
    zero = array_namespace(xs).zeros_like(projected[0, ..., : weight_hh.shape[0]])
    return scan(projected, (zero,), gru_step, (weight_hh, bias_hh), keep)[0]
