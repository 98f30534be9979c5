"""The project's conventions at kinks and edges, as data: function, point, value, derivatives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Host = np.ndarray[Any, Any]
INF, NAN = math.inf, math.nan


@dataclasses.dataclass(frozen=True, eq=False)
class Kink:
    """What a function of `polylux.ops` gives where frameworks differ.

    Attributes
    ----------
    name : str
        Of the function in `polylux.ops`.
    about : str
    operands : tuple of tuple of float
        One tuple for each operand, the points side by side.
    value : tuple of float
        At each point; a single one for functions of a whole array.
    derivatives : tuple of tuple of float
        By each operand, at each point.
    call : callable or None
        `call(f, *operands)` where the function takes more than its operands.
    """

    name: str
    about: str
    operands: tuple[tuple[float, ...], ...]
    value: tuple[float, ...]
    derivatives: tuple[tuple[float, ...], ...]
    call: Callable[..., Any] | None = None


KINKS = (
    Kink("relu", "0 at and below 0", ((0.0, -0.0, 1.0, -1.0),), (0, 0, 1, 0), ((0, 0, 1, 0),)),
    Kink("abs", "slope 0 at 0", ((0.0, -0.0, 2.0, -2.0),), (0, 0, 2, 2), ((0, 0, 1, -1),)),
    Kink("sign", "slope 0 everywhere", ((0.0, 3.0, -3.0),), (0, 1, -1), ((0, 0, 0),)),
    Kink("maximum", "half to each at a tie", ((1.0, 0.0, 2.0), (1.0, 0.0, -1.0)), (1, 0, 2),
         ((0.5, 0.5, 1), (0.5, 0.5, 0))),
    Kink("minimum", "half to each at a tie", ((1.0, 0.0, 2.0), (1.0, 0.0, -1.0)), (1, 0, -1),
         ((0.5, 0.5, 0), (0.5, 0.5, 1))),
    Kink("clip", "slope 0.5 at a bound", ((-1.0, 2.0, 0.5, -3.0, 7.0),), (-1, 2, 0.5, -1, 2),
         ((0.5, 0.5, 1, 0, 0),), lambda f, x: f(x, -1.0, 2.0)),
    Kink("hypot", "slopes 0 at the origin", ((0.0, 3.0, 0.0), (0.0, 4.0, 2.0)), (0, 5, 2),
         ((0, 0.6, 0), (0, 0.8, 1))),
    Kink("atan2", "slopes 0 at the origin", ((0.0, 1.0), (0.0, 0.0)), (0, math.pi / 2),
         ((0, 0), (0, -1))),
    Kink("norm", "slope 0 at 0", ((0.0, 0.0, 0.0),), (0,), ((0, 0, 0),)),
    Kink("norm", "away from 0", ((3.0, -4.0, 0.0),), (5,), ((0.6, -0.8, 0),)),
    Kink("pow", "the exponent 0 at 0", ((0.0, 2.0),), (1, 1), ((0, 0),), lambda f, x: f(x, 0.0)),
    Kink("xlogx", "value and slope 0 at 0", ((0.0, 1.0, math.e),), (0, 0, math.e), ((0, 1, 2),)),
    # At x = 0 the function is 0 whatever y is, and its slope by x is log y where that is finite.
    Kink("xlogy", "value 0 where x is", ((0.0, 0.0, 0.0, 2.0), (0.0, math.e, NAN, math.e)),
         (0, 0, 0, 2), ((0, 1, 0, 1), (0, 0, 0, 2 / math.e))),
    Kink("logaddexp", "the limit at infinities",
         ((INF, -INF, 0.0, -INF), (0.0, 0.0, -INF, -INF)), (INF, 0, 0, -INF),
         ((1, 0, 1, 0.5), (0, 1, 0, 0.5))),
    Kink("softplus", "far from 0", ((0.0, 800.0, -800.0),), (math.log(2), 800, 0), ((0.5, 1, 0),)),
    Kink("sigmoid", "far from 0", ((0.0, 800.0, -800.0),), (0.5, 1, 0), ((0.25, 0, 0),)),
    Kink("log_sigmoid", "far from 0", ((0.0, 800.0, -800.0),), (-math.log(2), 0, -800),
         ((0.5, 0, 1),)),
    Kink("sqrt", "slope 0 at 0", ((0.0, 4.0),), (0, 2), ((0, 0.25),)),
)  # fmt: skip
"""Section 4 of the design. Second derivatives are checked at the level "second"."""
