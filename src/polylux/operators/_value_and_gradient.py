"""value_and_gradient: value and gradient of a scalar function of a tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optree

from polylux import arrays, registry, tree
from polylux.backend import Backend
from polylux.cache import OPERATORS, Entry
from polylux.errors import OptionError
from polylux.flat import Layout, lay_out
from polylux.running import require_real_scalar, run
from polylux.selectors import ADType
from polylux.tree import Structure
from polylux.typing import PyTree


def value_and_gradient(
    f: Callable[..., Any], selector: ADType, x: PyTree, *constants: Any
) -> tuple[Any, PyTree]:
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

    Returns
    -------
    value : 0-d array
    gradient : tree
        Like `x`, of each leaf's shape and dtype; zeros where `f` does not depend on a leaf, and
        for integer leaves.

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
    if not callable(f):
        raise OptionError(
            f"expected a callable as the first argument, got {f!r}; the order is (f, selector, x)"
        )
    backend, selector = registry.resolve(selector)
    found, layout = lay_out(_floats_as_arrays(x), "x")
    layout.require_trainable("the points x")
    others, others_structure = tree.flatten(constants, arrays.is_array)
    trainable, fixed = layout.split(arrays.move(found, backend, selector))
    others = arrays.move(others, backend, selector)

    function = _function(f, backend, selector, layout, others_structure)
    if backend.is_staged(selector) and not backend.is_tracing():
        # Inside a trace the function may have captured traced values, which no cache may keep.
        function = _staged(function, f, backend, selector, layout, others_structure)
    scope = backend.precision_scope((*trainable, *fixed, *others))
    (value, gradients), _ = run(backend, scope, function, trainable, fixed, others)
    zeros = [backend.namespace.zeros_like(array) for array in fixed]
    return value, layout.gradient_tree(gradients, zeros)


def _function(
    f: Callable[..., Any], backend: Backend, selector: ADType, layout: Layout, constants: Structure
) -> Callable[..., Any]:
    def function(trainable: Any, fixed: Any, others: Any) -> tuple[Any, None]:
        rest = constants.unflatten(others)

        def scalar(*leaves: Any) -> tuple[Any, tuple[()]]:
            value = f(layout.unflatten(leaves, fixed), *rest)
            require_real_scalar(value, backend, selector, "the value of f")
            return value, ()

        value, gradients, _ = backend.value_and_gradient(scalar, trainable, selector)
        return (value, gradients), None

    return function


def _staged(
    function: Callable[..., Any],
    f: Callable[..., Any],
    backend: Backend,
    selector: ADType,
    layout: Layout,
    constants: Structure,
) -> Callable[..., Any]:
    cache = OPERATORS.of(f)
    parts = ("value_and_gradient", selector, f, layout, constants)
    entry = cache.find(parts)
    if entry is None:
        names = ("operator", "selector", "function", "x", "constants")
        entry = Entry(names, parts, backend.stage(function, selector))
        cache.add(entry, is_staged=True)
    return entry.staged


def _floats_as_arrays(x: PyTree) -> PyTree:
    """Python floats become 0-d float64 arrays: the point of a derivative has to be one."""
    return optree.tree_map(
        lambda leaf: np.asarray(leaf) if type(leaf) is float else leaf, x, namespace=tree.NAMESPACE
    )
