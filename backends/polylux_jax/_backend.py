"""JaxBackend: the contract's methods, each handed on to the file that holds its subject."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from polylux.backend import (
    Accuracy,
    Backend,
    Capability,
    DerivativeRule,
    Gradient,
    StepUpdate,
)
from polylux.errors import PolyluxError
from polylux.selectors import ADType
from polylux_jax import (
    _arrays,
    _diagnose,
    _gradient,
    _kernels,
    _namespace,
    _rules,
    _staging,
    _transforms,
)


class JaxBackend(Backend):
    """JAX: whole steps under `jax.jit`, or operation by operation with `AutoJax(jit=False)`."""

    name: ClassVar[str] = "jax"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.GRADIENT,
            Capability.FORWARD,
            Capability.REVERSE,
            Capability.SECOND_ORDER,
            Capability.CUSTOM_RULES,
            Capability.CHECKPOINT,
            Capability.VMAP,
            Capability.STAGING,
            Capability.DONATION,
            Capability.THREADS,
        }
    )
    float64: ClassVar[Accuracy] = Accuracy.EXACT  # inside its precision scope
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

    # Without a call more: these two are part of every step.
    to_device = staticmethod(_arrays.to_device)
    is_tracing = staticmethod(_staging.is_tracing)

    def from_foreign(self, arrays: Sequence[Any], selector: ADType) -> list[Any] | None:
        return _arrays.from_foreign(arrays, selector)

    def device(self, array: Any) -> str:
        return _arrays.device(array)

    def dtype(self, name: str) -> Any:
        return _arrays.dtype(name)

    def precision_scope(
        self, arrays: Sequence[Any]
    ) -> contextlib.AbstractContextManager[Any] | None:
        return _arrays.precision_scope(arrays)

    # --- values and derivatives ---------------------------------------------------------------

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

    def vmap(
        self,
        function: _transforms.Transformed,
        arguments: _transforms.Arrays,
        selector: ADType,
    ) -> _transforms.Arrays:
        return _transforms.vmap(function, arguments)

    # --- speed --------------------------------------------------------------------------------

    def stage(self, function: _staging.Staged, selector: ADType) -> _staging.Staged:
        return _staging.stage(function, selector)

    def stage_step(
        self,
        gradient: Gradient,
        update: StepUpdate,
        selector: ADType,
        *,
        can_join: bool = False,
        donated: bool = False,
    ) -> _staging.Staged:
        return _staging.stage_step(gradient, update, selector, can_join, donated)

    def compile(
        self, function: _staging.Compiled, leaves: Sequence[Any], selector: ADType
    ) -> _staging.Compiled | None:
        return _staging.compiled(function, leaves)

    def is_staged(self, selector: ADType) -> bool:
        return _staging.is_staged(selector)

    # --- errors -------------------------------------------------------------------------------

    def diagnose(self, error: BaseException) -> PolyluxError | None:
        return _diagnose.diagnose(error)
