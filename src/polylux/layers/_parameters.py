"""What layers with parameters or states of their own share: Parametric, and checks."""

from __future__ import annotations

import contextlib
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from polylux.arrays import array_namespace, common_owner
from polylux.eltypes import match_eltype
from polylux.errors import PolyluxError, ShapeError, TreeError
from polylux.layers._base import Layer
from polylux.layers._initializers import Initializer, draw
from polylux.ops import keeping_precision, kind_of

Shape = tuple[int, ...]


class Parametric(Layer):
    """A layer that knows the shapes of its parameters.

    It has a setting `init_<name>` for each parameter `<name>` or `<name>_<part>`.
    """

    @abstractmethod
    def _shapes(self) -> dict[str, Shape]:
        """The shape of each parameter, in the order in which they are drawn."""

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        parameters = {}
        for name, shape in self._shapes().items():
            setting = f"init_{name.partition('_')[0]}"
            what = f"{type(self).__name__}({setting}=...)"
            parameters[name] = draw(self._initializer(setting), rng, shape, what)
        return parameters

    def _initializer(self, setting: str) -> Initializer:
        return getattr(self, setting)  # type: ignore[no-any-return]  # a subclass's field

    def parameter_count(self) -> int:
        return sum(map(math.prod, self._shapes().values()))

    def _explain(self, error: Exception, inputs: tuple[Any, ...], ps: Any) -> None:
        """Raise a clearer error than `error`, if the inputs or the parameters do not fit.

        Asked for once something has failed: a good call pays nothing.
        """
        if isinstance(error, PolyluxError):
            return
        shapes = self._shapes()
        for name in shapes:
            if not (isinstance(ps, Mapping) and name in ps):
                raise TreeError(
                    f"{self!r} needs parameters {shapes}, got none named {name!r}"
                ) from error
        common_owner((*inputs, *(ps[name] for name in shapes)), type(self).__name__)
        for name, shape in shapes.items():
            if tuple(ps[name].shape) != shape:
                raise ShapeError(
                    f"{self!r} needs a {name} of shape {shape}, got {tuple(ps[name].shape)}"
                ) from error


def aligned(layer: object, x: Any, *parameters: Any) -> tuple[Any, ...]:
    """Input and parameters in one dtype: the wider of theirs, for integers the parameters'.

    The preference `eltype_mismatch_handling` is asked first, of the input.
    A parameter may be None, but the first. Only for an input of another dtype than the first one's:
    a layer looks at that itself, for it is rare.
    """
    common_owner((x, *parameters), type(layer).__name__)
    x = match_eltype(layer, parameters, None, x)
    weight = parameters[0]
    xp = array_namespace(x, weight)
    scope = keeping_precision(x, weight)
    with contextlib.nullcontext() if scope is None else scope:
        if kind_of(x) not in ("float", "low"):
            return xp.astype(x, weight.dtype), *parameters
        dtype = xp.result_type(x.dtype, weight.dtype)
        return tuple(
            None if array is None else xp.astype(array, dtype, copy=False)
            for array in (x, *parameters)
        )


def require_last(layer: object, shape: Any, expected: Shape, what: str = "an input") -> None:
    """Raise unless a shape ends with these lengths."""
    if tuple(shape)[len(shape) - len(expected) :] != expected or len(shape) < len(expected):
        ending = ", ".join(map(str, expected))
        raise ShapeError(f"{layer!r} needs {what} of shape (..., {ending}), got {tuple(shape)}")


def explain_states(
    layer: object, error: Exception, x: Any, st: Any, names: tuple[str, ...]
) -> None:
    """Raise a clearer error than `error`, if the states do not fit."""
    if isinstance(error, PolyluxError):
        return
    if not (isinstance(st, Mapping) and all(name in st for name in names)):
        raise TreeError(
            f"{layer!r} needs states with the keys {list(names)}; setup(rng, model) makes them"
        ) from error
    arrays = [st[name] for name in names if not isinstance(st[name], bool)]
    common_owner((x, *arrays), type(layer).__name__)
