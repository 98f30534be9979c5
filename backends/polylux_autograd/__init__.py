"""polylux_autograd: HIPS autograd behind polylux; found through the entry point `autograd`."""

from polylux.backend import Plugin
from polylux.selectors import AutoAutograd

plugin = Plugin(
    name="autograd",
    backend="polylux_autograd._backend:AutogradBackend",
    selector=AutoAutograd,
    framework="autograd",
    distribution="autograd",
    minimum="1.8",  # the first that was made for numpy 2.1 and later
    install="pip install 'polylux[autograd]'",
    array_modules=("polylux_autograd",),
)

__all__ = ["plugin"]
