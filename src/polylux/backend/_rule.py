"""DerivativeRule: a function and its derivatives by hand, as a backend gets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from polylux.errors import ShapeError

Arrays = tuple[Any, ...]


class DerivativeRule(NamedTuple):
    """A function with derivatives that are written by hand, in array-API code.

    Operands are arrays of one backend, of any dtype; those with a real floating dtype have
    derivatives. Settings are keywords: hashable values that are no arrays. None stands for zeros,
    in what the pullback returns and in what the pushforward takes.

    Attributes
    ----------
    name : str
    plain : callable
        `plain(*operands, **settings)`: one array, or a tuple of arrays.
    forward : callable
        `forward(*operands, **settings) -> (output, residuals)`: `output` as `plain` gives it, and
        a tuple of arrays that the derivatives need. Differentiable itself: the derivatives of a
        pullback flow through its residuals, and by the rule through an output among them.
    pullback : callable
        `pullback(residuals, cotangent, **settings)`: a tuple, one cotangent for each operand; that
        of an operand without a real floating dtype is ignored. `cotangent` is like the output.
        Linear in `cotangent`.
    pushforward : callable or None
        `pushforward(residuals, *tangents, **settings)`: the tangent of the output. Linear in the
        tangents. None where the author gave none: it is then the transpose of the pullback.
    elementwise : bool
        All operands have the output's shape, and each entry of the output depends on the entries
        at its own place only. `pushforward` is there, `residuals` are `(output, *operands)`, and
        the output among them may be that of the rule, so that second derivatives obey it.
    """

    name: str
    plain: Callable[..., Any]
    forward: Callable[..., tuple[Any, Arrays]]
    pullback: Callable[..., Sequence[Any]]
    pushforward: Callable[..., Any] | None
    elementwise: bool

    @classmethod
    def from_derivative(
        cls, name: str, function: Callable[..., Any], derivative: Callable[..., Any]
    ) -> DerivativeRule:
        """The rule of an elementwise function with `derivative(output, *operands, **settings)`.

        The derivative is an array, or a tuple with one for each operand; None stands for zeros.

        Raises
        ------
        ShapeError
            At use, if it gives another number of arrays than there are operands.
        """

        def forward(*operands: Any, **settings: Any) -> tuple[Any, Arrays]:
            output = function(*operands, **settings)
            return output, (output, *operands)

        def slopes(residuals: Arrays, settings: dict[str, Any]) -> Sequence[Any]:
            result = derivative(*residuals, **settings)
            found = tuple(result) if isinstance(result, tuple | list) else (result,)
            if len(found) != len(residuals) - 1:
                raise ShapeError(
                    f"the derivative of the rule {name!r} returned {len(found)} arrays for "
                    f"{len(residuals) - 1} operands; return one for each, None for zeros"
                )
            return found

        def pullback(residuals: Arrays, cotangent: Any, **settings: Any) -> Arrays:
            found = slopes(residuals, settings)
            return tuple([None if slope is None else cotangent * slope for slope in found])

        def pushforward(residuals: Arrays, *tangents: Any, **settings: Any) -> Any:
            total = None
            for slope, tangent in zip(slopes(residuals, settings), tangents, strict=True):
                if slope is not None and tangent is not None:
                    part = slope * tangent
                    total = part if total is None else total + part
            return residuals[0] * 0 if total is None else total

        return cls(name, function, forward, pullback, pushforward, True)

    @staticmethod
    def obeying(
        operands: Sequence[Any], residuals: Arrays, output: Any, obeyed: Any
    ) -> Arrays:
        """The residuals with the output that obeys the rule in place of the plain one.

        For a derivative of a derivative, in which what `forward` computes is differentiated as it
        stands, and the output, whether a residual or not, is differentiated by the rule.
        """
        outputs = output if isinstance(output, tuple) else (output,)
        known = obeyed if isinstance(output, tuple) else (obeyed,)
        places = {id(plain): rule for plain, rule in zip(outputs, known, strict=True)}
        for operand in operands:
            places.pop(id(operand), None)
        return tuple([places.get(id(residual), residual) for residual in residuals])

    def cotangents(
        self, operands: Arrays, residuals: Arrays, cotangent: Any, settings: dict[str, Any]
    ) -> tuple[Any, ...]:
        """What the pullback returns, checked against the operands; None stands for zeros.

        Raises
        ------
        ShapeError
            If their number is not that of the operands, or a shape differs from its operand's.
        """
        found = self.pullback(residuals, cotangent, **settings)
        if not isinstance(found, tuple | list):
            found = (found,)
        if len(found) != len(operands):
            raise ShapeError(
                f"the pullback of the rule {self.name!r} returned {len(found)} cotangents for "
                f"{len(operands)} operands; return one for each, None for zeros"
            )
        for place, (part, operand) in enumerate(zip(found, operands, strict=True)):
            if part is not None and tuple(part.shape) != tuple(operand.shape):
                raise ShapeError(
                    f"the pullback of the rule {self.name!r} returned a cotangent of shape "
                    f"{tuple(part.shape)} for operand {place}, whose shape is "
                    f"{tuple(operand.shape)}; sum over the axes that were broadcast"
                )
        return tuple(found)
