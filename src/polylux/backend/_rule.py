"""DerivativeRule: a function and its derivatives by hand, as a backend gets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Arrays = tuple[Any, ...]


class DerivativeRule(NamedTuple):
    """A function with derivatives that are written by hand, in array-API code.

    Operands are arrays of one backend, of any dtype; those with a real floating dtype have
    derivatives. Settings are keywords: hashable values that are no arrays.

    Attributes
    ----------
    name : str
    plain : callable
        `plain(*operands, **settings)`: one array, or a tuple of arrays.
    forward : callable
        `forward(*operands, **settings) -> (output, residuals)`: `output` as `plain` gives it, and
        a tuple of arrays that the derivatives need.
    pullback : callable
        `pullback(residuals, cotangent, **settings)`: one cotangent for each operand, a tuple. That
        of an operand without a real floating dtype is ignored. `cotangent` is like the output.
        Linear in `cotangent`.
    pushforward : callable or None
        `pushforward(residuals, *tangents, **settings)`: the output's tangent. Linear in the
        tangents, of which those of operands without a real floating dtype are zeros. None where
        the author gave none: it is then the transpose of the pullback.
    elementwise : bool
        All operands have the output's shape, and each entry of the output depends on the entries
        at its own place only; `pushforward` is there.
    """

    name: str
    plain: Callable[..., Any]
    forward: Callable[..., tuple[Any, Arrays]]
    pullback: Callable[..., Arrays]
    pushforward: Callable[..., Any] | None
    elementwise: bool
