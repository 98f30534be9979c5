"""hessian: all second derivatives of a scalar function of a tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.operators._hvp import gradient_of
from polylux.operators._levels import Arrays
from polylux.operators._operator import Operator, Sizes
from polylux.operators._results import like_x, value_tree, x_by_x
from polylux.operators._routes import (
    CALL,
    Cost,
    Means,
    gradient_cost,
    symmetric_cost,
    symmetric_route,
)
from polylux.operators._task import Task
from polylux.selectors import ADType
from polylux.typing import PyTree


def _kernel(task: Task) -> tuple[tuple[Any, ...], Arrays]:
    gradients, blocks, (value, *aux) = task.outer.jacobian(
        gradient_of(task), task.leaves, square=True
    )
    return ((value,), gradients, blocks), tuple(aux)


def _cost(outer: Means, inner: Means, sizes: Sizes) -> Cost:
    slope = gradient_cost(inner, CALL, sizes.inputs)
    return symmetric_cost(outer, slope, sizes.inputs, sizes.inputs)


HESSIAN = Operator(
    name="hessian",
    kernel=_kernel,
    trees=(value_tree, like_x, x_by_x),
    route=lambda outer, inner, sizes: symmetric_route(outer, inner, sizes.inputs),
    cost=_cost,
    order=2,
    is_scalar=True,
)


def value_gradient_and_hessian(
    f: Callable[..., Any], selector: ADType, x: PyTree, *constants: Any, has_aux: bool = False
) -> tuple[Any, ...]:
    """Value of `f(x, *constants)`, its gradient and its Hessian with respect to `x`.

    Parameters
    ----------
    f : callable
        Returns a 0-d real array.
    selector : ADType
        `SecondOrder` chooses the two modes.
    x, *constants, has_aux
        As for `value_and_gradient`.

    Returns
    -------
    value : 0-d array
    gradient : tree
        Like `x`.
    hessian : tree
        Like `x`; in place of each leaf a tree like `x`, whose arrays have the shape
        `leaf.shape + other.shape` and the dtype of the other leaf. So of one array it is an array.
        Zeros for integer leaves.
    aux : tree
        With `has_aux` only.

    Raises
    ------
    UnsupportedError
        If derivatives of the backend do not nest.
    ObjectiveError, NothingTrainableError
        As for `value_and_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, to_host, value_gradient_and_hessian
    >>> value, gradient, matrix = value_gradient_and_hessian(
    ...     lambda x: x[0] ** 2 * x[1], AutoAutograd(), np.asarray([1.0, 2.0])
    ... )
    >>> float(value), to_host(gradient)
    (2.0, array([4., 1.]))
    >>> to_host(matrix)
    array([[4., 2.],
           [2., 0.]])
    """
    return HESSIAN(f, selector, x, constants, has_aux)


def hessian(
    f: Callable[..., Any], selector: ADType, x: PyTree, *constants: Any, has_aux: bool = False
) -> Any:
    """The Hessian of the scalar function `f(x, *constants)` with respect to `x`.

    Parameters
    ----------
    f, selector, x, *constants, has_aux
        As for `value_gradient_and_hessian`.

    Returns
    -------
    tree
        A tree like `x` of trees like `x`; with `has_aux` a pair of that and `aux`.

    Raises
    ------
    UnsupportedError, ObjectiveError, NothingTrainableError
        As for `value_gradient_and_hessian`.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, hessian, to_host
    >>> to_host(hessian(lambda x: x[0] * x[1], AutoAutograd(), np.asarray([1.0, 2.0])))
    array([[0., 1.],
           [1., 0.]])
    """
    return HESSIAN.last(f, selector, x, constants, has_aux)
