"""MaxPool and MeanPool: the largest entry and the mean of each window."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

from polylux.layers import _windows
from polylux.layers._base import Layer, Shape
from polylux.layers._windows import Lengths, Padding
from polylux.ops import max_pool, mean_pool
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class _Pool(Layer):
    window: tuple[int, ...]
    stride: Lengths | None = dataclasses.field(default=None, kw_only=True)
    padding: Padding = dataclasses.field(default=0, kw_only=True)
    # (window, stride, pairs of padding or None for "same", dilation)
    _window: tuple[Any, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)

    _pool: ClassVar[Callable[..., Any]]

    def __post_init__(self) -> None:
        window = _windows.window(self, "window", self.window)
        given = window if self.stride is None else self.stride
        stride, strides = _windows.steps(self, "stride", given, len(window))
        padding, pairs = _windows.pads(self, self.padding, len(window))
        object.__setattr__(self, "window", window)
        object.__setattr__(self, "stride", None if strides == window else stride)
        object.__setattr__(self, "padding", padding)
        object.__setattr__(self, "_window", (window, strides, pairs, (1,) * len(window)))

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        window, stride, padding, _ = self._window
        if padding is None:
            padding = _windows.pairs_for(self, x.shape, *self._window)
        return type(self)._pool(x, window, stride, padding), st

    def output_shape(self, input_shape: Shape, /) -> Shape:
        return (*input_shape[:2], *_windows.lengths_after(self, input_shape, *self._window))


@dataclasses.dataclass(frozen=True, repr=False)
class MaxPool(_Pool):
    """The largest entry of each window, for an input of shape (batch, channels, *lengths).

    Its derivative goes to the first, in row-major order, of equal largest entries: on every
    backend, to any order. It has neither parameters nor states.

    Parameters
    ----------
    window : tuple of int
        Its lengths along the one, two or three spatial axes.
    stride : int or tuple of int, optional
        Steps from one window to the next; as a rule the window's lengths.
    padding : {"valid", "same"}, int, or tuple of ints and pairs of ints
        Entries of -inf around each spatial axis, less than the window; see `Conv`.

    Raises
    ------
    ShapeError
        When called with an input that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool((2,))(np.asarray([[[1.0, 3.0, 2.0, 0.0, 9.0]]]), {}, {})
    (array([[[3., 2.]]]), {})
    """

    _pool = max_pool


@dataclasses.dataclass(frozen=True, repr=False)
class MeanPool(_Pool):
    """The mean of each window, for an input of shape (batch, channels, *lengths).

    Padding counts: a window's sum is always divided by the number of its places, as in Lux and,
    by default, in torch. It has neither parameters nor states.

    Parameters
    ----------
    window : tuple of int
        Its lengths along the one, two or three spatial axes.
    stride : int or tuple of int, optional
        Steps from one window to the next; as a rule the window's lengths.
    padding : {"valid", "same"}, int, or tuple of ints and pairs of ints
        Zeros around each spatial axis, less than the window; see `Conv`.

    Raises
    ------
    ShapeError
        When called with an input that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> MeanPool((2,))(np.asarray([[[1.0, 3.0, 2.0, 0.0, 9.0]]]), {}, {})
    (array([[[2., 1.]]]), {})
    """

    _pool = mean_pool
