"""Running a user's function on a backend: its precision scope, its errors, the value it returns."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from polylux import arrays
from polylux.backend import Backend, Function
from polylux.dtypes import dtype_kind
from polylux.errors import ArrayMixError, ObjectiveError, PolyluxError
from polylux.selectors import ADType, Mode


class _Depth(threading.local):
    value = 0


_DEPTH = _Depth()


def is_running() -> bool:
    """Whether this thread is inside a user's function that a backend runs."""
    return _DEPTH.value > 0


def inside(function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)`, which is a user's, or calls one: `is_running` says so meanwhile."""
    depth = _DEPTH.value
    _DEPTH.value = depth + 1
    try:
        return function(*args)
    finally:
        _DEPTH.value = depth


def run(
    backend: Backend,
    scope: contextlib.AbstractContextManager[Any] | None,
    function: Callable[..., Any],
    *groups: Any,
) -> Any:
    """`guarded`, and all of it `inside`."""
    return inside(guarded, backend, scope, function, *groups)


def guarded(
    backend: Backend,
    scope: contextlib.AbstractContextManager[Any] | None,
    function: Callable[..., Any],
    *groups: Any,
) -> Any:
    """`function(*groups)` in a precision scope; the framework's errors become clearer ones of ours.

    What is the user's own exception passes through as it is.
    """
    try:
        if scope is None:
            return function(*groups)
        with scope:
            return function(*groups)
    except PolyluxError:
        raise
    except Exception as error:
        clearer = backend.diagnose(error)
        if clearer is None:
            raise
        raise clearer from error


def value_and_gradient(
    backend: Backend, function: Function, leaves: tuple[Any, ...], selector: ADType
) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """The backend's `value_and_gradient`, or pushforwards where the selector wants forward mode."""
    if selector.mode is Mode.FORWARD and backend.has_both_modes:
        return backend.gradient_by_pushforward(function, leaves, selector)
    return backend.value_and_gradient(function, leaves, selector)


def require_real_scalar(value: Any, backend: Backend, selector: ADType, what: str) -> None:
    """Raise unless `value` is a 0-d real array of `backend`; `what` names it in the message.

    Raises
    ------
    ObjectiveError
        If it is no array, or of another shape or kind.
    ArrayMixError
        If it belongs to another library.
    """
    owner = arrays.owner_of(type(value))
    if owner not in arrays.owners_accepted_by(backend):
        got = f"the {type(value).__module__}.{type(value).__qualname__} {value!r}"
        if owner is None:
            raise ObjectiveError(
                f"{what} must be a 0-d real array, got {got}; reduce with xp.mean or xp.sum, and "
                "do not convert it to a Python number"
            )
        raise ArrayMixError(
            f"under {selector!r} {what} must be an array of {backend.name!r}, got {got}; use "
            "xp = array_namespace(x) in the function, and xp.asarray(constant) for constants"
        )
    if value.shape != ():
        raise ObjectiveError(
            f"{what} must be a real scalar, got shape {tuple(value.shape)}; reduce it with "
            "xp.mean or xp.sum"
        )
    if dtype_kind(value) != "real floating":
        raise ObjectiveError(f"{what} must be a real scalar, got dtype {value.dtype}")
