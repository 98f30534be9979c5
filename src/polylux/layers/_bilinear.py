"""Bilinear: a product of two inputs, linear in each, and an activation."""

from __future__ import annotations

import dataclasses
from typing import Any

from polylux.errors import ShapeError
from polylux.layers import _settings
from polylux.layers._base import is_shape
from polylux.layers._initializers import Initializer, glorot_uniform, zeros
from polylux.layers._parameters import Parametric, Shape, aligned
from polylux.layers._settings import Activation
from polylux.ops import bilinear
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class Bilinear(Parametric):
    """`activation(sum over i, j of x[i] * weight[i, j] * y[j] + bias)`, along the last axes.

    Its input is a pair `(x, y)` of arrays of shapes (..., first_features) and
    (..., second_features), or one array that is taken for both. Its parameters are
    `{"weight": (first_features * second_features, out_features), "bias": (out_features,)}`: the
    row `i * second_features + j` belongs to x[i] and y[j].

    Parameters
    ----------
    first_features, second_features, out_features : int
        Lengths of the last axes of the inputs and the output.
    activation : str or callable, optional
        Elementwise: a name (see `polylux.ops.activation`) or a function of one array.
    use_bias : bool
        Whether there is a bias.
    init_weight, init_bias : callable
        `init(rng, shape)` returns the initial values.

    Raises
    ------
    ShapeError
        When called with inputs that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Bilinear(2, 2, 1, use_bias=False)
    >>> dot = {"weight": np.asarray([[1.0], [0.0], [0.0], [1.0]])}
    >>> layer((np.asarray([3.0, 2.0]), np.asarray([5.0, 1.0])), dot, {})
    (array([17.]), {})
    """

    first_features: int
    second_features: int
    out_features: int
    activation: Activation = None
    use_bias: bool = dataclasses.field(default=True, kw_only=True)
    init_weight: Initializer = dataclasses.field(default=glorot_uniform, kw_only=True)
    init_bias: Initializer = dataclasses.field(default=zeros, kw_only=True)
    _activate: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("first_features", "second_features", "out_features"):
            object.__setattr__(self, name, _settings.length(self, name, getattr(self, name)))
        _settings.flag(self, "use_bias", self.use_bias)
        for name in ("init_weight", "init_bias"):
            _settings.initializer(self, name, getattr(self, name))
        given, function = _settings.activated(self, self.activation)
        object.__setattr__(self, "activation", given)
        object.__setattr__(self, "_activate", function)

    def _shapes(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {
            "weight": (self.first_features * self.second_features, self.out_features)
        }
        if self.use_bias:
            shapes["bias"] = (self.out_features,)
        return shapes

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        first, second = x if isinstance(x, tuple | list) else (x, x)
        try:
            weight = ps["weight"]
            bias = ps["bias"] if self.use_bias else None
            if first.dtype != weight.dtype or second.dtype != weight.dtype:
                # The wider of all three: what one input widens, the other gets too.
                second, weight, bias = aligned(self, second, weight, bias)
                first, weight, bias = aligned(self, first, weight, bias)
                second = aligned(self, second, weight)[0]
            self.output_shape((first.shape, second.shape))
            y = bilinear(first, second, weight, bias)
        except Exception as error:
            self._explain(error, (first, second), ps)
            raise
        return y if self._activate is None else self._activate(y), st

    def output_shape(self, input_shape: Any, /) -> Any:
        one = is_shape(input_shape)
        first, second = (tuple(shape) for shape in ((input_shape,) * 2 if one else input_shape))
        n, m = self.first_features, self.second_features
        if first[-1:] != (n,) or second[-1:] != (m,) or first[:-1] != second[:-1]:
            raise ShapeError(
                f"{self!r} needs inputs of shapes (..., {n}) and (..., {m}), got {first} and "
                f"{second}"
            )
        return (*first[:-1], self.out_features)
