"""second_derivative: of a function of one number."""

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
    count = 0

    def slope(*leaves: Any) -> tuple[Arrays, Arrays]:
        nonlocal count
        outputs, slopes, aux = task.inner.push(task.function, leaves, one)
        count = len(outputs)
        return slopes, (*outputs, *aux)

    slopes, seconds, rest = task.outer.push(slope, task.leaves, one)
    return (rest[:count], slopes, seconds), rest[count:]


def _cost(outer: Means, inner: Means, sizes: Sizes) -> Cost:
    slope = push_cost(inner, CALL, 1, 1, sizes.known_outputs)
    return push_cost(outer, slope, 1, 1, sizes.known_outputs)


SECOND_DERIVATIVE = Operator(
    name="second_derivative",
    kernel=_kernel,
    trees=(value_tree, like_output, like_output),
    route=lambda outer, inner, sizes: f"{outer.push.value}, over {inner.push.value}",
    cost=_cost,
    order=2,
    of_a_number=True,
    needs_output=lambda outer, inner, inputs: outer.depends_on_output or inner.depends_on_output,
)


def value_derivative_and_second_derivative(
    f: Callable[..., Any], selector: ADType, x: Any, *constants: Any, has_aux: bool = False
) -> tuple[Any, ...]:
    """Value of `f(x, *constants)`, its derivative and its second derivative by the number `x`.

    Parameters
    ----------
    f, x, *constants, has_aux
        As for `value_and_derivative`.
    selector : ADType
        `SecondOrder` chooses the two modes.

    Returns
    -------
    value, derivative, second_derivative : trees
        Like the value, of its shapes and dtypes; zeros for integer arrays.
    aux : tree
        With `has_aux` only.

    Raises
    ------
    UnsupportedError
        If derivatives of the backend do not nest.
    ShapeError, ObjectiveError, NothingTrainableError
        As for `value_and_derivative`.

    Examples
    --------
    >>> from polylux import AutoAutograd, value_derivative_and_second_derivative
    >>> found = value_derivative_and_second_derivative(lambda x: x**3, AutoAutograd(), 2.0)
    >>> [float(d) for d in found]
    [8.0, 12.0, 12.0]
    """
    return SECOND_DERIVATIVE(f, selector, x, constants, has_aux)


def second_derivative(
    f: Callable[..., Any], selector: ADType, x: Any, *constants: Any, has_aux: bool = False
) -> Any:
    """The second derivative of `f(x, *constants)` by the number `x`.

    Parameters
    ----------
    f, selector, x, *constants, has_aux
        As for `value_derivative_and_second_derivative`.

    Returns
    -------
    tree
        Like the value of `f`; with `has_aux` a pair of that and `aux`.

    Raises
    ------
    UnsupportedError, ShapeError, ObjectiveError, NothingTrainableError
        As for `value_derivative_and_second_derivative`.

    Examples
    --------
    >>> from polylux import AutoAutograd, second_derivative
    >>> float(second_derivative(lambda x: x**4, AutoAutograd(), 2.0))
    48.0
    """
    return SECOND_DERIVATIVE.last(f, selector, x, constants, has_aux)
