"""jacobian: all first derivatives of a function of a tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.operators._levels import Arrays
from polylux.operators._operator import Operator, Sizes
from polylux.operators._results import output_by_x, value_tree
from polylux.operators._routes import (
    CALL,
    Cost,
    Means,
    Push,
    jacobian_cost,
    jacobian_route,
    needs_output_first,
)
from polylux.operators._task import Task
from polylux.selectors import ADType
from polylux.typing import PyTree


def _kernel(task: Task) -> tuple[tuple[Any, ...], Arrays]:
    outputs, blocks, aux = task.inner.jacobian(task.function, task.leaves)
    return (outputs, blocks), aux


def _cost(outer: Means, inner: Means, sizes: Sizes) -> Cost:
    return jacobian_cost(inner, CALL, sizes.inputs, sizes.known_outputs)


JACOBIAN = Operator(
    name="jacobian",
    kernel=_kernel,
    trees=(value_tree, output_by_x),
    route=lambda outer, inner, sizes: jacobian_route(inner, sizes.inputs, sizes.outputs),
    cost=_cost,
    needs_output=lambda outer, inner, inputs: (
        needs_output_first(inner, inputs) or inner.push is not Push.FORWARD
    ),
)


def value_and_jacobian(
    f: Callable[..., Any], selector: ADType, x: PyTree, *constants: Any, has_aux: bool = False
) -> tuple[Any, ...]:
    """Value of `f(x, *constants)`, and all its derivatives by the entries of `x`.

    Made of columns (pushforwards) if `x` has no more entries than the value, and of rows
    (pullbacks) otherwise; a selector's `mode` decides otherwise.

    Parameters
    ----------
    f, selector, x, *constants, has_aux
        As for `value_and_pushforward`.

    Returns
    -------
    value : tree
    jacobian : tree
        Like the value; in place of each array a tree like `x`, whose arrays have the shape
        `output.shape + leaf.shape` and the leaf's dtype. So of one array by one array it is an
        array. Zeros for integer arrays of either side.
    aux : tree
        With `has_aux` only.

    Raises
    ------
    ObjectiveError, NothingTrainableError, UnsupportedError
        As for `value_and_pushforward`.

    References
    ----------
    Griewank and Walther, Evaluating Derivatives (2nd edition), chapter 3.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, to_host, value_and_jacobian
    >>> value, matrix = value_and_jacobian(
    ...     lambda p: p["a"] * p["b"], AutoAutograd(), {"a": np.asarray([1.0, 2.0]), "b": 3.0}
    ... )
    >>> to_host(matrix["a"])
    array([[3., 0.],
           [0., 3.]])
    >>> to_host(matrix["b"])
    array([1., 2.])
    """
    return JACOBIAN(f, selector, x, constants, has_aux)


def jacobian(
    f: Callable[..., Any], selector: ADType, x: PyTree, *constants: Any, has_aux: bool = False
) -> Any:
    """All derivatives of `f(x, *constants)` by the entries of `x`.

    Parameters
    ----------
    f, selector, x, *constants, has_aux
        As for `value_and_jacobian`.

    Returns
    -------
    tree
        A tree like the value of trees like `x`; with `has_aux` a pair of that and `aux`.

    Raises
    ------
    ObjectiveError, NothingTrainableError, UnsupportedError
        As for `value_and_jacobian`.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, jacobian, to_host
    >>> to_host(jacobian(lambda x: x**2, AutoAutograd(), np.asarray([1.0, 2.0])))
    array([[2., 0.],
           [0., 4.]])
    """
    return JACOBIAN.last(f, selector, x, constants, has_aux)
