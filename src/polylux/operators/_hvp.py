"""hvp: the Hessian of a scalar function times a direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.operators._levels import Arrays
from polylux.operators._operator import Operator, Sizes
from polylux.operators._results import like_one_x, like_x, value_tree
from polylux.operators._routes import (
    CALL,
    Cost,
    Means,
    gradient_cost,
    pull_cost,
    push_cost,
    pushes,
    symmetric_cost,
    symmetric_route,
)
from polylux.operators._task import Task
from polylux.selectors import ADType
from polylux.typing import PyTree


def gradient_of(task: Task) -> Callable[..., tuple[Arrays, Arrays]]:
    """The gradient as a function of the leaves, with the value first in its auxiliary output."""

    def function(*leaves: Any) -> tuple[Arrays, Arrays]:
        value, gradients, aux = task.inner.gradient(task.scalar, leaves)
        return gradients, (value, *aux)

    return function


def _kernel(task: Task) -> tuple[tuple[Any, ...], Arrays]:
    count = task.directions[0].shape[0] if task.several else 1
    if pushes(task.outer.means, count):
        gradients, products, (value, *aux) = task.outer.push(
            gradient_of(task), task.leaves, task.directions, task.several
        )
    elif task.inner.means.is_forward:
        return _reverse_over_forward(task)
    else:
        gradients, products, (value, *aux) = task.outer.pull(
            gradient_of(task), task.leaves, lambda _: task.directions, task.several
        )
    return ((value,), gradients, products), tuple(aux)


def _reverse_over_forward(task: Task) -> tuple[tuple[Any, ...], Arrays]:
    """Rows of the Jacobian of the value and its slopes along the directions."""

    def slopes(*leaves: Any) -> tuple[Arrays, Arrays]:
        outputs, derivatives, aux = task.inner.push(
            task.function, leaves, task.directions, task.several
        )
        return (*outputs, *derivatives), aux

    (value, _), (gradients, products), aux = task.outer.rows(slopes, task.leaves)
    return ((value,), gradients, products), aux


def _cost(outer: Means, inner: Means, sizes: Sizes) -> Cost:
    if inner.is_forward and not pushes(outer, sizes.directions):
        slopes = push_cost(inner, CALL, sizes.directions, sizes.inputs, 1)
        return pull_cost(outer, slopes, sizes.directions + 1, sizes.inputs)
    slope = gradient_cost(inner, CALL, sizes.inputs)
    return symmetric_cost(outer, slope, sizes.directions, sizes.inputs)


HVP = Operator(
    name="hvp",
    kernel=_kernel,
    trees=(value_tree, like_one_x, like_x),
    route=lambda outer, inner, sizes: symmetric_route(outer, inner, sizes.directions),
    cost=_cost,
    order=2,
    direction="x",
    is_scalar=True,
)


def value_gradient_and_hvp(
    f: Callable[..., Any],
    selector: ADType,
    x: PyTree,
    direction: PyTree,
    *constants: Any,
    has_aux: bool = False,
    batched: bool = False,
) -> tuple[Any, ...]:
    """Value of `f(x, *constants)`, its gradient, and its Hessian times a direction of `x`.

    Forward over reverse mode where the backend has both; the Hessian itself is not formed.

    Parameters
    ----------
    f : callable
        Returns a 0-d real array.
    selector : ADType
        `SecondOrder` chooses the two modes.
    x, direction, *constants, has_aux, batched
        As for `value_and_pushforward`.

    Returns
    -------
    value : 0-d array
    gradient : tree
        Like `x`.
    product : tree
        Like `x`, of its shapes and dtypes; zeros for integer leaves.
    aux : tree
        With `has_aux` only.

    Raises
    ------
    UnsupportedError
        If derivatives of the backend do not nest.
    ShapeError, TreeError
        If `direction` is not like `x`.
    ObjectiveError, NothingTrainableError
        As for `value_and_gradient`.

    References
    ----------
    Pearlmutter, Fast exact multiplication by the Hessian (1994), section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, to_host, value_gradient_and_hvp
    >>> value, gradient, product = value_gradient_and_hvp(
    ...     lambda x: (x**3).sum(), AutoAutograd(), np.asarray([1.0, 2.0]), np.ones(2)
    ... )
    >>> float(value), to_host(gradient), to_host(product)
    (9.0, array([ 3., 12.]), array([ 6., 12.]))
    """
    return HVP(f, selector, x, (direction, *constants), has_aux, batched)


def hvp(
    f: Callable[..., Any],
    selector: ADType,
    x: PyTree,
    direction: PyTree,
    *constants: Any,
    has_aux: bool = False,
    batched: bool = False,
) -> Any:
    """The Hessian of the scalar function `f(x, *constants)` times a direction of `x`.

    Parameters
    ----------
    f, selector, x, direction, *constants, has_aux, batched
        As for `value_gradient_and_hvp`.

    Returns
    -------
    tree
        Like `x`; with `has_aux` a pair of that and `aux`.

    Raises
    ------
    UnsupportedError, ShapeError, TreeError, ObjectiveError, NothingTrainableError
        As for `value_gradient_and_hvp`.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, hvp, to_host
    >>> to_host(hvp(lambda x: (x**3).sum(), AutoAutograd(), np.asarray([1.0, 2.0]), np.ones(2)))
    array([ 6., 12.])
    """
    return HVP.last(f, selector, x, (direction, *constants), has_aux, batched)
