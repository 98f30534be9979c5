"""HostBackend: numpy arrays without derivatives, behind `NoAutoDiff` and plain host calls."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from polylux.backend._capability import Capability
from polylux.backend._contract import Backend
from polylux.errors import DTypeError
from polylux.selectors import ADType


class _Stop(threading.local):
    """What `stop_gradient` of a numpy array calls in this thread."""

    function: Callable[[Any], Any] | None = None


_STOP = _Stop()


@contextlib.contextmanager
def stopping_host_gradients(function: Callable[[Any], Any]) -> Iterator[None]:
    """Within this context, in this thread, `stop_gradient` of a numpy array calls `function`.

    For a backend that differentiates on numpy arrays: their type does not tell that it is at work.

    Parameters
    ----------
    function : callable
        Of an array, to an array of the same shape and dtype.

    Yields
    ------
    None

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import stop_gradient
    >>> with stopping_host_gradients(np.negative):
    ...     stop_gradient(np.ones(2))
    array([-1., -1.])
    """
    _STOP.function, former = function, _STOP.function
    try:
        yield
    finally:
        _STOP.function = former


class HostBackend(Backend):
    """Numpy on the host; array code runs, nothing is differentiated."""

    name: ClassVar[str] = "host"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.CHECKPOINT, Capability.THREADS}
    )

    @property
    def namespace(self) -> Any:
        # Imported at first use: it costs as much as the rest of polylux together.
        import array_api_compat.numpy

        return array_api_compat.numpy

    def owns(self, array_type: type) -> bool:
        return issubclass(array_type, np.ndarray | np.generic)

    def from_host(self, arrays: Sequence[np.ndarray[Any, Any]], selector: ADType) -> list[Any]:
        return [np.array(array) for array in arrays]

    def to_host(self, arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        return [np.asarray(array) for array in arrays]

    def stop_gradient(self, array: Any) -> Any:
        return array if _STOP.function is None else _STOP.function(array)

    def copy(self, arrays: Sequence[Any], selector: ADType) -> list[Any]:
        return [np.array(array) for array in arrays]

    def dtype(self, name: str) -> Any:
        if name == "bfloat16":
            return _bfloat16()
        return np.dtype(name)

    def overwrite(self, target: Any, value: Any) -> bool:
        if not (isinstance(target, np.ndarray) and target.flags.writeable):
            return False
        np.copyto(target, value)
        return True

    def checkpoint(
        self, function: Callable[..., tuple[Any, ...]], arguments: tuple[Any, ...], selector: ADType
    ) -> tuple[Any, ...]:
        return function(*arguments)  # without a backward pass nothing is kept for it


def _bfloat16() -> Any:
    try:
        # Optional, and of no framework: it gives numpy the dtype that frameworks have.
        import ml_dtypes
    except ImportError:
        raise DTypeError(
            "numpy has no bfloat16 of its own; run: pip install ml_dtypes, or use float16"
        ) from None
    return np.dtype(ml_dtypes.bfloat16)
