"""DifferenceBackend: the smallest backend that trains a model."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import array_api_compat.numpy
import numpy as np

from polylux.backend import Accuracy, Backend, Capability
from polylux_finite_difference._selector import AutoDifference


class DifferenceBackend(Backend):
    """Numpy arrays, and a pushforward from two evaluations."""

    name: ClassVar[str] = "finite_difference"
    # A gradient, derived by polylux from the pushforward below. What is not claimed here raises
    # polylux's UnsupportedError when a user asks for it.
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.GRADIENT, Capability.FORWARD, Capability.THREADS}
    )
    # Some ten digits of float64's sixteen: what the conformance suite then allows.
    derivatives: ClassVar[Accuracy] = Accuracy.TRUNCATED

    def __init__(self) -> None:
        # One instance serves all threads of the process.
        self._constants = _Constants()

    @property
    def namespace(self) -> Any:
        return array_api_compat.numpy

    def owns(self, array_type: type) -> bool:
        # With this, numpy arrays are this backend's own and need not be moved.
        return issubclass(array_type, np.ndarray | np.generic)

    def from_host(self, arrays: Sequence[np.ndarray[Any, Any]], selector: Any) -> list[Any]:
        return [np.array(array) for array in arrays]  # copies: numpy arrays can be written to

    def to_host(self, arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        return [np.asarray(array) for array in arrays]

    def stop_gradient(self, array: Any) -> Any:
        # A tracing backend cuts its graph here. A difference quotient cannot see a graph: the
        # moved evaluations get the value that the unmoved one passed at this place.
        return self._constants.at_this_place(array)

    def pushforward(
        self, function: Any, leaves: tuple[Any, ...], tangents: tuple[Any, ...], selector: Any
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
        assert isinstance(selector, AutoDifference)
        with self._constants.recorded() as constants:
            outputs, aux = function(*leaves)
        if not any(np.any(tangent) for tangent in tangents):
            return outputs, tuple(np.zeros_like(output) for output in outputs), aux
        step = _step(leaves, selector)
        with self._constants.replayed(constants):
            ahead, _ = function(*_moved(leaves, tangents, step))
        with self._constants.replayed(constants):
            behind, _ = function(*_moved(leaves, tangents, -step))
        derivatives = tuple(
            np.asarray((a - b) / (2 * step), dtype=output.dtype)
            for a, b, output in zip(ahead, behind, outputs, strict=True)
        )
        return outputs, derivatives, aux


class _Constants(threading.local):
    """What `stop_gradient` was given, in order: recorded at the point, replayed beside it."""

    def __init__(self) -> None:
        self._recording: list[Any] | None = None
        self._replaying: Iterator[Any] | None = None

    def at_this_place(self, array: Any) -> Any:
        if self._replaying is not None:
            return next(self._replaying)
        if self._recording is not None:
            self._recording.append(array)
        return array

    @contextmanager
    def recorded(self) -> Iterator[list[Any]]:
        former, self._recording = self._recording, []
        try:
            yield self._recording
        finally:
            self._recording = former

    @contextmanager
    def replayed(self, constants: list[Any]) -> Iterator[None]:
        former, self._replaying = self._replaying, iter(constants)
        try:
            yield
        finally:
            self._replaying = former


def _step(leaves: tuple[Any, ...], selector: AutoDifference) -> float:
    relative = selector.step
    if relative is None:
        coarsest = max(float(np.finfo(leaf.dtype).eps) for leaf in leaves)
        relative = coarsest ** (1 / 3)
    largest = max((float(np.max(np.abs(leaf))) for leaf in leaves if leaf.size), default=0.0)
    return relative * max(1.0, largest)


def _moved(leaves: tuple[Any, ...], tangents: tuple[Any, ...], step: float) -> list[Any]:
    """The leaves, each moved along its tangent; new arrays, of unchanged dtype."""
    return [
        leaf + np.asarray(step, dtype=leaf.dtype) * tangent
        for leaf, tangent in zip(leaves, tangents, strict=True)
    ]
