"""pullback: a cotangent of the output brought back to the point, a vector-Jacobian product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.operators._levels import Arrays
from polylux.operators._operator import Operator, Sizes
from polylux.operators._results import like_x, value_tree
from polylux.operators._routes import CALL, Cost, Means, pull_cost
from polylux.operators._task import Task
from polylux.selectors import ADType
from polylux.typing import PyTree


def _kernel(task: Task) -> tuple[tuple[Any, ...], Arrays]:
    outputs, pulled, aux = task.inner.pull(
        task.function, task.leaves, task.cotangents, task.several
    )
    return (outputs, pulled), aux


def _cost(outer: Means, inner: Means, sizes: Sizes) -> Cost:
    return pull_cost(inner, CALL, sizes.directions, sizes.inputs)


PULLBACK = Operator(
    name="pullback",
    kernel=_kernel,
    trees=(value_tree, like_x),
    route=lambda outer, inner, sizes: inner.pull.value,
    cost=_cost,
    direction="output",
)


def value_and_pullback(
    f: Callable[..., Any],
    selector: ADType,
    x: PyTree,
    cotangent: PyTree,
    *constants: Any,
    has_aux: bool = False,
    batched: bool = False,
) -> tuple[Any, ...]:
    """Value of `f(x, *constants)`, and the gradient by `x` of its product with a cotangent.

    Parameters
    ----------
    f, selector, x, *constants
        As for `value_and_pushforward`.
    cotangent : tree
        Like the value of `f`, each array of the same shape; what stands at integer arrays and
        other leaves is not looked at. Cast to the dtypes of the value.
    has_aux : bool
        `f` returns `(value, aux)`; `aux`, any tree, comes back as the last result.
    batched : bool
        Several cotangents at once: each array of `cotangent`, and so of the result, has a leading
        axis.

    Returns
    -------
    value : tree
    pulled : tree
        Like `x`, of its shapes and dtypes; zeros for integer leaves. A tied leaf has its total at
        each of its places.
    aux : tree
        With `has_aux` only.

    Raises
    ------
    ShapeError, TreeError
        If `cotangent` is not like the value.
    ObjectiveError, NothingTrainableError, UnsupportedError
        As for `value_and_pushforward`.

    References
    ----------
    Griewank and Walther, Evaluating Derivatives (2nd edition), section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, value_and_pullback
    >>> value, pulled = value_and_pullback(
    ...     lambda x: x**2, AutoAutograd(), np.asarray([1.0, 2.0]), np.asarray([1.0, 10.0])
    ... )
    >>> [float(v) for v in value], [float(p) for p in pulled]
    ([1.0, 4.0], [2.0, 40.0])
    """
    return PULLBACK(f, selector, x, (cotangent, *constants), has_aux, batched)


def pullback(
    f: Callable[..., Any],
    selector: ADType,
    x: PyTree,
    cotangent: PyTree,
    *constants: Any,
    has_aux: bool = False,
    batched: bool = False,
) -> Any:
    """The gradient by `x` of the product of `f(x, *constants)` with a cotangent; also named `vjp`.

    Parameters
    ----------
    f, selector, x, cotangent, *constants, has_aux, batched
        As for `value_and_pullback`.

    Returns
    -------
    tree
        Like `x`; with `has_aux` a pair of that and `aux`.

    Raises
    ------
    ShapeError, TreeError, ObjectiveError, NothingTrainableError, UnsupportedError
        As for `value_and_pullback`.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, pullback
    >>> float(pullback(lambda x: x**3, AutoAutograd(), 2.0, 10.0))
    120.0
    """
    return PULLBACK.last(f, selector, x, (cotangent, *constants), has_aux, batched)
