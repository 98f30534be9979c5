"""Dropout: entries set to zero at random while training."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from polylux.errors import DomainError
from polylux.layers import _settings
from polylux.layers._base import Layer, Shape
from polylux.layers._parameters import explain_states
from polylux.ops import dropout, in_precision
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """In training each entry is zero with probability `rate`, else divided by `1 - rate`.

    In testing, or with a rate of 0, the input itself is returned. It has no parameters. Its
    states are `{"key": two int32 words, "count": one, "training": bool}`: the words that decide
    come from the key, which `setup` draws, and the count, to which each call in training adds 1.
    The same states give the same zeros on every backend, in every dtype, compiled or not.

    Parameters
    ----------
    rate : float
        From 0 up to, but not including, 1.

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, Dropout: a simple
    way to prevent neural networks from overfitting, JMLR 15 (2014), section 4; scaled in training
    rather than in testing (section 10). The random numbers: `polylux.threefry`.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import setup
    >>> layer = Dropout(0.5)
    >>> ps, st = setup(np.random.default_rng(0), layer)
    >>> y, new = layer(np.ones(6), ps, st)
    >>> y
    array([...])
    >>> st["count"], new["count"]
    (array([0], dtype=int32), array([1], dtype=int32))
    """

    rate: float

    def __post_init__(self) -> None:
        rate = _settings.number(self, "rate", self.rate, 0.0, 1.0)
        if rate == 1:
            raise DomainError("Dropout(rate=...) must be below 1: nothing would be left")
        object.__setattr__(self, "rate", rate)

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        key = rng.integers(-(2**31), 2**31, size=2, dtype=np.int32)
        return {"key": key, "count": np.zeros(1, dtype=np.int32), "training": True}

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        try:
            if not st["training"] or not self.rate:
                return x, st
            count = st["count"]
            y = dropout(x, st["key"], count, self.rate)
            return y, {**st, "count": in_precision(_next, count)}
        except Exception as error:
            explain_states(self, error, x, st, ("key", "count", "training"))
            raise

    def state_count(self) -> int:
        return 4

    def output_shape(self, input_shape: Shape, /) -> Shape:
        return input_shape


def _next(count: Any) -> Any:
    return count + 1
