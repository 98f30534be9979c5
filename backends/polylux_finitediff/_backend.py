"""FiniteDiffBackend: the contract's methods, each handed on to the file that holds its subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from polylux.backend import Accuracy, Backend, Capability
from polylux.selectors import ADType, AutoFiniteDiff
from polylux_finitediff import _arrays, _gradient, _namespace, _transforms


class FiniteDiffBackend(Backend):
    """Central differences on numpy arrays: forward mode, and gradients entry by entry."""

    name: ClassVar[str] = "finitediff"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.GRADIENT,
            Capability.FORWARD,
            Capability.CHECKPOINT,
            Capability.THREADS,
        }
    )
    float64: ClassVar[Accuracy] = Accuracy.EXACT
    derivatives: ClassVar[Accuracy] = Accuracy.TRUNCATED

    # --- arrays -----------------------------------------------------------------------------

    @property
    def namespace(self) -> Any:
        return _namespace.NAMESPACE

    def owns(self, array_type: type) -> bool:
        return _arrays.owns(array_type)

    def from_host(self, arrays: Sequence[np.ndarray[Any, Any]], selector: ADType) -> list[Any]:
        return _arrays.from_host(arrays)

    def to_host(self, arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        return _arrays.to_host(arrays)

    def stop_gradient(self, array: Any) -> Any:
        return _arrays.stop_gradient(array)

    # --- values and derivatives --------------------------------------------------------------

    def pushforward(
        self,
        function: _gradient.Map,
        leaves: _gradient.Arrays,
        tangents: _gradient.Arrays,
        selector: ADType,
    ) -> tuple[_gradient.Arrays, _gradient.Arrays, _gradient.Arrays]:
        order, step = _order_and_step(selector)
        return _gradient.pushforward(function, leaves, tangents, order, step)

    def calls_of_pushforward(self, selector: ADType) -> int:
        return _order_and_step(selector)[0] + 1

    # --- derivatives by hand, and transformations ----------------------------------------------

    def checkpoint(
        self,
        function: _transforms.Transformed,
        arguments: _transforms.Arrays,
        selector: ADType,
    ) -> _transforms.Arrays:
        return _transforms.checkpoint(function, arguments)


def _order_and_step(selector: ADType) -> tuple[int, float | None]:
    assert isinstance(selector, AutoFiniteDiff)  # by the registry's promise
    return selector.order, selector.step
