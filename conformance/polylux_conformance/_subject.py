"""Subject: the backend under test, with what every check asks of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

import polylux
from polylux import ADType, registry
from polylux.backend import Accuracy, Backend, Capability
from polylux_conformance._settings import global_settings
from polylux_conformance._tolerance import allowed_ulps

Host = np.ndarray[Any, Any]


class Subject:
    """A selector, its loaded backend, and the short ways of the checks to both.

    Attributes
    ----------
    selector : ADType
        In the backend's own class.
    backend : Backend
    label : str
        How reports call it: the selector's `repr`.
    dtypes : tuple of str
        The floating dtypes that everything is checked in.
    settings : mapping
        Global settings when the backend had been loaded, and not been called yet.
    """

    def __init__(self, selector: ADType) -> None:
        self.backend: Backend
        self.backend, self.selector = registry.resolve(selector)
        self.label = repr(self.selector)
        exists = self.backend.float64 is not Accuracy.NONE
        self.dtypes = ("float64", "float32") if exists else ("float32",)
        self.settings = global_settings()

    @property
    def is_staged(self) -> bool:
        """Whether Python runs once for each trace under this selector."""
        return self.backend.is_staged(self.selector)

    @property
    def is_truncated(self) -> bool:
        """Whether derivatives are difference quotients."""
        return self.backend.derivatives is Accuracy.TRUNCATED

    def claims(self, *capabilities: Capability) -> bool:
        """Whether it claims all of these."""
        return self.backend.capabilities.issuperset(capabilities)

    def allowed(
        self, dtype: str, condition: float = 1.0, *, is_derivative: bool = False
    ) -> float:
        """Largest error that passes, in units in the last place of `dtype`."""
        if is_derivative and self.is_truncated:
            accuracy = Accuracy.TRUNCATED
        else:
            accuracy = self.backend.float64 if dtype == "float64" else Accuracy.EXACT
        return allowed_ulps(dtype, condition, accuracy, is_derivative=is_derivative)

    def floor(
        self, expected: Iterable[Any], *, by_entry: bool = False, is_derivative: bool = True
    ) -> float:
        """The magnitude below which errors are measured against it, for these true arrays.

        A difference quotient errs by as much as the whole function varies, and never by less than
        rounding of numbers of size 1.
        """
        if by_entry and not (is_derivative and self.is_truncated):
            return 0.0
        sizes = [np.max(np.abs(a)) for a in map(np.asarray, expected) if a.size]
        largest = max((float(s) for s in sizes if np.isfinite(s)), default=0.0)
        return max(1.0, largest) if is_derivative and self.is_truncated else largest

    def own(self, *arrays: Host) -> list[Any]:
        """These host arrays as arrays of the backend."""
        return list(polylux.to_backend(tuple(arrays), self.selector))

    def host(self, array: Any) -> Host:
        """The backend's array as one of numpy's."""
        return np.asarray(polylux.to_host(array))

    def owns(self, array: Any) -> bool:
        """Whether this is one of the backend's arrays."""
        return self.backend.owns(type(array))

    def partners(self) -> Iterator[ADType]:
        """Other backends to exchange arrays with: exact, and with arrays of their own."""
        own = [type(a) for a in self.own(np.ones(1, np.float32))]
        for info in registry.backends():
            if not info.available or info.name == self.backend.name:
                continue
            other, selector = registry.resolve(polylux.Auto(info.name))
            exact = (other.float64, other.derivatives) == (Accuracy.EXACT, Accuracy.EXACT)
            trains = Capability.GRADIENT in other.capabilities
            if exact and trains and not any(map(other.owns, own)):
                yield selector

    @contextlib.contextmanager
    def precision(self, *arrays: Any) -> Iterator[None]:
        """The context in which array code keeps the dtypes of these arrays."""
        scope = self.backend.precision_scope(arrays)
        with contextlib.nullcontext() if scope is None else scope:
            yield

    def preferred(self) -> contextlib.AbstractContextManager[None]:
        """A context in which arrays that several backends own count as this one's."""
        return registry.preferring(self.backend.name)

    def versions(self) -> Mapping[str, str]:
        """Name and version of polylux, of the framework and of numpy."""
        found = {"polylux": polylux.__version__, "numpy": np.__version__}
        name = self.backend.name
        version = next((i.version for i in registry.backends() if i.name == name), None)
        if version is not None:
            found[registry.plugins()[name].distribution] = version
        return found
