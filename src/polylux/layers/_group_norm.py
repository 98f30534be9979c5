"""GroupNorm: each sample normalised over groups of its channels."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from polylux.errors import DomainError, ShapeError
from polylux.layers import _settings
from polylux.layers._initializers import Initializer, ones, zeros
from polylux.layers._parameters import Parametric, Shape, aligned
from polylux.ops import group_norm
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class GroupNorm(Parametric):
    """`scale * (x - mean) / sqrt(variance + epsilon) + bias`, over groups of neighbouring channels.

    For `x` of shape (batch, channels, ...). Mean and variance, a mean over n, are those of all
    entries of a sample in a group; scale and bias belong to channels. Its parameters are
    `{"scale": (channels,), "bias": (channels,)}`; it has no states, and training is as testing.

    Parameters
    ----------
    channels : int
        Length of the axis 1 of the input.
    groups : int
        How many groups; a divisor of the channels.
    affine : bool
        Whether there are a scale and a bias.
    epsilon : float
        Added to the variance.
    init_scale, init_bias : callable
        `init(rng, shape)` returns the initial values.

    Raises
    ------
    ShapeError
        When called with an input that does not fit.

    References
    ----------
    Y. Wu and K. He, Group normalization, ECCV 2018, equations 1, 2 and 7.

    Examples
    --------
    >>> import numpy as np
    >>> layer = GroupNorm(4, 2, affine=False, epsilon=0.0)
    >>> layer(np.asarray([[1.0, 3.0, 5.0, 9.0]]), {}, {})
    (array([[-1.,  1., -1.,  1.]]), {})
    """

    channels: int
    groups: int
    affine: bool = dataclasses.field(default=True, kw_only=True)
    epsilon: float = dataclasses.field(default=1e-5, kw_only=True)
    init_scale: Initializer = dataclasses.field(default=ones, kw_only=True)
    init_bias: Initializer = dataclasses.field(default=zeros, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("channels", "groups"):
            object.__setattr__(self, name, _settings.length(self, name, getattr(self, name)))
        if self.channels % self.groups:
            raise DomainError(
                f"GroupNorm(groups={self.groups}) must divide channels={self.channels}"
            )
        _settings.flag(self, "affine", self.affine)
        epsilon = _settings.number(self, "epsilon", self.epsilon, 0.0, math.inf)
        object.__setattr__(self, "epsilon", epsilon)
        for name in ("init_scale", "init_bias"):
            _settings.initializer(self, name, getattr(self, name))

    def _shapes(self) -> dict[str, Shape]:
        return dict.fromkeys(("scale", "bias"), (self.channels,)) if self.affine else {}

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        try:
            scale = bias = None
            if self.affine:
                scale, bias = ps["scale"], ps["bias"]
                if x.dtype != scale.dtype:
                    x, scale, bias = aligned(self, x, scale, bias)
            self.output_shape(x.shape)
            return group_norm(x, scale, bias, self.groups, self.epsilon), st
        except Exception as error:
            self._explain(error, (x,), ps)
            raise

    def output_shape(self, input_shape: Shape, /) -> Shape:
        if len(input_shape) < 2 or input_shape[1] != self.channels:
            raise ShapeError(
                f"{self!r} needs an input of shape (batch, {self.channels}, ...), got "
                f"{tuple(input_shape)}"
            )
        return input_shape
