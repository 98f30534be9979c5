"""foldl_init: a left fold that always starts from an initial value."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from polylux import tree
from polylux.arrays import is_array, precision_scope
from polylux.ops._slices import eachslice


def foldl_init(op: Callable[[Any, Any], Any], x: Iterable[Any], init: Any = None, /) -> Any:
    """`op(...op(op(init, x[0]), x[1])..., x[-1])`.

    Without `init` the first call is `op(None, x[0])`: `op` has to know what None means.

    Parameters
    ----------
    op : callable
        Of what was folded so far and the next item.
    x : iterable
        Or an array, whose items are its slices along the first axis.
    init : any
        What an empty `x` gives, too.

    Returns
    -------
    any
        Derivatives flow to `init`, to every item and to what `op` captures.

    References
    ----------
    `foldl_init` of the Utilities page.

    Examples
    --------
    >>> foldl_init(lambda total, item: total + item, [1, 2, 3], 10)
    16
    >>> foldl_init(lambda total, item: item if total is None else total * item, (2, 3, 4))
    24
    """
    items = eachslice(x, 0) if is_array(x) else list(x)
    arrays, _ = tree.flatten((items, init), is_array)
    with precision_scope(*arrays):
        return functools.reduce(op, items, init)
