"""Layer, the base of models with parameters, and setup, which draws these."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Protocol, runtime_checkable

import numpy as np

from polylux import tree
from polylux.arrays import is_array
from polylux.errors import OptionError
from polylux.spec import Spec
from polylux.typing import PyTree


class Layer(Spec, ABC):
    """A frozen, hashable description of a function with parameters and states.

    A subclass is a frozen dataclass (`@dataclass(frozen=True, repr=False)`) that holds settings
    only, and implements the call and what it needs of the two `initial_` methods. Two layers with
    equal settings are equal, so one built anew at each step finds what was compiled for the first.
    """

    @abstractmethod
    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        """Output and new states, for the input `x`, parameters `ps` and states `st`."""

    def initial_parameters(self, rng: np.random.Generator) -> PyTree:
        """A tree of new host arrays in float32; an empty dict for a layer without parameters."""
        return {}

    def initial_states(self, rng: np.random.Generator) -> PyTree:
        """A tree of what changes from call to call without being trained; often empty."""
        return {}

    def parameter_count(self, ps: PyTree) -> int:
        """Number of numbers in a parameter tree; a tied array counts once."""
        return parameter_count(ps)


@runtime_checkable
class HasSetup(Protocol):
    """What `setup` needs of a model."""

    def initial_parameters(self, rng: np.random.Generator) -> PyTree: ...

    def initial_states(self, rng: np.random.Generator) -> PyTree: ...


def parameter_count(ps: PyTree) -> int:
    """Number of numbers in a parameter tree; a tied array counts once.

    Examples
    --------
    >>> import numpy as np
    >>> parameter_count({"weight": np.ones((2, 3)), "bias": np.ones(3)})
    9
    """
    arrays, _ = tree.flatten(ps, is_array)
    return sum(math.prod(array.shape) for array in arrays)


def setup(rng: np.random.Generator, model: Any) -> tuple[PyTree, PyTree]:
    """New parameters and states for a model, as host arrays: equal for every backend.

    Parameters
    ----------
    rng : numpy.random.Generator
        Advanced by what is drawn: the parameters of each layer in order, then the states.
    model : Layer
        Or any object with its two `initial_` methods.

    Returns
    -------
    ps, st : trees

    Raises
    ------
    OptionError
        If `rng` is no generator, or the model cannot draw its parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import Dense
    >>> ps, st = setup(np.random.default_rng(0), Dense(2, 3))
    >>> ps["weight"].shape, ps["bias"], st
    ((2, 3), array([0., 0., 0.], dtype=float32), {})
    """
    if not isinstance(rng, np.random.Generator):
        example = rng if isinstance(rng, int) and not isinstance(rng, bool) else 0
        raise OptionError(
            f"setup needs a numpy.random.Generator, got {rng!r}; "
            f"write setup(np.random.default_rng({example}), model)"
        )
    if isinstance(model, type):
        raise OptionError(
            f"setup needs a model, got the class {model.__name__}; make one: {model.__name__}(...)"
        )
    if not isinstance(model, HasSetup):
        raise OptionError(
            f"setup needs a model with initial_parameters(rng) and initial_states(rng), got "
            f"{model!r}; derive it from polylux.layers.Layer, or build its parameters and states "
            "yourself and pass them to TrainState(model, ps, st, optimizer)"
        )
    return model.initial_parameters(rng), model.initial_states(rng)
