"""BatchNorm: each channel normalised over the batch."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from polylux.eltypes import match_eltype
from polylux.errors import ShapeError
from polylux.layers import _settings
from polylux.layers._initializers import Initializer, ones, zeros
from polylux.layers._parameters import Parametric, Shape, aligned, explain_states
from polylux.ops import batch_norm, normalize
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class BatchNorm(Parametric):
    """`scale * (x - mean) / sqrt(variance + epsilon) + bias`, channel by channel.

    For `x` of shape (batch, channels, ...). In training mean and variance are the batch's, in
    testing the running ones. Its parameters are `{"scale": (channels,), "bias": (channels,)}`, its
    states `{"running_mean": (channels,), "running_var": (channels,), "training": bool}`. Each call
    in training moves the running statistics by `running += momentum * (batch's - running)`, as in
    Lux and torch: there the batch's variance is the one without bias, a sum over n - 1, while `x`
    is normalised by that over n.

    Parameters
    ----------
    channels : int
        Length of the axis 1 of the input.
    affine : bool
        Whether there are a scale and a bias.
    track_stats : bool
        Whether there are running statistics; without them testing is as training.
    epsilon : float
        Added to the variance.
    momentum : float
        Weight of the newest batch in the running statistics, from 0 to 1.
    init_scale, init_bias : callable
        `init(rng, shape)` returns the initial values.

    Raises
    ------
    ShapeError
        When called with an input that does not fit; in training also if it has less than two
        entries for each channel, whose normalised value would be 0 whatever it is.

    References
    ----------
    S. Ioffe and C. Szegedy, Batch normalization, ICML 2015, algorithms 1 and 2.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import setup
    >>> layer = BatchNorm(1, epsilon=0.0)
    >>> ps, st = setup(np.random.default_rng(0), layer)
    >>> y, st = layer(np.asarray([[1.0], [3.0]], dtype=np.float32), ps, st)
    >>> y.tolist(), st["running_mean"].tolist()
    ([[-1.0], [1.0]], [0.20000000298023224])
    """

    channels: int
    affine: bool = dataclasses.field(default=True, kw_only=True)
    track_stats: bool = dataclasses.field(default=True, kw_only=True)
    epsilon: float = dataclasses.field(default=1e-5, kw_only=True)
    momentum: float = dataclasses.field(default=0.1, kw_only=True)
    init_scale: Initializer = dataclasses.field(default=ones, kw_only=True)
    init_bias: Initializer = dataclasses.field(default=zeros, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", _settings.length(self, "channels", self.channels))
        for name in ("affine", "track_stats"):
            _settings.flag(self, name, getattr(self, name))
        for name, high in (("epsilon", math.inf), ("momentum", 1.0)):
            value = _settings.number(self, name, getattr(self, name), 0.0, high)
            object.__setattr__(self, name, value)
        for name in ("init_scale", "init_bias"):
            _settings.initializer(self, name, getattr(self, name))

    def _shapes(self) -> dict[str, Shape]:
        return dict.fromkeys(("scale", "bias"), (self.channels,)) if self.affine else {}

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        if not self.track_stats:
            return {"training": True}
        return {
            "running_mean": np.zeros(self.channels, dtype=np.float32),
            "running_var": np.ones(self.channels, dtype=np.float32),
            "training": True,
        }

    def state_count(self) -> int:
        return 2 * self.channels * self.track_stats + 1

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        try:
            scale = bias = None
            if self.affine:
                scale, bias = ps["scale"], ps["bias"]
                if x.dtype != scale.dtype:
                    x, scale, bias = aligned(self, x, scale, bias)
            self.output_shape(x.shape)
            training = st["training"]
            if not self.track_stats:
                self._require_two(x.shape)
                arguments = (scale, bias, None, None, self.momentum, self.epsilon)
                return batch_norm(x, *arguments)[0], st
            mean, variance = st["running_mean"], st["running_var"]
            if not self.affine and x.dtype != mean.dtype:
                x = match_eltype(self, ps, st, x)
            if not training:
                return normalize(x, scale, bias, mean, variance, self.epsilon), st
            self._require_two(x.shape)
            y, mean, variance = batch_norm(
                x, scale, bias, mean, variance, self.momentum, self.epsilon
            )
        except Exception as error:
            self._explain(error, (x,), ps)
            names = ("running_mean", "running_var") if self.track_stats else ()
            explain_states(self, error, x, st, (*names, "training"))
            raise
        return y, {**st, "running_mean": mean, "running_var": variance}

    def _require_two(self, shape: Shape) -> None:
        if math.prod(shape) < 2 * self.channels:
            raise ShapeError(
                f"{self!r} needs at least two entries for each channel to normalise them over the "
                f"batch, got shape {tuple(shape)}; use testmode(states), or a larger batch"
            )

    def output_shape(self, input_shape: Shape, /) -> Shape:
        if len(input_shape) < 2 or input_shape[1] != self.channels:
            raise ShapeError(
                f"{self!r} needs an input of shape (batch, {self.channels}, ...), got "
                f"{tuple(input_shape)}"
            )
        return input_shape
