"""Recurrent cells: one step of an RNN, an LSTM and a GRU.

A cell is a layer whose input is an array, or a pair of an array and a carry, the tuple of arrays
that the step before handed on; without a carry it starts from zeros. Its output is a pair of the
step's output and the new carry. `Recurrence` applies a cell to a whole sequence.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from polylux.arrays import array_namespace
from polylux.layers import _settings
from polylux.layers._base import is_shape
from polylux.layers._initializers import Initializer
from polylux.layers._parameters import Parametric, Shape, aligned, require_last
from polylux.layers._settings import Activation
from polylux.ops import dense, keeping_precision, multigate, sigmoid, tanh
from polylux.typing import PyTree

Carry = tuple[Any, ...]
Step = Callable[..., tuple[Carry, Any]]


@dataclasses.dataclass(frozen=True, repr=False)
class Cell(Parametric):
    """What the cells share: the products of the input and the hidden state with their weights.

    Parameters are `{"weight_ih": (in_features, gates * out_features),
    "weight_hh": (out_features, gates * out_features)}` and the biases `"bias_ih"` and `"bias_hh"`
    of shape (gates * out_features,). They start uniform on ±1/sqrt(out_features), as in Lux and
    torch, unless initializers are given.
    """

    in_features: int
    out_features: int
    use_bias: bool = dataclasses.field(default=True, kw_only=True)
    init_weight: Initializer | None = dataclasses.field(default=None, kw_only=True)
    init_bias: Initializer | None = dataclasses.field(default=None, kw_only=True)

    _gates: ClassVar[int]
    _carried: ClassVar[int] = 1

    @property
    @abstractmethod
    def step(self) -> Step:
        """`step(carry, projected, weight_hh, bias_hh) -> (carry, y)`, one object for equal cells.

        `projected` is the input's share of the gates.
        """

    def __post_init__(self) -> None:
        for name in ("in_features", "out_features"):
            object.__setattr__(self, name, _settings.length(self, name, getattr(self, name)))
        _settings.flag(self, "use_bias", self.use_bias)
        for name in ("init_weight", "init_bias"):
            if getattr(self, name) is not None:
                _settings.initializer(self, name, getattr(self, name))

    def _shapes(self) -> dict[str, Shape]:
        width = self._gates * self.out_features
        shapes: dict[str, Shape] = {
            "weight_ih": (self.in_features, width),
            "weight_hh": (self.out_features, width),
        }
        return {**shapes, "bias_ih": (width,), "bias_hh": (width,)} if self.use_bias else shapes

    def _initializer(self, setting: str) -> Initializer:
        given: Initializer | None = getattr(self, setting)
        bound = 1 / math.sqrt(self.out_features)
        return given or functools.partial(_uniform, bound)

    def projected(self, x: Any, ps: PyTree, st: PyTree) -> tuple[Any, Any, Any]:
        """The input's share of the gates, the weight of the hidden state, and its bias or None."""
        try:
            require_last(self, x.shape, (self.in_features,))
            weight_ih, weight_hh = ps["weight_ih"], ps["weight_hh"]
            bias_ih = bias_hh = None
            if self.use_bias:
                bias_ih, bias_hh = ps["bias_ih"], ps["bias_hh"]
            if x.dtype != weight_ih.dtype:
                x, weight_ih, weight_hh, bias_ih, bias_hh = aligned(
                    self, x, weight_ih, weight_hh, bias_ih, bias_hh
                )
            return dense(x, weight_ih, bias_ih), weight_hh, bias_hh
        except Exception as error:
            self._explain(error, (x,), ps)
            raise

    def zeros(self, projected: Any) -> Carry:
        """The carry before the first step."""
        zero = array_namespace(projected).zeros_like(projected[..., : self.out_features])
        return (zero,) * self._carried

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        x, carry = x if isinstance(x, tuple | list) else (x, None)
        projected, weight, bias = self.projected(x, ps, st)
        scope = keeping_precision(projected)
        with contextlib.nullcontext() if scope is None else scope:
            given = self.zeros(projected) if carry is None else tuple(carry)
            carry, y = self.step(given, projected, weight, bias)
        return (y, carry), st

    def output_shape(self, input_shape: Any, /) -> Any:
        x = input_shape if is_shape(input_shape) else input_shape[0]
        require_last(self, x, (self.in_features,))
        shape = (*x[:-1], self.out_features)
        return (shape, (shape,) * self._carried)


