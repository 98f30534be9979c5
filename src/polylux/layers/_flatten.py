"""Flatten: each sample as one axis."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

from polylux.arrays import array_namespace
from polylux.errors import ShapeError
from polylux.layers._base import Layer, Shape
from polylux.ops import in_precision
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """The axes after the first one as one axis, in row-major order: (batch, ...) to (batch, n).

    It has neither parameters nor states.

    Raises
    ------
    ShapeError
        When called with a 0-d array, which has no batch.

    Examples
    --------
    >>> import numpy as np
    >>> y, _ = Flatten()(np.ones((5, 3, 8, 8)), {}, {})
    >>> y.shape
    (5, 192)
    """

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        shape = self.output_shape(x.shape)
        return in_precision(functools.partial(_reshaped, shape), x), st

    def output_shape(self, input_shape: Shape, /) -> Shape:
        if not input_shape:
            raise ShapeError("Flatten() needs an input with a batch axis, got shape ()")
        return (input_shape[0], math.prod(input_shape[1:]))


def _reshaped(shape: Shape, x: Any) -> Any:
    return array_namespace(x).reshape(x, shape)
