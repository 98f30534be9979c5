"""Fixtures for tests of array code: every array library that the core runs on."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polylux
from polylux import AutoAutograd, AutoJax, AutoTorch
from polylux.registry import _registry

SELECTORS = {"torch": AutoTorch(), "jax": AutoJax(), "autograd": AutoAutograd()}


@dataclasses.dataclass(frozen=True)
class Library:
    """One array library, by the name that a test id shows."""

    name: str

    @property
    def selector(self) -> polylux.ADType:
        return SELECTORS[self.name]

    @property
    def dtypes(self) -> Any:
        """The namespace that has `float64` and its kin as attributes."""
        if self.name in SELECTORS:
            return polylux.array_namespace(self.array(0.0))
        return np if self.name == "numpy" else importlib.import_module("array_api_strict")

    def array(self, values: Any, dtype: Any = np.float64) -> Any:
        """These numbers as an array of the library, of a numpy dtype."""
        host = np.asarray(values, dtype=dtype)
        if self.name == "numpy":
            return host
        if self.name == "strict":
            return importlib.import_module("array_api_strict").asarray(host)
        return polylux.to_backend(host, self.selector)

    def host(self, array: Any) -> np.ndarray[Any, Any]:
        """The array as one of numpy's, of its dtype."""
        if self.name in SELECTORS:
            assert polylux.selector_of(array) == self.selector
            return np.asarray(polylux.to_host(array))
        return np.asarray(array)


@pytest.fixture(params=["numpy", "strict", "torch", "jax", "autograd"])
def library(request: pytest.FixtureRequest) -> Library:
    """Each array library that array code must run on."""
    return Library(request.param)


@pytest.fixture(params=["torch", "jax", "autograd"])
def differentiating(request: pytest.FixtureRequest) -> Library:
    """Each array library whose backend differentiates."""
    return Library(request.param)


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[_registry._Registry]:
    """An empty registry in place of the process's own; neither uses what was found by the other."""
    own = _registry._Registry()
    own.generation = 10**6
    monkeypatch.setattr(_registry, "_REGISTRY", own)
    own.changed()
    yield own
    own.changed()
