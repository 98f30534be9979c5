"""Functions of arrays that a backend may override by name, and what depends on an array's type."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn, ParamSpec, Protocol, TypeVar, cast

from polylux import registry
from polylux.arrays import is_array, owner_of
from polylux.backend import PartialKernel
from polylux.dispatch import TypeTable, has_scope, scoped
from polylux.dtypes import Kinds, kinds_of
from polylux.errors import ArrayMixError, DTypeError
from polylux.rules import CustomRule

P = ParamSpec("P")
T = TypeVar("T")
P_contra = ParamSpec("P_contra")
R_co = TypeVar("R_co", covariant=True)


class Native(Protocol[P_contra, R_co]):
    """A function that runs a backend's kernel of its name, or else its neutral definition."""

    __name__: str
    neutral: Callable[..., Any]

    def __call__(self, *args: P_contra.args, **kwargs: P_contra.kwargs) -> R_co: ...


_NATIVES: dict[str, Native[..., Any]] = {}


def natives() -> Mapping[str, Native[..., Any]]:
    """Every overridable function that is imported so far, by the name that a kernel takes."""
    return MappingProxyType(_NATIVES)


def native(*, check: Callable[..., None] | None = None) -> Callable[[Callable[P, T]], Native[P, T]]:
    """Decorator: let a backend override a function by a kernel of the function's name.

    The function is array code in the standard's names only, and becomes the attribute `neutral`
    of the result. Its first argument, positional, is an array of a real floating dtype (anything
    else raises), whose type decides which backend's kernel runs.

    Parameters
    ----------
    check : callable, optional
        Called with the same arguments before either runs; raises for those that do not fit.

    Returns
    -------
    callable
        From the function to a `Native` of the same signature.
    """

    def decorate(function: Callable[P, T]) -> Native[P, T]:
        kernels = TypeTable(functools.partial(_find_kernel, function))

        @functools.wraps(function)
        def dispatch(x: Any, /, *args: Any, **kwargs: Any) -> Any:
            kernel, kinds = kernels[type(x)]
            if check is not None:
                check(x, *args, **kwargs)
            if kernel is None or kinds[x.dtype] not in ("float", "low"):
                _refuse(function.__name__, x)
            return kernel(x, *args, **kwargs)

        result = cast("Native[P, T]", dispatch)
        result.neutral = function
        _NATIVES[function.__name__] = result
        return result

    return decorate


def _find_kernel(
    function: Callable[..., Any], array_type: type
) -> tuple[Callable[..., Any] | None, Kinds]:
    """What runs for arrays of this type, None for what is no array; and its dtypes' kinds."""
    owner = owner_of(array_type)
    if owner is None:
        return None, kinds_of(array_type)
    kernel = function
    if owner not in ("host", "foreign"):
        backend = registry.load_backend(owner)
        neutral = function.on(backend) if isinstance(function, CustomRule) else function
        kernel = backend.kernels.get(function.__name__, neutral)
        if isinstance(kernel, PartialKernel):
            kernel = functools.partial(kernel.function, neutral)
        # What a rule has for a backend is in its scope already.
        if kernel is not neutral or neutral is function:
            kernel = scoped(kernel, backend)
    return kernel, kinds_of(array_type)


def _refuse(name: str, x: Any) -> NoReturn:
    if owner_of(type(x)) is None:
        raise ArrayMixError(
            f"{name} needs an array, got {x!r}; make one first, for example with np.asarray"
        )
    raise DTypeError(
        f"{name} needs real floating-point numbers, got {x.dtype}; cast them first, "
        "for example with xp.astype(x, xp.float32)"
    )


class Traits(NamedTuple):
    """What array code must know of arrays of one type."""

    owner: str | None
    """As `owner_of` gives it; None for what is no array."""
    kinds: Kinds
    """The kind of each dtype."""
    constant: Callable[[Any], Any]
    """The same value as a constant for every derivative."""
    scope: Callable[[Sequence[Any]], contextlib.AbstractContextManager[Any] | None] | None
    """The backend's precision scope, where it has one."""


def _find_traits(array_type: type) -> Traits:
    owner = owner_of(array_type)
    if owner is None or owner in ("host", "foreign"):
        return Traits(owner, kinds_of(array_type), _same, None)
    backend = registry.load_backend(owner)
    scope = backend.precision_scope if has_scope(backend) else None
    return Traits(owner, kinds_of(array_type), backend.stop_gradient, scope)


TRAITS: TypeTable[Traits] = TypeTable(_find_traits)


def detach(array: Any) -> Any:
    """The same value as a constant for every derivative, whoever owns it."""
    return TRAITS[type(array)].constant(array)


def keeping_precision(*arrays: Any) -> contextlib.AbstractContextManager[Any] | None:
    """The context in which these arrays keep their dtypes, or None where none is needed.

    All of one library; the answer None costs a dictionary look-up.
    """
    scope = TRAITS[type(arrays[0])].scope
    return None if scope is None else scope([a for a in arrays if is_array(a)])


def in_precision(function: Callable[[Any], T], x: Any, /) -> T:
    """`function(x)`, inside the context in which `x` keeps its dtype."""
    scope = keeping_precision(x)
    if scope is None:
        return function(x)
    with scope:
        return function(x)


def _same(array: Any) -> Any:
    return array
