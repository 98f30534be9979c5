"""Layer, the base of models with parameters, and setup, which draws these."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import optree

from polylux import tree
from polylux.arrays import is_array
from polylux.errors import OptionError
from polylux.layers._printing import Outline, render
from polylux.spec import Spec
from polylux.typing import PyTree

Shape: TypeAlias = Any
"""A tuple of ints, all axes of an array, the batch included; or a tree of such tuples."""


class Layer(Spec, ABC):
    """A frozen, hashable description of a function with parameters and states.

    A subclass is a frozen dataclass (`@dataclass(frozen=True, repr=False)`) that holds settings
    only. It implements the call, and what it needs of `initial_parameters` and `initial_states`;
    the other methods follow from these, and may be overridden where that is cheaper. Two layers
    with equal settings are equal, so one built anew at each step finds what was compiled for the
    first. A layer made of layers is a `Container`.

    Parameters and states are trees, as a rule dicts by name. What depends on training or testing
    keeps a Python bool `"training"` in its states (`istraining` reads it, `trainmode` and
    `testmode` set it): under jit it is a constant, so that a model is traced once for each mode.

    Printing a layer shows its parts with the number of their parameters and states.

    Examples
    --------
    >>> import dataclasses
    >>> import numpy as np
    >>> @dataclasses.dataclass(frozen=True, repr=False)
    ... class Shift(Layer):
    ...     features: int
    ...     def __call__(self, x, ps, st):
    ...         return x + ps["by"], st
    ...     def initial_parameters(self, rng):
    ...         return {"by": np.zeros(self.features, dtype=np.float32)}
    >>> print(Shift(3))
    Shift(3)  # 3 parameters
    >>> Shift(3).output_shape((5, 3))
    (5, 3)
    """

    @abstractmethod
    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        """Output and new states, for the input `x`, parameters `ps` and states `st`.

        Nothing that is given is changed. Where no state changes, `st` itself is returned.
        """

    def initial_parameters(self, rng: np.random.Generator) -> PyTree:
        """A tree of new host arrays in float32; an empty dict for a layer without parameters."""
        return {}

    def initial_states(self, rng: np.random.Generator) -> PyTree:
        """A tree of what changes from call to call without being trained; often empty."""
        return {}

    def parameter_count(self) -> int:
        """Number of numbers in the parameters that `setup` makes.

        Draws them to count them, unless a subclass knows better.
        """
        return parameter_count(self.initial_parameters(np.random.default_rng(0)))

    def state_count(self) -> int:
        """Number of numbers in the states that `setup` makes; what is no array counts one."""
        return state_count(self.initial_states(np.random.default_rng(0)))

    def output_shape(self, input_shape: Shape, /) -> Shape:
        """Shape of the output for an input of this shape, both with the batch axis.

        For an input of several arrays the shapes stand in the same containers. This one runs the
        layer once, on zeros on the host; layers that know their shape compute nothing.

        Raises
        ------
        ShapeError
            If an input of this shape does not fit.
        """
        ps, st = setup(np.random.default_rng(0), self)
        y, _ = self(zeros_of(input_shape), ps, st)
        return shape_of(y)

    def preserves_state_type(self) -> bool:
        """Whether each call gives states of the same containers, shapes and dtypes."""
        return True

    def __str__(self) -> str:
        return render(self._outline())

    def _outline(self) -> Outline:
        """What `print` shows."""
        return Outline(repr(self), self.parameter_count(), self.state_count())


@runtime_checkable
class HasSetup(Protocol):
    """What `setup` needs of a model."""

    def initial_parameters(self, rng: np.random.Generator) -> PyTree: ...

    def initial_states(self, rng: np.random.Generator) -> PyTree: ...


@runtime_checkable
class HasCounts(Protocol):
    """What knows its own numbers of parameters and states."""

    def parameter_count(self) -> int: ...

    def state_count(self) -> int: ...


def parameter_count(of: Any, /) -> int:
    """Number of numbers in a parameter tree, or in those that a layer starts with.

    Parameters
    ----------
    of : tree or Layer
        A tied array counts once; leaves that are no arrays do not count.

    Returns
    -------
    int

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import Dense
    >>> parameter_count({"weight": np.ones((2, 3)), "bias": np.ones(3)})
    9
    >>> parameter_count(Dense(2, 3))
    9
    """
    if isinstance(of, HasCounts):
        return of.parameter_count()
    if isinstance(of, HasSetup):
        of = of.initial_parameters(np.random.default_rng(0))
    arrays, _ = tree.flatten(of, is_array)
    return sum(math.prod(array.shape) for array in arrays)


def state_count(of: Any, /) -> int:
    """Number of numbers in a tree of states, or in those that a layer starts with.

    Parameters
    ----------
    of : tree or Layer
        Each leaf that is no array counts one: a number, a flag, a function.

    Returns
    -------
    int

    Examples
    --------
    >>> import numpy as np
    >>> state_count({"mean": np.zeros(4), "training": True})
    5
    """
    if isinstance(of, HasCounts):
        return of.state_count()
    if isinstance(of, HasSetup):
        of = of.initial_states(np.random.default_rng(0))
    arrays, structure = tree.flatten(of, is_array)
    in_arrays: int = sum(math.prod(array.shape) for array in arrays)
    return in_arrays + len(structure.statics)


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


def zeros_of(shape: Shape) -> Any:
    """Float32 zeros on the host of this shape, or a tree of them; they take no memory."""
    return optree.tree_map(
        lambda one: np.broadcast_to(np.float32(0), one),
        shape,
        is_leaf=is_shape,
        namespace=tree.NAMESPACE,
    )


def shape_of(values: PyTree) -> Shape:
    """The shapes of a tree of arrays, in its containers."""
    return optree.tree_map(lambda array: tuple(array.shape), values, namespace=tree.NAMESPACE)


def is_shape(node: Any) -> bool:
    """Whether a node of a tree of shapes is one array's shape: a tuple of ints."""
    return isinstance(node, tuple) and all(isinstance(length, int) for length in node)
