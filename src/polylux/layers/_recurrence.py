"""Recurrence: a cell applied to the entries of a sequence, one after another."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import numpy as np

from polylux.arrays import array_namespace
from polylux.errors import OptionError, ShapeError
from polylux.layers import _settings
from polylux.layers._base import HasSetup, Layer, Shape
from polylux.layers._cells import Cell
from polylux.ops import BatchFirst, TimeFirst, keeping_precision
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class Recurrence(Layer):
    """The outputs of a cell over a sequence, or the last one of them.

    Parameters and states are the cell's. The first step starts without a carry. A cell of one's
    own is any layer that takes an array, or a pair of an array and a carry, and gives a pair of
    an output and a carry.

    Parameters
    ----------
    cell : Layer
        `RNNCell`, `LSTMCell`, `GRUCell`, or one's own.
    return_sequence : bool
        Whether all outputs are returned, along the time axis, or the last one only.
    ordering : BatchFirst or TimeFirst
        Where time is: `BatchFirst()` for (batch, time, features), or (time, features) without a
        batch; `TimeFirst()` for (time, batch, features).

    Raises
    ------
    ShapeError
        When called with an empty sequence, or an input that does not fit the cell.

    References
    ----------
    `Recurrence` of Lux, whose `BatchLastIndex` and `TimeLastIndex` are the mirrors of the two
    orderings.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import GRUCell, setup
    >>> model = Recurrence(GRUCell(3, 5), return_sequence=True)
    >>> ps, st = setup(np.random.default_rng(0), model)
    >>> y, st = model(np.ones((2, 7, 3), dtype=np.float32), ps, st)
    >>> y.shape, model.output_shape((2, 7, 3))
    ((2, 7, 5), (2, 7, 5))
    """

    cell: Any
    return_sequence: bool = dataclasses.field(default=False, kw_only=True)
    ordering: BatchFirst | TimeFirst = dataclasses.field(default=BatchFirst(), kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.cell, type) or not isinstance(self.cell, HasSetup):
            raise OptionError(f"Recurrence takes a cell, such as GRUCell(3, 5), got {self.cell!r}")
        _settings.flag(self, "return_sequence", self.return_sequence)
        if not isinstance(self.ordering, BatchFirst | TimeFirst):
            raise OptionError(
                f"Recurrence(ordering=...) takes BatchFirst() or TimeFirst(), got {self.ordering!r}"
            )

    def initial_parameters(self, rng: np.random.Generator) -> PyTree:
        return self.cell.initial_parameters(rng)

    def initial_states(self, rng: np.random.Generator) -> PyTree:
        return self.cell.initial_states(rng)

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        axis = self._time_axis(x.shape)
        cell = self.cell
        scope = keeping_precision(x)
        with contextlib.nullcontext() if scope is None else scope:
            if not isinstance(cell, Cell):
                return self._step_by_step(x, axis, ps, st)
            x, *parameters = cell.prepared(x, ps)
            xp = array_namespace(x)
            if axis:
                x = xp.moveaxis(x, axis, 0)
            y = cell.sequence((x, *parameters), self.return_sequence)
            if self.return_sequence and axis:
                y = xp.moveaxis(y, 0, axis)
        return y, st

    def _step_by_step(self, x: Any, axis: int, ps: PyTree, st: PyTree) -> tuple[Any, PyTree]:
        xp = array_namespace(x)
        ys = []
        carry: Any = None
        for number, entry in enumerate(xp.unstack(x, axis=axis)):
            (y, carry), st = self.cell((entry, carry) if number else entry, ps, st)
            ys.append(y)
        return xp.stack(ys, axis=axis) if self.return_sequence else ys[-1], st

    def _time_axis(self, shape: Shape) -> int:
        if len(shape) < 2 or not shape[axis := self.ordering.axis(len(shape))]:
            raise ShapeError(
                f"{self!r} needs a sequence of at least one step, {self.ordering!r}, got shape "
                f"{tuple(shape)}"
            )
        return axis

    def output_shape(self, input_shape: Shape, /) -> Shape:
        axis = self._time_axis(input_shape)
        step = (*input_shape[:axis], *input_shape[axis + 1 :])
        shape = self.cell.output_shape(step)[0]
        if not self.return_sequence:
            return shape
        return (*shape[:axis], input_shape[axis], *shape[axis:])
