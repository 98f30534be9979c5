"""The torch plugin: found without torch, and what its backend claims."""

from __future__ import annotations

import subprocess
import sys

from polylux import registry
from polylux.backend import Capability
from polylux.selectors import AutoTorch
from polylux_torch import plugin


def test_plugin_is_read_without_importing_torch() -> None:
    code = "import sys, polylux_torch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_plugin_names_the_backend_that_its_selector_asks_for() -> None:
    backend, selector = registry.resolve(AutoTorch())
    assert backend.name == plugin.name == AutoTorch.backend
    assert selector == AutoTorch()


def test_staging_is_only_for_compiled_selectors() -> None:
    backend, _ = registry.resolve(AutoTorch())
    assert Capability.STAGING in backend.capabilities
    assert not backend.is_staged(AutoTorch())
    assert backend.is_staged(AutoTorch(compile=True))
    assert backend.is_staged(AutoTorch(compile={}))


def test_stage_returns_the_function_itself_without_compile() -> None:
    backend, _ = registry.resolve(AutoTorch())

    def function(*groups: object) -> tuple[object, None]:
        return groups, None

    assert backend.stage(function, AutoTorch()) is function
