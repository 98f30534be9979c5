"""pushforward: the derivative of a function along a direction, a Jacobian-vector product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux.operators._levels import Arrays
from polylux.operators._operator import Operator, Sizes
from polylux.operators._results import like_output, value_tree
from polylux.operators._routes import CALL, Cost, Means, push_cost
from polylux.operators._task import Task
from polylux.selectors import ADType
from polylux.typing import PyTree


def _kernel(task: Task) -> tuple[tuple[Any, ...], Arrays]:
    outputs, derivatives, aux = task.inner.push(
        task.function, task.leaves, task.directions, task.several
    )
    return (outputs, derivatives), aux


def _cost(outer: Means, inner: Means, sizes: Sizes) -> Cost:
    return push_cost(inner, CALL, sizes.directions, sizes.inputs, sizes.known_outputs)


PUSHFORWARD = Operator(
    name="pushforward",
    kernel=_kernel,
    trees=(value_tree, like_output),
    route=lambda outer, inner, sizes: inner.push.value,
    cost=_cost,
    direction="x",
    needs_output=lambda outer, inner, inputs: inner.depends_on_output,
)


def value_and_pushforward(
    f: Callable[..., Any],
    selector: ADType,
    x: PyTree,
    direction: PyTree,
    *constants: Any,
    has_aux: bool = False,
    batched: bool = False,
) -> tuple[Any, ...]:
    """Value of `f(x, *constants)`, and its derivative along a direction of `x`.

    Parameters
    ----------
    f : callable
        Returns an array or a tree of arrays.
    selector : ADType
    x : tree
        Of arrays, which are moved to the backend if they are elsewhere. A Python float stands for
        a 0-d float64 array. Integer and boolean arrays and other leaves are handed on.
    direction : tree
        Like `x`, each array of its leaf's shape; what stands at leaves without derivative is not
        looked at. Cast to the leaves' dtypes.
    *constants
        Trees; moved too, and not differentiated.
    has_aux : bool
        `f` returns `(value, aux)`; `aux`, any tree, comes back as the last result.
    batched : bool
        Several directions at once: each array of `direction`, and so of the derivative, has a
        leading axis of directions.

    Returns
    -------
    value : tree
    derivative : tree
        Like the value, of its shapes and dtypes; zeros for integer arrays.
    aux : tree
        With `has_aux` only.

    Raises
    ------
    ShapeError, TreeError
        If `direction` is not like `x`.
    ObjectiveError
        If `f` returns no array.
    NothingTrainableError
        If `x` has no floating-point array.
    UnsupportedError
        If the backend does not differentiate.

    References
    ----------
    Griewank and Walther, Evaluating Derivatives (2nd edition), section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, value_and_pushforward
    >>> value, slope = value_and_pushforward(
    ...     lambda x: x**2, AutoAutograd(), np.asarray([1.0, 2.0]), np.asarray([1.0, 10.0])
    ... )
    >>> [float(v) for v in value], [float(s) for s in slope]
    ([1.0, 4.0], [2.0, 40.0])
    """
    return PUSHFORWARD(f, selector, x, (direction, *constants), has_aux, batched)


def pushforward(
    f: Callable[..., Any],
    selector: ADType,
    x: PyTree,
    direction: PyTree,
    *constants: Any,
    has_aux: bool = False,
    batched: bool = False,
) -> Any:
    """The derivative of `f(x, *constants)` along a direction of `x`; also named `jvp`.

    Parameters
    ----------
    f, selector, x, direction, *constants, has_aux, batched
        As for `value_and_pushforward`.

    Returns
    -------
    tree
        Like the value of `f`; with `has_aux` a pair of that and `aux`.

    Raises
    ------
    ShapeError, TreeError, ObjectiveError, NothingTrainableError, UnsupportedError
        As for `value_and_pushforward`.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, pushforward
    >>> x, direction = np.asarray([2.0, 3.0]), np.asarray([1.0, 1.0])
    >>> float(pushforward(lambda x: x[0] * x[1], AutoAutograd(), x, direction))
    5.0
    """
    return PUSHFORWARD.last(f, selector, x, (direction, *constants), has_aux, batched)
