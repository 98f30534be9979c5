"""LayerNorm: each sample normalised over its last axes."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from polylux.layers import _settings
from polylux.layers._initializers import Initializer, ones, zeros
from polylux.layers._parameters import Parametric, Shape, aligned, require_last
from polylux.ops import layer_norm
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class LayerNorm(Parametric):
    """`scale * (x - mean) / sqrt(variance + epsilon) + bias`, over the last axes together.

    The variance is a mean over n. Its parameters are `{"scale": shape, "bias": shape}`; it has no
    states, and training is as testing.

    Parameters
    ----------
    shape : int or tuple of int
        Lengths of the last axes of the input, over which it is normalised.
    affine : bool
        Whether there are a scale and a bias.
    epsilon : float
        Added to the variance.
    init_scale, init_bias : callable
        `init(rng, shape)` returns the initial values.

    Raises
    ------
    ShapeError
        When called with an input whose last axes have other lengths.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, Layer normalization, arXiv:1607.06450, equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> layer = LayerNorm(2, affine=False, epsilon=0.0)
    >>> layer(np.asarray([[1.0, 3.0], [5.0, 5.5]]), {}, {})
    (array([[-1.,  1.],
           [-1.,  1.]]), {})
    """

    shape: int | tuple[int, ...]
    affine: bool = dataclasses.field(default=True, kw_only=True)
    epsilon: float = dataclasses.field(default=1e-5, kw_only=True)
    init_scale: Initializer = dataclasses.field(default=ones, kw_only=True)
    init_bias: Initializer = dataclasses.field(default=zeros, kw_only=True)
    _shape: Shape = dataclasses.field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shape = _settings.lengths(self, "shape", self.shape)
        object.__setattr__(self, "_shape", shape)
        object.__setattr__(self, "shape", shape[0] if len(shape) == 1 else shape)
        _settings.flag(self, "affine", self.affine)
        epsilon = _settings.number(self, "epsilon", self.epsilon, 0.0, math.inf)
        object.__setattr__(self, "epsilon", epsilon)
        for name in ("init_scale", "init_bias"):
            _settings.initializer(self, name, getattr(self, name))

    def _shapes(self) -> dict[str, Shape]:
        return dict.fromkeys(("scale", "bias"), self._shape) if self.affine else {}

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        try:
            scale = bias = None
            if self.affine:
                scale, bias = ps["scale"], ps["bias"]
                if x.dtype != scale.dtype:
                    x, scale, bias = aligned(self, x, scale, bias)
            require_last(self, x.shape, self._shape)
            return layer_norm(x, scale, bias, len(self._shape), self.epsilon), st
        except Exception as error:
            self._explain(error, (x,), ps)
            raise

    def output_shape(self, input_shape: Shape, /) -> Shape:
        require_last(self, input_shape, self._shape)
        return input_shape
