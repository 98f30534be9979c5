"""Dense: an affine map of the last axis, and an activation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from polylux.layers import _settings
from polylux.layers._initializers import Initializer, glorot_uniform, zeros
from polylux.layers._parameters import Parametric, Shape, aligned, require_last
from polylux.ops import dense
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class Dense(Parametric):
    """`activation(x @ weight + bias)`, for `x` of shape (..., in_features).

    Its parameters are `{"weight": (in_features, out_features), "bias": (out_features,)}`; it has
    no states. An input of another floating dtype than the weight's is computed in the wider of
    the two, integers and booleans in the weight's; see `match_eltype` for other wishes.

    Parameters
    ----------
    in_features, out_features : int
        Lengths of the last axis of the input and the output.
    activation : str or callable, optional
        Elementwise: a name (see `polylux.ops.activation`) or a function of one array.
    use_bias : bool
        Whether there is a bias.
    init_weight, init_bias : callable
        `init(rng, shape)` returns the initial values.

    Raises
    ------
    ShapeError
        When called with an input whose last axis has another length.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dense(64, 32, activation="relu")
    >>> layer
    Dense(64, 32, activation='relu')
    >>> ps = layer.initial_parameters(np.random.default_rng(0))
    >>> y, st = layer(np.ones((5, 64), dtype=np.float32), ps, {})
    >>> y.shape, st
    ((5, 32), {})
    """

    in_features: int
    out_features: int
    activation: str | Callable[[Any], Any] | None = None
    use_bias: bool = dataclasses.field(default=True, kw_only=True)
    init_weight: Initializer = dataclasses.field(default=glorot_uniform, kw_only=True)
    init_bias: Initializer = dataclasses.field(default=zeros, kw_only=True)
    _activate: Callable[[Any], Any] | None = dataclasses.field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name in ("in_features", "out_features"):
            object.__setattr__(self, name, _settings.length(self, name, getattr(self, name)))
        _settings.flag(self, "use_bias", self.use_bias)
        for name in ("init_weight", "init_bias"):
            _settings.initializer(self, name, getattr(self, name))
        given, function = _settings.activated(self, self.activation)
        object.__setattr__(self, "activation", given)
        object.__setattr__(self, "_activate", function)

    def _shapes(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"weight": (self.in_features, self.out_features)}
        if self.use_bias:
            shapes["bias"] = (self.out_features,)
        return shapes

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        try:
            weight = ps["weight"]
            bias = ps["bias"] if self.use_bias else None
            if x.dtype != weight.dtype:
                x, weight, bias = aligned(self, x, weight, bias)
            y = dense(x, weight, bias)
        except Exception as error:
            self._explain(error, (x,), ps)
            require_last(self, x.shape, (self.in_features,))
            raise
        return y if self._activate is None else self._activate(y), st

    def output_shape(self, input_shape: Shape, /) -> Shape:
        require_last(self, input_shape, (self.in_features,))
        return (*input_shape[:-1], self.out_features)
