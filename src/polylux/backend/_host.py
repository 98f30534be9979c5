"""HostBackend: numpy arrays without derivatives, behind `NoAutoDiff` and plain host calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from polylux.backend._capability import Capability
from polylux.backend._contract import Backend
from polylux.selectors import ADType


class HostBackend(Backend):
    """Numpy on the host; array code runs, nothing is differentiated."""

    name: ClassVar[str] = "host"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.THREADS})

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
        return array

    def copy(self, arrays: Sequence[Any], selector: ADType) -> list[Any]:
        return [np.array(array) for array in arrays]
