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
from polylux.errors import ShapeError
from polylux.layers import _settings
from polylux.layers._base import is_shape
from polylux.layers._initializers import Initializer
from polylux.layers._parameters import Parametric, Shape, aligned, require_last
from polylux.layers._settings import Activation
from polylux.ops import dense, gru, gru_step, keeping_precision, lstm, lstm_step, scan
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

    def prepared(self, x: Any, ps: PyTree) -> tuple[Any, ...]:
        """The input and the four parameters (a bias may be None) in one dtype."""
        try:
            require_last(self, x.shape, (self.in_features,))
            arrays = (x, ps["weight_ih"], ps["weight_hh"])
            biases = (ps["bias_ih"], ps["bias_hh"]) if self.use_bias else (None, None)
            if x.dtype != arrays[1].dtype:
                return aligned(self, *arrays, *biases)
            return (*arrays, *biases)
        except Exception as error:
            self._explain(error, (x,), ps)
            raise

    def sequence(self, arrays: tuple[Any, ...], keep: bool) -> Any:
        """Outputs for what `prepared` gives, time being the first axis; the last one or all."""
        x, weight_ih, weight_hh, bias_ih, bias_hh = arrays
        # The inputs' products of all steps at once: one large product in place of many.
        projected = dense(x, weight_ih, bias_ih)
        carry = self.zeros(projected[0, ...])
        return scan(projected, carry, self.step, (weight_hh, bias_hh), keep)[0]

    def zeros(self, projected: Any) -> Carry:
        """The carry before the first step."""
        zero = array_namespace(projected).zeros_like(projected[..., : self.out_features])
        return (zero,) * self._carried

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        x, carry = self._parts_of(x)
        arrays = self.prepared(x, ps)
        arrays, given = (arrays, ()) if carry is None else self._fitting(arrays, carry)
        x, weight_ih, weight_hh, bias_ih, bias_hh = arrays
        scope = keeping_precision(x)
        with contextlib.nullcontext() if scope is None else scope:
            projected = dense(x, weight_ih, bias_ih)
            carry, y = self.step(given or self.zeros(projected), projected, weight_hh, bias_hh)
        return (y, carry), st

    def _parts_of(self, given: Any) -> tuple[Any, Any]:
        """The input and the carry, which is None at the first step."""
        if not isinstance(given, tuple | list):
            return given, None
        if len(given) != 2:
            raise ShapeError(
                f"{self!r} needs an array, or a pair of an array and a carry, got "
                f"{len(given)} entries"
            )
        return given[0], given[1]

    def _fitting(self, arrays: tuple[Any, ...], carry: Any) -> tuple[tuple[Any, ...], Carry]:
        """What `prepared` gives and the carry, in one dtype: a carry is matched as an input is."""
        if not isinstance(carry, tuple | list) or len(carry) != self._carried:
            got = f"{len(carry)}" if isinstance(carry, tuple | list) else type(carry).__name__
            raise ShapeError(
                f"{self!r} needs a carry that is a tuple of length {self._carried}, got {got}; "
                "hand on what the step before returned"
            )
        fitted: Carry = ()
        for part in carry:
            require_last(self, part.shape, (self.out_features,), "a carry")
            if part.dtype != arrays[0].dtype:
                part, *others = aligned(self, part, *arrays, *fitted)
                arrays, fitted = tuple(others[: len(arrays)]), tuple(others[len(arrays) :])
            fitted = (*fitted, part)
        return arrays, fitted

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
        return lstm_step

    def sequence(self, arrays: tuple[Any, ...], keep: bool) -> Any:
        x, weight_ih, weight_hh, bias_ih, bias_hh = arrays
        return lstm(x, weight_ih, weight_hh, bias_ih, bias_hh, keep)


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
        return gru_step

    def sequence(self, arrays: tuple[Any, ...], keep: bool) -> Any:
        x, weight_ih, weight_hh, bias_ih, bias_hh = arrays
        return gru(x, weight_ih, weight_hh, bias_ih, bias_hh, keep)


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


def _uniform(bound: float, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.uniform(-bound, bound, shape)
