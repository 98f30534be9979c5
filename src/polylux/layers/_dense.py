"""Dense: an affine map of the last axis, and an activation."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from polylux.arrays import array_namespace, common_owner
from polylux.errors import DomainError, OptionError, PolyluxError, ShapeError, TreeError
from polylux.layers._base import Layer
from polylux.layers._initializers import Initializer, draw, glorot_uniform, zeros
from polylux.ops import (
    ACTIVATIONS,
    activation,
    dense,
    identity,
    in_precision,
    keeping_precision,
    kind_of,
)
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class Dense(Layer):
    """`activation(x @ weight + bias)`, for `x` of shape (..., in_features).

    Its parameters are `{"weight": (in_features, out_features), "bias": (out_features,)}`; it has
    no states. An input of another floating dtype than the weight's is computed in the wider of
    the two, integers and booleans in the weight's.

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
            object.__setattr__(self, name, _length(name, getattr(self, name)))
        if not isinstance(self.use_bias, bool):
            raise OptionError(f"Dense(use_bias=...) takes a bool, got {self.use_bias!r}")
        for name in ("init_weight", "init_bias"):
            if not callable(getattr(self, name)):
                raise OptionError(
                    f"Dense({name}=...) takes a function of (rng, shape), "
                    f"got {getattr(self, name)!r}"
                )
        self._set_activation()

    def _set_activation(self) -> None:
        given = self.activation
        if callable(given) and not isinstance(given, type):
            # By its name where it has one, so that `relu` and "relu" make equal layers.
            given = next((name for name, known in ACTIVATIONS.items() if known is given), given)
            object.__setattr__(self, "activation", given)
        if isinstance(given, str):
            function = activation(given)
        elif given is None:
            function = identity
        elif callable(given) and not isinstance(given, type):
            function = functools.partial(in_precision, given)
        else:
            raise OptionError(
                f"Dense(activation=...) takes a name or a function of one array, got {given!r}"
            )
        if function is not identity:
            object.__setattr__(self, "_activate", function)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        shape = (self.in_features, self.out_features)
        parameters = {"weight": draw(self.init_weight, rng, shape, "Dense(init_weight=...)")}
        if self.use_bias:
            parameters["bias"] = draw(self.init_bias, rng, shape[1:], "Dense(init_bias=...)")
        return parameters

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        try:
            weight = ps["weight"]
            bias = ps["bias"] if self.use_bias else None
            if x.dtype != weight.dtype:
                x, weight, bias = _aligned(x, weight, bias)
            y = dense(x, weight, bias)
        except Exception as error:
            # Looked into only once something has failed: a good call pays nothing.
            self._explain(error, x, ps)
            raise
        return y if self._activate is None else self._activate(y), st

    def _explain(self, error: Exception, x: Any, ps: PyTree) -> None:
        """Raise a clearer error than `error`, if the input or the parameters do not fit."""
        if isinstance(error, PolyluxError):
            return
        expected = {"weight": (self.in_features, self.out_features)}
        if self.use_bias:
            expected["bias"] = (self.out_features,)  # type: ignore[assignment]  # one axis
        missing = [name for name in expected if not (isinstance(ps, dict) and name in ps)]
        if missing:
            raise TreeError(
                f"{self!r} needs parameters {expected}, got none named {missing[0]!r}"
            ) from error
        common_owner((x, *(ps[name] for name in expected)), "Dense")
        for name, shape in expected.items():
            if tuple(ps[name].shape) != shape:
                raise ShapeError(
                    f"{self!r} needs a {name} of shape {shape}, got {tuple(ps[name].shape)}"
                ) from error
        shape = tuple(x.shape)
        if shape[-1:] != (self.in_features,):
            raise ShapeError(
                f"{self!r} needs an input of shape (..., {self.in_features}), got {shape}"
            ) from error


def _length(name: str, value: Any) -> int:
    try:
        length = operator.index(value)
    except TypeError:
        raise OptionError(f"Dense({name}=...) takes an int, got {value!r}") from None
    if length < 1:
        raise DomainError(f"Dense({name}=...) must be at least 1, got {length}")
    return length


def _aligned(x: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Input and parameters in one dtype; arrays of two libraries are an error."""
    common_owner((x, weight, bias), "Dense")
    xp = array_namespace(x, weight)
    scope = keeping_precision(x, weight)
    with contextlib.nullcontext() if scope is None else scope:
        if kind_of(x) not in ("float", "low"):
            return xp.astype(x, weight.dtype), weight, bias
        dtype = xp.result_type(x.dtype, weight.dtype)
        return (
            xp.astype(x, dtype, copy=False),
            xp.astype(weight, dtype, copy=False),
            None if bias is None else xp.astype(bias, dtype, copy=False),
        )
