"""explain: which route a call of an operator takes, and what it costs, before anything runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from polylux import arrays, tree
from polylux.dtypes import dtype_kind
from polylux.errors import OptionError
from polylux.operators._operator import Operator, Sizes
from polylux.operators._routes import resolve
from polylux.operators._table import look_up
from polylux.operators._trees import lay_out_point
from polylux.selectors import ADType
from polylux.typing import PyTree


@dataclasses.dataclass(frozen=True)
class Explanation:
    """How a call of an operator is carried out. Printed, it is a short paragraph.

    Attributes
    ----------
    operator : str
    selector : ADType
    route : str
        Which primitives of the backend are used, in words.
    calls : int or None
        How often the function is called. The numbers are None where they depend on the size of
        its output, which was not given.
    forward_sweeps, reverse_sweeps : int or None
        How many tangents are pushed forward, and cotangents pulled back, through what it does.
    batched : bool or None
        Whether several sweeps run at once, by the backend's vmap.
    staged : bool
        Whether Python runs only at the first call for each combination of shapes and dtypes, and
        what it did is compiled.
    """

    operator: str
    selector: ADType
    route: str
    calls: int | None
    forward_sweeps: int | None
    reverse_sweeps: int | None
    batched: bool | None
    staged: bool

    def __str__(self) -> str:
        lines = [f"{self.operator} with {self.selector!r}: {self.route}"]
        if self.calls is None:
            lines.append("  the cost depends on the size of the output: explain(..., output=...)")
        else:
            lines.append(
                f"  {_count(self.calls, 'call')} of the function, "
                f"{_count(self.forward_sweeps, 'forward sweep')}, "
                f"{_count(self.reverse_sweeps, 'reverse sweep')}"
                f"{', batched' if self.batched else ''}"
            )
        if self.staged:
            lines.append("  traced at the first call, and compiled for those that follow")
        return "\n".join(lines)


def explain(
    operator: Callable[..., Any],
    selector: ADType,
    x: PyTree,
    *directions: PyTree,
    output: PyTree | int | None = None,
    batched: bool = False,
) -> Explanation:
    """Which route a call of an operator takes, and what it costs; nothing is run.

    Parameters
    ----------
    operator : callable
        Such as `polylux.hessian`.
    selector : ADType
    x : tree
        As the operator would get it; values are not looked at.
    *directions
        The direction or cotangent, looked at with `batched=True` only.
    output : tree or int, optional
        What the function returns, or its number of entries. The cost of a Jacobian, and which side
        it is made from, may depend on it.
    batched : bool
        As the operator would get it.

    Returns
    -------
    Explanation

    Raises
    ------
    OptionError
        If `operator` is none of polylux's; if `batched=True` comes without a direction.
    UnsupportedError
        If the backend cannot do it.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, explain, hvp, jacobian
    >>> print(explain(hvp, AutoAutograd(), np.ones(5)))
    hvp with AutoAutograd(): forward over reverse mode
      1 call of the function, 1 forward sweep, 1 reverse sweep
    >>> explain(jacobian, AutoAutograd(mode="forward"), np.ones(5)).calls
    5
    """
    found, _ = look_up(operator)
    backend, concrete, outer, inner = resolve(selector, found.name, found.order)
    points, layout = lay_out_point(x)
    trainable, _ = layout.split(points)
    inputs = sum(math.prod(leaf.shape) for leaf in trainable)
    count = _directions(found, directions, x if found.direction == "x" else output, batched)
    staged = backend.is_staged(concrete)
    outputs = None if output is None else _entries(output)
    route = found.route(outer, inner, Sizes(inputs, outputs, count))
    if outputs is None and found.needs_output(outer, inner, inputs):
        return Explanation(operator.__name__, selector, route, None, None, None, None, staged)
    cost = found.cost(outer, inner, Sizes(inputs, outputs, count))
    at_once = cost.widest > 1 and outer.batched
    return Explanation(
        operator.__name__, selector, route, cost.calls, cost.forward, cost.reverse, at_once, staged
    )


def _entries(output: PyTree) -> int:
    if isinstance(output, int):
        return int(output)
    leaves, _ = tree.leaves(output)
    return sum(math.prod(getattr(leaf, "shape", ())) for leaf in leaves if _is_float(leaf))


def _directions(
    operator: Operator, directions: tuple[PyTree, ...], beside: PyTree, batched: bool
) -> int:
    """The length of their leading axis; what stands beside an integer array has any shape."""
    if not batched:
        return 1
    leaves, others = tree.leaves(directions)[0], tree.leaves(beside)[0]
    if len(others) == len(leaves) and not isinstance(beside, int | None):
        leaves = [leaf for leaf, other in zip(leaves, others, strict=True) if _is_float(other)]
    lengths = [leaf.shape[0] for leaf in leaves if arrays.is_array(leaf) and leaf.ndim]
    if not (operator.direction and lengths):
        raise OptionError(
            f"batched=True needs an operator with a direction and that direction, got "
            f"{operator.name} and {directions!r}; write explain(hvp, selector, x, directions, "
            "batched=True)"
        )
    return int(lengths[0])


def _is_float(leaf: Any) -> bool:
    if arrays.is_array(leaf):
        return dtype_kind(leaf) == "real floating"
    return type(leaf) is float


def _count(number: int | None, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
