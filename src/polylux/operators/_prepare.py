"""prepare: an operator traced or compiled once, for arguments of one kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polylux import arrays, tree
from polylux.cache import Captured
from polylux.dtypes import dtype_name
from polylux.errors import PolyluxError, PreparationError
from polylux.operators._call import Call
from polylux.operators._exact import exactly
from polylux.operators._recall import Pattern
from polylux.operators._table import look_up
from polylux.selectors import ADType
from polylux.typing import PyTree


class Prepared:
    """An operator of one function, ready for arguments of the kind that it was prepared with.

    Called as `prepared(x, *directions, *constants)`. Made by `prepare`.
    """

    __slots__ = (
        "_call",
        "_captured",
        "_devices",
        "_exact",
        "_kind",
        "_name",
        "_pattern",
        "_shown",
        "_staged",
    )

    def __init__(self, name: str, call: Call, args: tuple[Any, ...]) -> None:
        self._name = name
        self._call = call
        self._captured = Captured((call.f,))
        self._kind = _kind(call)
        tracing = call.backend.is_tracing()
        self._devices = None if tracing else _devices(call)  # traced values may have none
        self._shown = _shown(call, args)
        function = call.function()
        self._staged = function
        self._exact: Callable[..., Any] | None = None
        self._pattern = None if tracing else Pattern.of(call, args, shapes=True, devices=True)
        if call.backend.is_staged(call.selector) and not tracing:
            self._staged = call.backend.stage(function, call.selector)
            if self._pattern is not None and self._pattern.was_own:
                self._exact = exactly(call, self._pattern, args)
            if self._exact is None:
                call.results(self._staged)
        call.forget_arrays()

    def __call__(self, x: PyTree, *rest: Any) -> Any:
        mine, pattern, exact, captured = self._call, self._pattern, self._exact, self._captured
        tracing = mine.backend.is_tracing()  # then what f looks up may be a traced value
        if exact is not None and not tracing and (captured.is_empty or captured.unchanged()):
            try:
                return exact(x, *rest)
            except (TypeError, ValueError):
                pass  # other arguments, which are looked at one by one
        groups = None if tracing or pattern is None else pattern.groups(x, rest)
        call = mine if groups is not None else self._checked(x, rest, tracing)
        if not captured.unchanged():
            raise self._error((x, *rest))
        # Inside a trace the values that f captures may be traced ones.
        results = call.results(mine.function() if tracing else self._staged, groups)
        return results[0] if len(results) == 1 else results

    def _checked(self, x: PyTree, rest: tuple[Any, ...], tracing: bool) -> Call:
        """A call of these arguments, if they are of the kind that was prepared."""
        mine = self._call
        try:
            call = Call(
                mine.operator, mine.count, mine.f, mine.given_selector, x, rest, mine.has_aux,
                mine.batched,
            )  # fmt: skip
        except PolyluxError as error:
            # An argument that does not fit the others may be one that has changed.
            if self._changes((x, *rest)):
                raise self._error((x, *rest)) from error
            raise
        if _kind(call) != self._kind or not (tracing or self._devices in (None, _devices(call))):
            raise self._error((x, *rest))
        return call

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}: {shown}" for name, shown in self._shown)
        return f"<prepared {self._name} with {self._call.selector!r} for {arguments}>"

    def _changes(self, args: tuple[Any, ...]) -> list[str]:
        """The names of the arguments that are not as they were."""
        came = dict(_shown(self._call, args))
        names = dict.fromkeys([*dict(self._shown), *came])
        prepared = dict(self._shown)
        return [name for name in names if came.get(name) != prepared.get(name)]

    def _error(self, args: tuple[Any, ...]) -> PreparationError:
        what = "the same"
        if not self._captured.unchanged():
            what += ", and what it captures has changed"
        elif not self._changes(args):
            what += ", and other leaves are one and the same array"
        lines = [f"  f: prepared for {self._call.f!r}, got {what}"]
        prepared, came = dict(self._shown), dict(_shown(self._call, args))
        for name in dict.fromkeys([*prepared, *came]):
            was, now = prepared.get(name, "nothing"), came.get(name, "nothing")
            lines.append(f"  {name}: prepared for {was}, got {'the same' if was == now else now}")
        return PreparationError(
            f"this {self._name} was prepared for other arguments; prepare it again for these:\n"
            + "\n".join(lines)
        )


def prepare(
    operator: Callable[..., Any],
    f: Callable[..., Any],
    selector: ADType,
    x: PyTree,
    *args: Any,
    has_aux: bool = False,
    batched: bool = False,
) -> Prepared:
    """An operator of `f`, traced or compiled now and called later.

    Where the selector traces (`AutoJax()`, `AutoTorch(compile=True)`) the operator runs once, with
    these arguments. A call of what is returned checks that its arguments are of the same kind.

    Parameters
    ----------
    operator : callable
        Such as `polylux.hessian`.
    f, selector, x
        As the operator takes them.
    *args
        The direction or cotangent, if the operator takes one, and the constants.
    has_aux, batched : bool
        As the operator takes them.

    Returns
    -------
    callable
        `prepared(x, *args)`, which returns what `operator(f, selector, x, *args)` does. It raises
        `PreparationError` if the function captures other values now, or the tree, a shape, a dtype,
        a leaf that is no array, or a device differs; the message lists every argument.

    Raises
    ------
    OptionError
        If `operator` is none of polylux's.
    PolyluxError
        As the operator does.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoAutograd, gradient, prepare
    >>> slope = prepare(gradient, lambda x: (x**2).sum(), AutoAutograd(), np.ones(2))
    >>> [float(g) for g in slope(np.asarray([1.0, 3.0]))]
    [2.0, 6.0]
    >>> slope
    <prepared gradient with AutoAutograd() for x: float64[2] on cpu>
    """
    found, count = look_up(operator)
    call = Call(found, count, f, selector, x, args, has_aux, batched)
    return Prepared(operator.__name__, call, (x, *args))


def _kind(call: Call) -> tuple[Any, ...]:
    """What two calls have in common if one was prepared for the other."""
    groups = (call.trainable, call.fixed, call.directions, call.constants)
    return (
        call.layout,
        call.direction_structure,
        call.constants_structure,
        [[(tuple(a.shape), a.dtype) for a in group] for group in groups],
    )


def _devices(call: Call) -> list[str]:
    groups = (call.trainable, call.fixed, call.directions, call.constants)
    return [call.backend.device(array) for group in groups for array in group]


def _shown(call: Call, args: tuple[Any, ...]) -> list[tuple[str, str]]:
    """The name of each argument of a call, and its leaves in short."""
    direction = {"x": ["direction"], "output": ["cotangent"], "": []}[call.operator.direction]
    names = ["x", *direction]
    names += [f"constant {k + 1}" for k in range(len(args) - len(names))]
    return [(name, _described(call, arg)) for name, arg in zip(names, args, strict=False)]


class _Words:
    """Text that is its own repr, so that a tree of it is shown as a tree."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _described(call: Call, values: PyTree) -> str:
    def leaf(value: Any) -> Any:
        if type(value) is float:
            return _Words("a float")
        if not arrays.is_array(value):
            return value
        (moved,) = arrays.move((value,), call.backend, call.selector)
        shape = ", ".join(map(str, value.shape))
        return _Words(f"{dtype_name(value.dtype)}[{shape}] on {call.backend.device(moved)}")

    return repr(tree.map_leaves(leaf, values))
