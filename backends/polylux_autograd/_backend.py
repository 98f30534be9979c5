"""AutogradBackend: the contract's methods, each handed on to the file that holds its subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from polylux.backend import Accuracy, Backend, Capability, DerivativeRule
from polylux.errors import PolyluxError
from polylux.selectors import ADType
from polylux_autograd import (
    _arrays,
    _diagnose,
    _gradient,
    _kernels,
    _namespace,
    _optimizers,
    _rules,
    _staging,
    _transforms,
)


class AutogradBackend(Backend):
    """HIPS autograd: an array type and namespace of our own on its public tape."""

    name: ClassVar[str] = "autograd"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.GRADIENT,
            Capability.FORWARD,
            Capability.REVERSE,
            Capability.SECOND_ORDER,
            Capability.CUSTOM_RULES,
            Capability.CHECKPOINT,
            Capability.THREADS,
        }
    )
    float64: ClassVar[Accuracy] = Accuracy.EXACT
    kernels: Mapping[str, Callable[..., Any]] = _kernels.KERNELS

    # --- arrays -----------------------------------------------------------------------------

    @property
    def namespace(self) -> Any:
        return _namespace.NAMESPACE

    def owns(self, array_type: type) -> bool:
        return _arrays.owns(array_type)

    def from_host(self, arrays: Sequence[np.ndarray[Any, Any]], selector: ADType) -> list[Any]:
        return _arrays.from_host(arrays, selector)

    def to_host(self, arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        return _arrays.to_host(arrays)

    def stop_gradient(self, array: Any) -> Any:
        return _arrays.stop_gradient(array)

    def copy(self, arrays: Sequence[Any], selector: ADType) -> list[Any]:
        return _arrays.copy(arrays, selector)

    def to_device(self, arrays: Sequence[Any], selector: ADType) -> list[Any]:
        return _arrays.to_device(arrays, selector)

    def from_foreign(self, arrays: Sequence[Any], selector: ADType) -> list[Any] | None:
        return _arrays.from_foreign(arrays, selector)

    def device(self, array: Any) -> str:
        return _arrays.device(array)

    def is_tracing(self) -> bool:
        return _staging.is_tracing()

    # --- values and derivatives ---------------------------------------------------------------

    def value(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        return _gradient.value(function, arguments)

    def value_and_gradient(
        self, function: _gradient.Function, leaves: _gradient.Arrays, selector: ADType
    ) -> tuple[Any, _gradient.Arrays, _gradient.Arrays]:
        return _gradient.value_and_gradient(function, leaves)

    def pullback(
        self, function: _gradient.Map, leaves: _gradient.Arrays, selector: ADType
    ) -> tuple[_gradient.Arrays, _gradient.Pull, _gradient.Arrays]:
        return _gradient.pullback(function, leaves)

    def pushforward(
        self,
        function: _gradient.Map,
        leaves: _gradient.Arrays,
        tangents: _gradient.Arrays,
        selector: ADType,
    ) -> tuple[_gradient.Arrays, _gradient.Arrays, _gradient.Arrays]:
        return _gradient.pushforward(function, leaves, tangents)

    # --- derivatives by hand, and transformations ----------------------------------------------

    def custom_rule(self, rule: DerivativeRule) -> Callable[..., Any]:
        return _rules.custom_rule(rule)

    def checkpoint(
        self,
        function: _transforms.Transformed,
        arguments: _transforms.Arrays,
        selector: ADType,
    ) -> _transforms.Arrays:
        return _transforms.checkpoint(function, arguments)

    # --- speed --------------------------------------------------------------------------------

    def is_staged(self, selector: ADType) -> bool:
        return _staging.is_staged(selector)

    def fused_update(
        self, rule: Any, in_place: bool, selector: ADType
    ) -> _optimizers.Update | None:
        return _optimizers.fused_update(rule, in_place, selector)

    # --- errors -------------------------------------------------------------------------------

    def diagnose(self, error: BaseException) -> PolyluxError | None:
        return _diagnose.diagnose(error)
