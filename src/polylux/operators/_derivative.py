"""derivative: of a function of one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.operators._levels import Arrays
from polylux.operators._operator import Operator, Sizes
from polylux.operators._results import like_output, value_tree
from polylux.operators._routes import CALL, Cost, Means, push_cost
from polylux.operators._task import Task
from polylux.selectors import ADType


def _kernel(task: Task) -> tuple[tuple[Any, ...], Arrays]:
    one = tuple(map(task.xp.ones_like, task.leaves))
    outputs, slopes, aux = task.inner.push(task.function, task.leaves, one)
    return (outputs, slopes), aux


def _cost(outer: Means, inner: Means, sizes: Sizes) -> Cost:
    return push_cost(inner, CALL, 1, 1, sizes.known_outputs)


DERIVATIVE = Operator(
    name="derivative",
    kernel=_kernel,
    trees=(value_tree, like_output),
    route=lambda outer, inner, sizes: inner.push.value,
    cost=_cost,
    of_a_number=True,
    needs_output=lambda outer, inner, inputs: inner.depends_on_output,
)


def value_and_derivative(
    f: Callable[..., Any], selector: ADType, x: Any, *constants: Any, has_aux: bool = False
) -> tuple[Any, ...]:
    """Value of `f(x, *constants)`, and its derivative by the number `x`.

    Parameters
    ----------
    f : callable
        Returns an array or a tree of arrays.
    selector : ADType
    x : 0-d array or float
        A Python float stands for a 0-d float64 array.
    *constants
        Trees, which are not differentiated.
    has_aux : bool
        `f` returns `(value, aux)`; `aux`, any tree, comes back as the last result.

    Returns
    -------
    value : tree
    derivative : tree
        Like the value, of its shapes and dtypes; zeros for integer arrays.
    aux : tree
        With `has_aux` only.

    Raises
    ------
    ShapeError
        If `x` is not one number.
    ObjectiveError, NothingTrainableError, UnsupportedError
        As for `value_and_pushforward`.

    Examples
    --------
    >>> from polylux import AutoAutograd, value_and_derivative
    >>> value, slope = value_and_derivative(lambda x: x**3, AutoAutograd(), 2.0)
    >>> float(value), float(slope)
    (8.0, 12.0)
    """
    return DERIVATIVE(f, selector, x, constants, has_aux)


def derivative(
    f: Callable[..., Any], selector: ADType, x: Any, *constants: Any, has_aux: bool = False
) -> Any:
    """The derivative of `f(x, *constants)` by the number `x`.

    Parameters
    ----------
    f, selector, x, *constants, has_aux
        As for `value_and_derivative`.

    Returns
    -------
    tree
        Like the value of `f`; with `has_aux` a pair of that and `aux`.

    Raises
    ------
    ShapeError, ObjectiveError, NothingTrainableError, UnsupportedError
        As for `value_and_derivative`.

    Examples
    --------
    >>> from polylux import AutoAutograd, derivative
    >>> slopes = derivative(lambda x: {"square": x**2, "cube": x**3}, AutoAutograd(), 2.0)
    >>> float(slopes["square"]), float(slopes["cube"])
    (4.0, 12.0)
    """
    return DERIVATIVE.last(f, selector, x, constants, has_aux)
