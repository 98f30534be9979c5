"""The PyTorch plugin: what polylux must know of it before torch is imported."""

from polylux.backend import Plugin
from polylux.selectors import AutoTorch

__all__ = ["plugin"]

plugin = Plugin(
    name="torch",
    backend="polylux_torch._backend:TorchBackend",
    selector=AutoTorch,
    framework="torch",
    distribution="torch",
    minimum="2.13",
    install="pip install 'polylux[torch]'",
    array_modules=("torch",),
)
