"""gradient: of a scalar function of a tree, with its value or alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.backend import Function
from polylux.operators._levels import Arrays, Level
from polylux.operators._operator import Operator, Sizes
from polylux.operators._results import like_x, value_tree
from polylux.operators._routes import CALL, Cost, Means, gradient_cost
from polylux.operators._task import Task
from polylux.selectors import ADType
from polylux.typing import PyTree


def _kernel(task: Task) -> tuple[tuple[Any, ...], Arrays]:
    value, gradients, aux = task.inner.gradient(task.scalar, task.leaves)
    return ((value,), gradients), aux


def _of_one_array(level: Level, function: Function, leaf: Any) -> tuple[Any, ...]:
    value, (gradient,), _ = level.gradient(function, (leaf,))
    return value, gradient


def _cost(outer: Means, inner: Means, sizes: Sizes) -> Cost:
    return gradient_cost(inner, CALL, sizes.inputs)


def _route(outer: Means, inner: Means, sizes: Sizes) -> str:
    return inner.pull.value if inner.is_forward else "the backend's own gradient (reverse mode)"


GRADIENT = Operator(
    name="gradient",
    kernel=_kernel,
    trees=(value_tree, like_x),
    route=_route,
    cost=_cost,
    is_scalar=True,
    short=_of_one_array,
)


def value_and_gradient(
    f: Callable[..., Any], selector: ADType, x: PyTree, *constants: Any, has_aux: bool = False
) -> tuple[Any, ...]:
    """Value of `f(x, *constants)`, and its gradient with respect to `x`.

    Works inside an objective, on traced values, with `selector_of(x)` as the selector.

    Parameters
    ----------
    f : callable
        Returns a 0-d real array.
    selector : ADType
    x : tree
        Of arrays, which are moved to the backend if they are elsewhere. A Python float stands for
        a 0-d float64 array. Integer and boolean arrays and other leaves are handed on.
    *constants
        Trees; moved too, and not differentiated.
    has_aux : bool
        `f` returns `(value, aux)`; `aux`, any tree, comes back as the last result.

    Returns
    -------
    value : 0-d array
    gradient : tree
        Like `x`, of each leaf's shape and dtype; zeros where `f` does not depend on a leaf, and
        for integer leaves.
    aux : tree
        With `has_aux` only.

    Raises
    ------
    ObjectiveError
        If `f` returns no real scalar.
    NothingTrainableError
        If `x` has no floating-point array.
    UnsupportedError
        If the backend does not differentiate.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, array_namespace, value_and_gradient
    >>> def f(p):
    ...     return array_namespace(p["a"]).sum(p["a"] ** 2)
    >>> value, grad = value_and_gradient(f, AutoAutograd(), {"a": np.ones(2)})
    >>> float(value), [float(g) for g in grad["a"]]
    (2.0, [2.0, 2.0])
    """
    return GRADIENT(f, selector, x, constants, has_aux)


def gradient(
    f: Callable[..., Any], selector: ADType, x: PyTree, *constants: Any, has_aux: bool = False
) -> Any:
    """The gradient of `f(x, *constants)` with respect to `x`.

    Parameters
    ----------
    f, selector, x, *constants, has_aux
        As for `value_and_gradient`.

    Returns
    -------
    tree
        Like `x`; with `has_aux` a pair of that and `aux`.

    Raises
    ------
    ObjectiveError, NothingTrainableError, UnsupportedError
        As for `value_and_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, gradient
    >>> from polylux import array_namespace
    >>> def f(x):
    ...     return array_namespace(x).sum(x * x)
    >>> [float(g) for g in gradient(f, AutoAutograd(), np.asarray([1.0, 2.0]))]
    [2.0, 4.0]
    """
    return GRADIENT.last(f, selector, x, constants, has_aux)
