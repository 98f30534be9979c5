"""RMSNorm: each sample over the root mean square of its last axes."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from polylux.layers import _settings
from polylux.layers._initializers import Initializer, ones
from polylux.layers._parameters import Parametric, Shape, aligned, require_last
from polylux.ops import rms_norm
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class RMSNorm(Parametric):
    """`scale * x / sqrt(mean(x**2) + epsilon)`, over the last axes together.

    Its parameters are `{"scale": shape}`; it has no states, and training is as testing.

    Parameters
    ----------
    shape : int or tuple of int
        Lengths of the last axes of the input, over which it is normalised.
    affine : bool
        Whether there is a scale.
    epsilon : float
        Added to the mean of squares. (torch's own default is the dtype's machine epsilon.)
    init_scale : callable
        `init(rng, shape)` returns the initial values.

    Raises
    ------
    ShapeError
        When called with an input whose last axes have other lengths.

    References
    ----------
    B. Zhang and R. Sennrich, Root mean square layer normalization, NeurIPS 2019, equation 4.

    Examples
    --------
    >>> import numpy as np
    >>> RMSNorm(2, affine=False, epsilon=0.0)(np.asarray([[1.0, 7.0]]), {}, {})
    (array([[0.2, 1.4]]), {})
    """

    shape: int | tuple[int, ...]
    affine: bool = dataclasses.field(default=True, kw_only=True)
    epsilon: float = dataclasses.field(default=1e-5, kw_only=True)
    init_scale: Initializer = dataclasses.field(default=ones, kw_only=True)
    _shape: Shape = dataclasses.field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shape = _settings.lengths(self, "shape", self.shape)
        object.__setattr__(self, "_shape", shape)
        object.__setattr__(self, "shape", shape[0] if len(shape) == 1 else shape)
        _settings.flag(self, "affine", self.affine)
        epsilon = _settings.number(self, "epsilon", self.epsilon, 0.0, math.inf)
        object.__setattr__(self, "epsilon", epsilon)
        _settings.initializer(self, "init_scale", self.init_scale)

    def _shapes(self) -> dict[str, Shape]:
        return {"scale": self._shape} if self.affine else {}

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        try:
            scale = None
            if self.affine:
                scale = ps["scale"]
                if x.dtype != scale.dtype:
                    x, scale = aligned(self, x, scale)
            require_last(self, x.shape, self._shape)
            return rms_norm(x, scale, len(self._shape), self.epsilon), st
        except Exception as error:
            self._explain(error, (x,), ps)
            raise

    def output_shape(self, input_shape: Shape, /) -> Shape:
        require_last(self, input_shape, self._shape)
        return input_shape
