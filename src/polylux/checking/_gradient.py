"""check_gradient: a backend's gradient against central differences along random directions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from polylux import arrays, registry, tree
from polylux.checking._differences import compare
from polylux.checking._line import Hosts, Line
from polylux.checking._report import Comparison, GradientReport
from polylux.dtypes import MACHINE_EPSILON, dtype_name
from polylux.errors import DomainError, ObjectiveError
from polylux.flat import lay_out
from polylux.operators import value_and_gradient
from polylux.running import require_real_scalar, run
from polylux.selectors import ADType
from polylux.typing import PyTree


def check_gradient(
    f: Callable[..., Any],
    selector: ADType,
    x: PyTree,
    *constants: Any,
    directions: int = 4,
    seed: int = 0,
) -> GradientReport:
    """Compare the gradient of `f` with central differences along random directions.

    The same `f` is called on the backend's own arrays, twice for each direction, and some 80
    times where that does not settle it; then leaf by leaf. What decides is a bound on the errors of
    the differences themselves, so there is no tolerance to choose.

    Parameters
    ----------
    f, selector, x, *constants
        As for `value_and_gradient`. `f` gives the same value at the same point: random numbers
        come from a state among the constants.
    directions : int
        At least one. A wrong entry of the gradient shows along each of them.
    seed : int
        Of the directions.

    Returns
    -------
    GradientReport
        To be printed, or asked: `report.ok`, `report.raise_if_wrong()`.

    Raises
    ------
    DomainError
        If `directions` is below one.
    ObjectiveError
        If `f` returns no real scalar, or another value when called again at the same point.
    NothingTrainableError, UnsupportedError
        As for `value_and_gradient`.

    Notes
    -----
    A direction moves the point, at `t = 1`, by its own size: that of a leaf is its largest entry,
    at least 1. A central difference over `h = epsilon**(1/3)` is taken to be right to
    `h**2 / 6 * S + epsilon * F / h`, with `F` the largest value of `f` and `S` the larger of `F`
    and the slope. Where the mismatch is larger, 16 values at irregular places within `r` on both
    sides are fitted by a quartic with a kink, for several `r`; the slope is taken to be right to
    five times the largest residual over `r`, which covers rounding errors and what the quartic
    leaves out, and the `r` of the least bound counts. At a kink a gradient between the one-sided
    slopes is right, and the report says so.

    Ripples of `f` that are low next to its change over `r` are taken for rounding errors, so that a
    slope due to them alone may be called off.

    A factor under `stop_gradient` is found to be off: values see it move. So is a gradient that
    rounding errors of its own have spoilt.

    References
    ----------
    Press et al., Numerical Recipes (3rd edition), section 5.7, for the error of a difference.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, array_namespace, check_gradient, stop_gradient
    >>> def f(ps):
    ...     return array_namespace(ps["w"]).sum(ps["w"] ** 2 * ps["b"])
    >>> ps = {"w": np.asarray([1.0, 2.0]), "b": np.asarray(3.0)}
    >>> check_gradient(f, AutoAutograd(), ps).ok
    True
    >>> def wrong(ps):
    ...     return f({"w": ps["w"], "b": stop_gradient(ps["b"])})
    >>> report = check_gradient(wrong, AutoAutograd(), ps)
    >>> [leaf.where for leaf in report.leaves if not leaf.ok]
    ["x['b']"]
    """
    if directions < 1:
        raise DomainError(f"check_gradient needs one direction at least, got {directions!r}")
    backend, selector = registry.resolve(selector)
    _, gradient = value_and_gradient(f, selector, x, *constants)

    found, layout = lay_out(_floats_as_arrays(x), "x")
    trainable, fixed = layout.split(arrays.host_arrays(found))
    gradients, _ = layout.split(
        arrays.host_arrays(tree.flatten_like(gradient, layout.structure, "gradient", _same))
    )
    fixed = arrays.move(fixed, backend, selector)
    others, structure = tree.flatten(constants, arrays.is_array)
    others = arrays.move(others, backend, selector)
    calls = 0
    epsilon = max(map(_epsilon, trainable))

    def value_of(leaves: Any) -> Any:
        value = f(layout.unflatten(leaves, fixed), *structure.unflatten(others))
        require_real_scalar(value, backend, selector, "the value of f")
        return value

    def value_at(leaves: Hosts) -> float:
        nonlocal calls, epsilon
        calls += 1
        moved = arrays.move(leaves, backend, selector)
        scope = backend.precision_scope((*moved, *fixed, *others))
        value = run(backend, scope, backend.value, value_of, (moved,))
        epsilon = max(epsilon, _epsilon(value))
        return float(backend.to_host([value])[0])

    value = value_at(trainable)
    again = value_at(trainable)
    if value != again and not (math.isnan(value) and math.isnan(again)):
        raise ObjectiveError(
            f"f gives two values at one point, {value!r} and {again!r}, so that differences of "
            "its values say nothing; take random numbers from a state among the constants"
        )
    rng = np.random.default_rng(seed)
    drawn = [_direction(trainable, rng) for _ in range(directions)]

    def compared(where: str, direction: Hosts) -> Comparison:
        line = Line(value_at, trainable, gradients, direction, value)
        mismatch, bound, jump = compare(line, epsilon)
        return Comparison(where, line.slope, line.slope + mismatch, bound, jump)

    along = tuple(compared(f"direction {i}", v) for i, v in enumerate(drawn, start=1))
    leaves: tuple[Comparison, ...] = ()
    off = next((v for v, comparison in zip(drawn, along, strict=True) if not comparison.ok), None)
    if off is not None:
        leaves = tuple(
            compared("x" + path, _only(off, place)) for place, path in enumerate(layout.paths())
        )
    return GradientReport(repr(selector), value, along, leaves, calls)


def _direction(leaves: Hosts, rng: np.random.Generator) -> Hosts:
    """A direction that moves no leaf by more than its size, and none of its entries by little."""
    count = sum(leaf.size for leaf in leaves)
    parts = []
    for leaf in leaves:
        size = np.max(np.abs(np.asarray(leaf, np.float64)), initial=1.0)
        # Of random size too, so that two wrong entries of one size cannot cancel.
        lengths = rng.uniform(0.5, 1.0, leaf.shape) * rng.choice([-1.0, 1.0], leaf.shape)
        parts.append(np.asarray(lengths * size / math.sqrt(count)))
    return parts


def _only(direction: Hosts, place: int) -> Hosts:
    return [v if i == place else np.zeros_like(v) for i, v in enumerate(direction)]


def _epsilon(array: Any) -> float:
    return MACHINE_EPSILON.get(dtype_name(array.dtype), MACHINE_EPSILON["float64"])


def _floats_as_arrays(x: PyTree) -> PyTree:
    leaves, treedef = tree.leaves(x)
    return treedef.unflatten(np.asarray(leaf) if type(leaf) is float else leaf for leaf in leaves)


def _same(a: Any, b: Any) -> bool:
    return a is b
