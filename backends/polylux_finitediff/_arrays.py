"""Numpy arrays in and out, and what `stop_gradient` is to a difference quotient."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from polylux.backend import stopping_host_gradients
from polylux.errors import ObjectiveError

Constants = list[np.ndarray[Any, Any]]


def owns(array_type: type) -> bool:
    """Whether values of this type are numpy arrays."""
    return issubclass(array_type, np.ndarray | np.generic)


def from_host(arrays: Sequence[np.ndarray[Any, Any]]) -> list[Any]:
    """Copies."""
    return [np.array(array) for array in arrays]


def to_host(arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """The same arrays."""
    return [np.asarray(array) for array in arrays]


class _Stop(threading.local):
    function: Callable[[Any], Any] | None = None


_STOP = _Stop()


def stop_gradient(array: Any) -> Any:
    """The value that the array has at the point itself.

    A difference quotient sees no graph that could be cut. The values that `stop_gradient` was
    given at the point are recorded, and take the place of those that it is given beside it.
    """
    return array if _STOP.function is None else _STOP.function(array)


@contextlib.contextmanager
def recording() -> Iterator[Constants]:
    """While it lasts, `stop_gradient` writes down in order what it is given."""
    constants: Constants = []
    outer = _STOP.function

    def record(array: Any) -> Any:
        if outer is not None:  # what is constant inside is so for a difference around it
            array = outer(array)
        constants.append(array)
        return array

    with _stopping(record):
        yield constants


@contextlib.contextmanager
def replaying(constants: Constants) -> Iterator[None]:
    """While it lasts, `stop_gradient` gives what was recorded, in the same order."""
    left = iter(constants)

    def replay(array: Any) -> Any:
        constant = next(left, None)
        if constant is None or np.shape(constant) != np.shape(array):
            raise ObjectiveError(
                "beside the point the function went another way to stop_gradient than at the "
                "point, so that AutoFiniteDiff cannot tell which values are constants; branch "
                "with xp.where, or use AutoTorch(), AutoJax() or AutoAutograd()"
            )
        return constant

    with _stopping(replay):
        yield


@contextlib.contextmanager
def _stopping(function: Callable[[Any], Any]) -> Iterator[None]:
    _STOP.function, former = function, _STOP.function
    try:
        with stopping_host_gradients(function):
            yield
    finally:
        _STOP.function = former
