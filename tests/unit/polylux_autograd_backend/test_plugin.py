"""The plugin is light, and the backend claims what it does."""

from __future__ import annotations

import subprocess
import sys

import polylux_autograd
from polylux.backend import Accuracy, Backend, Capability
from polylux.selectors import AutoAutograd
from polylux_autograd import array_api as xp
from polylux_autograd._backend import AutogradBackend


def test_the_plugin_is_read_without_importing_autograd() -> None:
    code = "import polylux_autograd, sys; print([m for m in sys.modules if m == 'autograd'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_plugin_describes_the_backend() -> None:
    plugin = polylux_autograd.plugin
    assert (plugin.name, plugin.selector) == ("autograd", AutoAutograd)
    assert plugin.backend == f"{AutogradBackend.__module__}:{AutogradBackend.__name__}"


def test_it_claims_all_but_staging_donation_and_vmap() -> None:
    assert issubclass(AutogradBackend, Backend)
    assert frozenset(Capability) - AutogradBackend.capabilities == {
        Capability.STAGING,
        Capability.DONATION,
        Capability.VMAP,
    }
    assert AutogradBackend.float64 is Accuracy.EXACT


def test_its_namespace_is_that_of_its_arrays() -> None:
    assert AutogradBackend().namespace is xp.ones(3).__array_namespace__()
