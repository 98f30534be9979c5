"""Embedding: a learned vector for each integer."""

from __future__ import annotations

import dataclasses
from typing import Any

from polylux.errors import DTypeError
from polylux.layers import _settings
from polylux.layers._initializers import Initializer, normal
from polylux.layers._parameters import Parametric, Shape
from polylux.ops import embedding, kind_of
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class Embedding(Parametric):
    """`weight[x]`, for integers `x` from 0 to `in_features - 1`, in an array of any shape.

    Its parameters are `{"weight": (in_features, out_features)}`; it has no states.

    Parameters
    ----------
    in_features : int
        How many different integers there are.
    out_features : int
        Length of each vector.
    init_weight : callable
        `init(rng, shape)` returns the initial values; as a rule standard normal numbers.

    Raises
    ------
    DTypeError
        When called with an array of another dtype than integers.
    IndexError
        The array library's own, for an integer out of range, such as -1; in JAX, which does not
        look at values, its vector is NaN instead.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Embedding(3, 2)
    >>> ps = {"weight": np.asarray([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])}
    >>> layer(np.asarray([2, 0]), ps, {})
    (array([[4., 5.],
           [0., 1.]]), {})
    """

    in_features: int
    out_features: int
    init_weight: Initializer = dataclasses.field(default=normal, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("in_features", "out_features"):
            object.__setattr__(self, name, _settings.length(self, name, getattr(self, name)))
        _settings.initializer(self, "init_weight", self.init_weight)

    def _shapes(self) -> dict[str, Shape]:
        return {"weight": (self.in_features, self.out_features)}

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        try:
            if kind_of(x) != "integer":
                raise DTypeError(f"{self!r} needs integers, got {x.dtype}")
            return embedding(ps["weight"], x), st
        except Exception as error:
            self._explain(error, (x,), ps)
            raise

    def output_shape(self, input_shape: Shape, /) -> Shape:
        return (*input_shape, self.out_features)
