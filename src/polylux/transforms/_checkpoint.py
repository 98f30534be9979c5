"""checkpoint: values that are computed again in the backward pass, not kept for it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from polylux import arrays, registry, tree
from polylux.backend import Capability
from polylux.errors import OptionError, UnsupportedError
from polylux.running import run
from polylux.transforms._trees import TreeFunction


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does what `f` does, and keeps only its arguments for the backward pass.

    A backward pass through it runs `f` a second time, for the values that its derivatives need: it
    trades time (about one more forward pass of `f`) for memory. The numbers are those of `f`, to
    any order. Without a derivative under way, and in forward mode, `f` simply runs.

    Parameters
    ----------
    f : callable
        Of trees, to a tree. It has to do the same at each run: a layer's random numbers come from
        a state that it is given. What it captures is not kept from differentiation.

    Returns
    -------
    callable
        With the arguments of `f`, keywords included.

    Raises
    ------
    OptionError
        If `f` is no function.
    UnsupportedError
        When called with arrays of a backend that cannot compute anew; it names selectors that can.
    ArrayMixError
        When called with arrays of several backends, or if `f` returns those of another.

    Notes
    -----
    With autograd, a function that captures traced values beside its arguments is recorded as
    usual: right, and without the saving. Hand them in as arguments.

    References
    ----------
    Griewank and Walther, Algorithm 799: Revolve (2000), for the trade of time for memory.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, array_namespace, checkpoint, gradient
    >>> @checkpoint
    ... def block(x, scale):
    ...     return array_namespace(x).tanh(x) * scale
    >>> def f(x):
    ...     return block(block(x, 1.0), 2.0)
    >>> float(gradient(f, AutoAutograd(), np.asarray(0.0)))
    2.0
    """
    if not callable(f):
        raise OptionError(f"checkpoint takes a function, got {f!r}; call it as checkpoint(f)(x)")

    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        found, structure = tree.flatten((args, kwargs), arrays.is_array)
        owner = arrays.common_owner(found, "checkpoint") if found else "foreign"
        if owner == "foreign":  # nothing differentiates it
            return f(*args, **kwargs)
        backend, selector = registry.resolve(arrays.selector_of(*found))
        if Capability.CHECKPOINT not in backend.capabilities:
            raise UnsupportedError(
                f"{selector!r} does not compute values anew in a backward pass; call the function "
                "without checkpoint, or use AutoTorch(), AutoJax() or AutoAutograd()"
            )
        function = TreeFunction(f, structure, backend, "the function of checkpoint")
        scope = backend.precision_scope(found)
        return function.result(run(backend, scope, backend.checkpoint, function, found, selector))

    return checkpointed