@dataclasses.dataclass(frozen=True, repr=False)
class RNNCell(Cell):
    """`h' = activation(x @ weight_ih + bias_ih + h @ weight_hh + bias_hh)`; its output is h'.

    The carry is `(h,)`. Parameters and initial values are described at `Cell`; there is one gate.

    Parameters
    ----------
    in_features, out_features : int
        Lengths of the last axis of the input and of the hidden state.
    activation : str or callable, optional
        Elementwise: a name (see `polylux.ops.activation`) or a function of one array.
    use_bias : bool
        Whether there are biases.
    init_weight, init_bias : callable, optional
        `init(rng, shape)` returns the initial values.

    References
    ----------
    J. L. Elman, Finding structure in time, Cognitive Science 14 (1990) 179-211, figure 2.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import setup
    >>> cell = RNNCell(3, 5)
    >>> ps, st = setup(np.random.default_rng(0), cell)
    >>> (y, carry), st = cell(np.ones((2, 3), dtype=np.float32), ps, st)
    >>> (y, carry), st = cell((np.ones((2, 3), dtype=np.float32), carry), ps, st)
    >>> y.shape, cell.parameter_count()
    ((2, 5), 50)
    """

    activation: Activation = "tanh"

    _gates: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        given, _ = _settings.activated(self, self.activation)
        object.__setattr__(self, "activation", given)

    @property
    def step(self) -> Step:
        return _rnn_step(self.activation)


@dataclasses.dataclass(frozen=True, repr=False)
class LSTMCell(Cell):
    """Long short-term memory; its output is the hidden state h'.

    With the last axis of `x @ weight_ih + bias_ih + h @ weight_hh + bias_hh` in four parts
    i, f, g, o, in this order:

        c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h' = sigmoid(o) * tanh(c')

    The carry is `(h, c)`. Parameters and initial values are described at `Cell`; there are four
    gates.

    Parameters
    ----------
    in_features, out_features : int
        Lengths of the last axis of the input and of the hidden state.
    use_bias : bool
        Whether there are biases.
    init_weight, init_bias : callable, optional
        `init(rng, shape)` returns the initial values.

    References
    ----------
    S. Hochreiter and J. Schmidhuber, Long short-term memory, Neural Computation 9 (1997), with
    the forget gate of F. A. Gers, J. Schmidhuber and F. Cummins, Learning to forget, Neural
    Computation 12 (2000), equations 3 to 9. Order of the gates as in torch and Lux.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import setup
    >>> cell = LSTMCell(3, 5)
    >>> ps, st = setup(np.random.default_rng(0), cell)
    >>> (y, (h, c)), st = cell(np.ones((2, 3), dtype=np.float32), ps, st)
    >>> y.shape, y is h, c.shape, cell.parameter_count()
    ((2, 5), True, (2, 5), 200)
    """

    _gates: ClassVar[int] = 4
    _carried: ClassVar[int] = 2

    @property
    def step(self) -> Step:
        return _lstm_step


@dataclasses.dataclass(frozen=True, repr=False)
class GRUCell(Cell):
    """Gated recurrent unit; its output is the hidden state h'.

    With the last axes of `x @ weight_ih + bias_ih` and of `h @ weight_hh + bias_hh` in three parts
    each, rx, zx, nx and rh, zh, nh:

        r = sigmoid(rx + rh)
        z = sigmoid(zx + zh)
        h' = (1 - z) * tanh(nx + r * nh) + z * h

    The carry is `(h,)`. Parameters and initial values are described at `Cell`; there are three
    gates.

    Parameters
    ----------
    in_features, out_features : int
        Lengths of the last axis of the input and of the hidden state.
    use_bias : bool
        Whether there are biases.
    init_weight, init_bias : callable, optional
        `init(rng, shape)` returns the initial values.

    References
    ----------
    K. Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014,
    equations 5 to 8, with the reset gate behind the product and z and 1 - z exchanged, as in
    torch, cuDNN and Lux.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import setup
    >>> cell = GRUCell(3, 5)
    >>> ps, st = setup(np.random.default_rng(0), cell)
    >>> (y, carry), st = cell(np.ones((2, 3), dtype=np.float32), ps, st)
    >>> y.shape, cell.parameter_count()
    ((2, 5), 150)
    """

    _gates: ClassVar[int] = 3

    @property
    def step(self) -> Step:
        return _gru_step


@functools.lru_cache(maxsize=64)
def _rnn_step(given: Activation) -> Step:
    """The step with this activation, one object for equal ones."""
    _, activate = _settings.activated("RNNCell", given)

    def step(carry: Carry, projected: Any, weight: Any, bias: Any) -> tuple[Carry, Any]:
        h = projected + dense(carry[0], weight, bias)
        if activate is not None:
            h = activate(h)
        return (h,), h

    return step


def _lstm_step(carry: Carry, projected: Any, weight: Any, bias: Any) -> tuple[Carry, Any]:
    h, c = carry
    i, f, g, o = multigate(projected + dense(h, weight, bias), 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return (h, c), h


def _gru_step(carry: Carry, projected: Any, weight: Any, bias: Any) -> tuple[Carry, Any]:
    (h,) = carry
    rx, zx, nx = multigate(projected, 3)
    rh, zh, nh = multigate(dense(h, weight, bias), 3)
    z = sigmoid(zx + zh)
    h = (1 - z) * tanh(nx + sigmoid(rx + rh) * nh) + z * h
    return (h,), h


def _uniform(bound: float, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.uniform(-bound, bound, shape)
