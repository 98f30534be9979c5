"""Scale: each entry of a sample times a weight, plus a bias."""

from __future__ import annotations

import dataclasses
from typing import Any

from polylux.layers import _settings
from polylux.layers._initializers import Initializer, ones, zeros
from polylux.layers._parameters import Parametric, Shape, aligned, require_last
from polylux.layers._settings import Activation
from polylux.ops import scale
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class Scale(Parametric):
    """`activation(x * weight + bias)`, entry by entry of the last axes.

    Its parameters are `{"weight": shape, "bias": shape}`; it has no states. Before training it is
    the identity.

    Parameters
    ----------
    shape : int or tuple of int
        Lengths of the last axes of the input.
    activation : str or callable, optional
        Elementwise: a name (see `polylux.ops.activation`) or a function of one array.
    use_bias : bool
        Whether there is a bias.
    init_weight, init_bias : callable
        `init(rng, shape)` returns the initial values.

    Raises
    ------
    ShapeError
        When called with an input whose last axes have other lengths.

    Examples
    --------
    >>> import numpy as np
    >>> ps = {"weight": np.asarray([1.0, 2.0]), "bias": np.asarray([0.0, 1.0])}
    >>> Scale(2)(np.asarray([[3.0, 4.0]]), ps, {})
    (array([[3., 9.]]), {})
    """

    shape: int | tuple[int, ...]
    activation: Activation = None
    use_bias: bool = dataclasses.field(default=True, kw_only=True)
    init_weight: Initializer = dataclasses.field(default=ones, kw_only=True)
    init_bias: Initializer = dataclasses.field(default=zeros, kw_only=True)
    _shape: Shape = dataclasses.field(default=(), init=False, repr=False, compare=False)
    _activate: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shape = _settings.lengths(self, "shape", self.shape)
        object.__setattr__(self, "_shape", shape)
        object.__setattr__(self, "shape", shape[0] if len(shape) == 1 else shape)
        _settings.flag(self, "use_bias", self.use_bias)
        for name in ("init_weight", "init_bias"):
            _settings.initializer(self, name, getattr(self, name))
        given, function = _settings.activated(self, self.activation)
        object.__setattr__(self, "activation", given)
        object.__setattr__(self, "_activate", function)

    def _shapes(self) -> dict[str, Shape]:
        return dict.fromkeys(("weight", "bias") if self.use_bias else ("weight",), self._shape)

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        try:
            weight = ps["weight"]
            bias = ps["bias"] if self.use_bias else None
            require_last(self, x.shape, self._shape)
            if x.dtype != weight.dtype:
                x, weight, bias = aligned(self, x, weight, bias)
            y = scale(x, weight, bias)
        except Exception as error:
            self._explain(error, (x,), ps)
            raise
        return y if self._activate is None else self._activate(y), st

    def output_shape(self, input_shape: Shape, /) -> Shape:
        require_last(self, input_shape, self._shape)
        return input_shape
