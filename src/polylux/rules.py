"""custom_rule: derivatives written once by hand, in array-API code, and obeyed by every backend."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, overload

from polylux import registry
from polylux.arrays import array_namespace, common_owner, is_array, owner_of, precision_scope
from polylux.backend import Backend, Capability, DerivativeRule
from polylux.dispatch import TypeTable, scoped
from polylux.dtypes import dtype_kind
from polylux.errors import ArrayMixError, OptionError, ShapeError

Function = Callable[..., Any]


class CustomRule:
    """A function whose derivatives are written by hand; made by `custom_rule`.

    Calling it with arrays of a backend gives the function's value, and derivatives by that backend
    obey the rule. Numpy arrays, and arrays of a backend without custom rules, are computed by the
    plain function.

    Attributes
    ----------
    plain : callable
        The function without its rule: differentiated by whatever differentiates its array code.
    rule : DerivativeRule
        What a backend gets.
    """

    __name__: str

    def __init__(self, rule: DerivativeRule, function: Function) -> None:
        self.rule = rule
        self.plain = rule.plain
        self._kernels: TypeTable[Function | None] = TypeTable(self.kernel)
        functools.update_wrapper(self, function)

    def __call__(self, *operands: Any, **settings: Any) -> Any:
        """The function's value at `operands`, arrays or numbers, with its settings by keyword."""
        if len(operands) != 1:
            operands = self._together(operands)
        x = operands[0]
        kernel = self._kernels[type(x)]
        if kernel is None:
            raise ArrayMixError(
                f"{self.__name__} needs an array, got {x!r}; make one first, for example with "
                "np.asarray"
            )
        return kernel(*operands, **settings)

    def kernel(self, array_type: type) -> Function | None:
        """What runs for arrays of this type; None for what is no array."""
        owner = owner_of(array_type)
        if owner is None:
            return None
        if owner in ("host", "foreign"):
            return self.plain
        return self.on(registry.load_backend(owner))

    def on(self, backend: Backend) -> Function:
        """The function for this backend's arrays, with the rule where the backend has rules."""
        if Capability.CUSTOM_RULES in backend.capabilities:
            return scoped(backend.custom_rule(self.rule), backend)
        return scoped(self.plain, backend)

    def __repr__(self) -> str:
        return f"<custom rule {self.__name__}>"

    def _together(self, operands: tuple[Any, ...]) -> tuple[Any, ...]:
        """Numbers as arrays of the first array's dtype; elementwise ones of one shape."""
        first = next(filter(is_array, operands), None)
        if first is None:
            raise ArrayMixError(
                f"{self.__name__} needs at least one array, got {operands!r}; make one first, for "
                "example with np.asarray"
            )
        kind = type(first)
        if any(type(x) is not kind for x in operands):
            common_owner(operands, self.__name__)
            arrays = [x for x in operands if is_array(x)]
            xp = array_namespace(*arrays)
            like = next(filter(_is_float, arrays), first)
            with precision_scope(*arrays):
                operands = tuple(
                    x if is_array(x) else xp.asarray(x, dtype=like.dtype) for x in operands
                )
        if self.rule.elementwise:
            shape = operands[0].shape
            if any(x.shape != shape for x in operands):
                xp = array_namespace(*operands)
                try:
                    operands = tuple(xp.broadcast_arrays(*operands))
                except (ValueError, RuntimeError, TypeError):
                    shapes = ", ".join(str(tuple(x.shape)) for x in operands)
                    raise ShapeError(
                        f"{self.__name__} is elementwise and needs shapes that broadcast to one, "
                        f"got {shapes}"
                    ) from None
        return operands


@overload
def custom_rule(
    function: Function,
    /,
    *,
    derivative: Function | None = None,
    pullback: Function | None = None,
    pushforward: Function | None = None,
    name: str | None = None,
) -> CustomRule: ...


@overload
def custom_rule(
    function: None = None,
    /,
    *,
    derivative: Function | None = None,
    pullback: Function | None = None,
    pushforward: Function | None = None,
    name: str | None = None,
) -> Callable[[Function], CustomRule]: ...


