"""vmap: a function of one item, applied to all items along the leading axis at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from polylux import arrays, registry, tree
from polylux.backend import Capability
from polylux.errors import OptionError, ShapeError, UnsupportedError
from polylux.running import run
from polylux.transforms._trees import TreeFunction
from polylux.tree import Structure


def vmap(
    f: Callable[..., Any], in_axes: int | Sequence[int | None] = 0
) -> Callable[..., Any]:
    """A function that applies `f` to the items along the first axis of its arguments.

    Parameters
    ----------
    f : callable
        Of trees for one item, to a tree. It runs once, on values that stand for any item: what it
        does must not depend on their numbers.
    in_axes : 0 or sequence of 0 and None
        For each positional argument, 0 if its arrays are mapped over, or None if every item gets
        it whole. Keyword arguments and leaves that are no arrays always come whole.

    Returns
    -------
    callable
        With the arguments of `f`; each mapped array has one more axis, the first, of one length.
        Each array in the result has that axis too. It stands inside derivatives and around them,
        as in `vmap(lambda x: gradient(f, selector_of(x), x))`.

    Raises
    ------
    OptionError
        If `f` is no function, or `in_axes` are not as above or as many as the arguments.
    ShapeError
        When called, if mapped arrays have no axis or first axes of several lengths.
    UnsupportedError
        When called with arrays of a backend that has no vmap; it names selectors that can.
    ArrayMixError
        When called with arrays of several backends, or if `f` returns those of another.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoTorch, array_namespace, gradient, selector_of, to_backend, vmap
    >>> def f(x):
    ...     return array_namespace(x).sum(x**3)
    >>> points = to_backend(np.asarray([[1.0, 2.0], [3.0, 4.0]]), AutoTorch())
    >>> vmap(lambda x: gradient(f, selector_of(x), x))(points).tolist()
    [[3.0, 12.0], [27.0, 48.0]]
    """
    if not callable(f):
        raise OptionError(f"vmap takes a function, got {f!r}; call it as vmap(f)(x)")
    axes = in_axes if isinstance(in_axes, Sequence) else (in_axes,)
    if not all(axis is None or (type(axis) is int and axis == 0) for axis in axes):
        raise OptionError(
            f"vmap(in_axes=...) takes 0, or 0 or None for each argument, got {in_axes!r}; move "
            "another axis to the front with xp.moveaxis"
        )
    if all(axis is None for axis in axes):
        raise OptionError(
            f"vmap(in_axes={in_axes!r}) maps over no argument; give at least one of them 0"
        )

    @functools.wraps(f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        over = _places(args, in_axes)
        found, structure = tree.flatten((tuple([args[i] for i in over]), {}), arrays.is_array)
        _require_one_length(found, structure, over)
        backend, selector = registry.resolve(arrays.selector_of(*found))
        if Capability.VMAP not in backend.capabilities:
            raise UnsupportedError(
                f"{selector!r} has no vmap; use AutoTorch() or AutoJax() "
                "(outside an objective: move the arrays with to_backend(x, AutoJax())), or write "
                "the function for a whole batch"
            )

        def of_items(*items: Any) -> Any:
            filled = list(args)
            for i, item in zip(over, items, strict=True):
                filled[i] = item
            return f(*filled, **kwargs)

        function = TreeFunction(of_items, structure, backend, "the function of vmap")
        every, _ = tree.flatten((args, kwargs), arrays.is_array)
        scope = backend.precision_scope(every)
        return function.result(run(backend, scope, backend.vmap, function, found, selector))

    return mapped


def _places(args: tuple[Any, ...], in_axes: int | Sequence[int | None]) -> list[int]:
    """Which arguments are mapped over."""
    if not isinstance(in_axes, Sequence):
        return list(range(len(args)))
    if len(in_axes) != len(args):
        raise OptionError(
            f"vmap got {len(args)} positional arguments, and in_axes={in_axes!r} is for "
            f"{len(in_axes)}"
        )
    return [i for i, axis in enumerate(in_axes) if axis == 0]


def _require_one_length(found: Sequence[Any], structure: Structure, over: list[int]) -> None:
    lengths = {array.shape[0] if array.shape else None for array in found}
    if len(lengths) == 1 and None not in lengths:
        return
    if not found:
        raise ShapeError("vmap got no array to map over; each mapped argument holds at least one")
    # A path begins with the place among the mapped arguments, as in `[0][1]['weight']`.
    shapes = []
    for path, array in zip(structure.paths(), found, strict=True):
        number, _, rest = path.removeprefix("[0][").partition("]")
        shapes.append(f"argument {over[int(number)]}{rest} has shape {tuple(array.shape)}")
    raise ShapeError(
        "vmap needs arrays with first axes of one length, but " + ", ".join(shapes) + "; give "
        "what every item gets whole the axis None in in_axes"
    )
