"""The plugin is light, and the backend claims what it does."""

from __future__ import annotations

import subprocess
import sys

import jax.numpy as jnp

import polylux_jax
from polylux.backend import Accuracy, Backend, Capability
from polylux.selectors import AutoJax
from polylux_jax._backend import JaxBackend


def test_the_plugin_is_read_without_importing_jax() -> None:
    code = "import polylux_jax, sys; print([m for m in sys.modules if m.startswith('jax')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_plugin_describes_the_backend() -> None:
    plugin = polylux_jax.plugin
    assert (plugin.name, plugin.selector, plugin.framework) == ("jax", AutoJax, "jax")
    assert plugin.backend == f"{JaxBackend.__module__}:{JaxBackend.__name__}"


def test_it_claims_everything_with_exact_float64() -> None:
    assert issubclass(JaxBackend, Backend)
    assert JaxBackend.capabilities == frozenset(Capability)
    assert JaxBackend.float64 is Accuracy.EXACT


def test_its_namespace_is_that_of_its_arrays() -> None:
    namespace = JaxBackend().namespace
    assert namespace is jnp.ones(3).__array_namespace__()
    assert namespace.__array_api_version__ >= "2024.12"


def test_xla_fuses_the_neutral_update() -> None:
    assert JaxBackend().fused_update(object(), True, AutoJax()) is None