def custom_rule(
    function: Function | None = None,
    /,
    *,
    derivative: Function | None = None,
    pullback: Function | None = None,
    pushforward: Function | None = None,
    name: str | None = None,
) -> Any:
    """A function with derivatives of your own, which every backend with custom rules obeys.

    There are two kinds, both written in array-API code, and both usable as a decorator::

        @custom_rule(derivative=...)                    # elementwise
        def f(x, ...): return y

        @custom_rule(pullback=..., pushforward=...)     # anything else; the pushforward is optional
        def f(x, ...): return y, residuals

    They hold in reverse and forward mode, to any order, under jit and inside other derivatives:
    the derivative or pullback is itself differentiated, by whatever differentiates the program. On
    a backend without custom rules the function itself is differentiated.

    Parameters
    ----------
    function : callable
        `function(*operands, **settings)`. Operands are arrays of any dtype; a number among several
        becomes a 0-d array of the others' dtype. Settings are hashable, and keywords. With
        `derivative` it returns an array, of the shape to which the operands broadcast; with
        `pullback` it returns `(output, residuals)`: an array or a tuple of arrays, and a tuple of
        arrays (operands, outputs or anything else) that the derivatives need.
    derivative : callable, optional
        `derivative(output, *operands, **settings)`: the derivative by each operand, elementwise:
        an array, or a tuple of one for each operand, None for zeros. Operands have one shape here.
        It serves both modes.
    pullback : callable, optional
        `pullback(residuals, cotangent, **settings)`: for each operand the transposed derivative
        times the cotangent, which is like the output; an array, or a tuple with None for zeros.
        Must be linear in the cotangent.
    pushforward : callable, optional
        `pushforward(residuals, *tangents, **settings)`: the derivative times the tangents, which
        are like the operands. By default the transpose of the pullback, found by differentiating
        it. A framework that has one rule for both modes (JAX) then transposes the pushforward for
        its reverse mode, so the two must agree; `check_rule` tests that.
    name : str, optional
        For messages and `repr`; the function's own by default.

    Returns
    -------
    CustomRule
        A callable like `function`, returning the output alone.

    Raises
    ------
    OptionError
        If neither or both of `derivative` and `pullback` are given, or one is no callable.

    See Also
    --------
    check_rule : compares a rule with finite differences.

    References
    ----------
    The rules of ChainRules.jl, which the Utilities page's functions have upstream.

    Examples
    --------
    The norm of a vector, whose framework derivatives at 0 are NaN or 0, as it suits:

    >>> import numpy as np
    >>> from polylux import AutoAutograd, array_namespace, custom_rule, gradient
    >>> def norm_pullback(residuals, g):
    ...     x, length = residuals
    ...     xp = array_namespace(x)
    ...     return g * x / xp.where(length == 0, xp.ones_like(length), length)
    >>> @custom_rule(pullback=norm_pullback)
    ... def norm(x):
    ...     xp = array_namespace(x)
    ...     length = xp.sqrt(xp.sum(x * x))
    ...     return length, (x, length)
    >>> [float(g) for g in gradient(norm, AutoAutograd(), np.asarray([3.0, 4.0]))]
    [0.6, 0.8]
    >>> [float(g) for g in gradient(norm, AutoAutograd(), np.asarray([0.0, 0.0]))]
    [0.0, 0.0]

    An elementwise one:

    >>> @custom_rule(derivative=lambda y, x: 1 - y * y)
    ... def tanh(x):
    ...     return array_namespace(x).tanh(x)
    >>> float(gradient(tanh, AutoAutograd(), np.asarray(0.0)))
    1.0
    """
    for option, value in (
        ("derivative", derivative), ("pullback", pullback), ("pushforward", pushforward)
    ):  # fmt: skip
        if value is not None and not callable(value):
            raise OptionError(f"custom_rule({option}=...) takes a function, got {value!r}")
    if (derivative is None) == (pullback is None):
        raise OptionError(
            "custom_rule takes either derivative=..., for an elementwise function, or "
            "pullback=..., for any other; got "
            + ("neither" if derivative is None else "both")
        )
    if derivative is not None and pushforward is not None:
        raise OptionError(
            "custom_rule got derivative=... and pushforward=...; the derivative of an elementwise "
            "function serves both modes, leave the pushforward out"
        )
    if function is None:
        return functools.partial(
            custom_rule,
            derivative=derivative,
            pullback=pullback,
            pushforward=pushforward,
            name=name,
        )
    if not callable(function):
        raise OptionError(f"custom_rule takes a function, got {function!r}")
    known_as = str(name or getattr(function, "__name__", "rule"))
    if derivative is not None:
        rule = DerivativeRule.from_derivative(known_as, function, derivative)
    else:
        assert pullback is not None
        rule = _general(known_as, function, pullback, pushforward)
    result = CustomRule(rule, function)
    result.__name__ = known_as
    return result


def _general(
    name: str, function: Function, pullback: Function, pushforward: Function | None
) -> DerivativeRule:
    def plain(*operands: Any, **settings: Any) -> Any:
        return forward(*operands, **settings)[0]

    def forward(*operands: Any, **settings: Any) -> tuple[Any, tuple[Any, ...]]:
        result = function(*operands, **settings)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise ShapeError(
                f"the function of the rule {name!r} must return (output, residuals), got "
                f"{type(result).__name__}; return an empty tuple of residuals if none are needed"
            )
        output, residuals = result
        if not isinstance(residuals, tuple | list):
            residuals = (residuals,)
        return output, tuple(residuals)

    return DerivativeRule(
        name, functools.wraps(function)(plain), forward, pullback, pushforward, False
    )


def with_slope(function: Function) -> CustomRule:
    """Decorator: the rule of `function(x, *constants, **settings) -> (items, slope)`.

    For entries of one array whose slope shares much with their value; it is kept as one array, and
    not as the factors that it is made of.
    """

    def forward(x: Any, *constants: Any, **settings: Any) -> tuple[Any, tuple[Any, ...]]:
        items, slope = function(x, *constants, **settings)
        return items, (slope, *constants)

    def pullback(residuals: tuple[Any, ...], g: Any, **_: Any) -> tuple[Any, ...]:
        slope, *constants = residuals
        return (g * slope, *[None for _ in constants])

    def pushforward(residuals: tuple[Any, ...], change: Any, *_: Any, **__: Any) -> Any:
        slope = residuals[0]
        return array_namespace(slope).zeros_like(slope) if change is None else slope * change

    return custom_rule(
        forward, pullback=pullback, pushforward=pushforward, name=function.__name__.lstrip("_")
    )


def _is_float(array: Any) -> bool:
    return dtype_kind(array) == "real floating"
