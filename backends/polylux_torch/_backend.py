"""TorchBackend: the contract's methods, each handed on to the file that holds its subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from polylux.backend import (
    Backend,
    Capability,
    DerivativeRule,
    Gradient,
    StepUpdate,
)
from polylux.errors import PolyluxError
from polylux.selectors import ADType
from polylux_torch import _arrays, _diagnose, _gradient, _optimizers, _rules, _staging, _transforms
from polylux_torch._kernels import KERNELS
from polylux_torch._namespace import namespace

Arrays = tuple[Any, ...]
Function = Callable[..., tuple[Any, Arrays]]
Map = Callable[..., tuple[Arrays, Arrays]]
Pull = Callable[[Arrays], Arrays]
Staged = Callable[..., tuple[Any, Any]]
Update = Callable[[Arrays, Arrays, tuple[Arrays, ...], int], tuple[Arrays, tuple[Arrays, ...]]]


class TorchBackend(Backend):
    """PyTorch: eager reverse and forward mode, or whole steps compiled by inductor."""

    name: ClassVar[str] = "torch"
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
    kernels: Mapping[str, Callable[..., Any]] = KERNELS

    # --- arrays -----------------------------------------------------------------------------

    @property
    def namespace(self) -> Any:
        return namespace

    def owns(self, array_type: type) -> bool:
        return issubclass(array_type, torch.Tensor)

    def from_host(self, arrays: Sequence[np.ndarray[Any, Any]], selector: ADType) -> list[Any]:
        return _arrays.from_host(arrays, selector)

    def to_host(self, arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        return _arrays.to_host(arrays)

    def stop_gradient(self, array: Any) -> Any:
        return array.detach()

    def copy(self, arrays: Sequence[Any], selector: ADType) -> list[Any]:
        return _arrays.copy(arrays)

    to_device = staticmethod(_arrays.to_device)

    def from_foreign(self, arrays: Sequence[Any], selector: ADType) -> list[Any] | None:
        return _arrays.from_foreign(arrays, selector)

    def device(self, array: Any) -> str:
        return str(array.device)

    def overwrite(self, target: Any, value: Any) -> bool:
        return _arrays.overwrite(target, value)

    def is_tracing(self) -> bool:
        return _gradient.is_tracing()

    # --- values and derivatives --------------------------------------------------------------

    def value(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        return _gradient.value(function, arguments)

    # Without a call more, since it is part of every step; so is `to_device`.
    value_and_gradient = staticmethod(_gradient.value_and_gradient)

    def pullback(
        self, function: Map, leaves: Arrays, selector: ADType
    ) -> tuple[Arrays, Pull, Arrays]:
        return _gradient.pullback(function, leaves)

    def pushforward(
        self, function: Map, leaves: Arrays, tangents: Arrays, selector: ADType
    ) -> tuple[Arrays, Arrays, Arrays]:
        return _gradient.pushforward(function, leaves, tangents)

    # --- derivatives by hand, and transformations ----------------------------------------------

    def custom_rule(self, rule: DerivativeRule) -> Callable[..., Any]:
        return _rules.custom_rule(rule)

    def checkpoint(
        self, function: Callable[..., Arrays], arguments: Arrays, selector: ADType
    ) -> Arrays:
        return _transforms.checkpoint(function, arguments)

    def vmap(
        self, function: Callable[..., Arrays], arguments: Arrays, selector: ADType
    ) -> Arrays:
        return _transforms.vmap(function, arguments)

    # --- speed -------------------------------------------------------------------------------

    def stage(self, function: Staged, selector: ADType) -> Staged:
        return _staging.stage(function, selector)

    def stage_step(
        self,
        gradient: Gradient,
        update: StepUpdate,
        selector: ADType,
        *,
        can_join: bool = False,
        donated: bool = False,
    ) -> Staged:
        return _staging.stage_step(gradient, update, selector, donated)

    def is_staged(self, selector: ADType) -> bool:
        return selector.compile is not False  # type: ignore[attr-defined]  # an AutoTorch

    def fused_update(self, rule: Any, in_place: bool, selector: ADType) -> Update | None:
        # A compiled step fuses the neutral update better than a kernel call inside it would be.
        return None if self.is_staged(selector) else _optimizers.fused_update(rule, in_place)

    # --- errors ------------------------------------------------------------------------------

    def diagnose(self, error: BaseException) -> PolyluxError | None:
        return _diagnose.diagnose(error)
