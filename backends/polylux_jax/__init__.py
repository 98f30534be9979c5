"""polylux_jax: JAX behind polylux; found through the entry point `jax`, imports no JAX itself."""

from polylux.backend import Plugin
from polylux.selectors import AutoJax

plugin = Plugin(
    name="jax",
    backend="polylux_jax._backend:JaxBackend",
    selector=AutoJax,
    framework="jax",
    distribution="jax",
    minimum="0.8",  # the first with `jax.enable_x64` as a scope
    install="pip install 'polylux[jax]'",
    array_modules=("jax", "jaxlib"),
)

__all__ = ["plugin"]
