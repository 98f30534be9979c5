"""The finite-difference plugin: what polylux must know of it before its backend is loaded."""

from polylux.backend import Plugin
from polylux.selectors import AutoFiniteDiff

__all__ = ["plugin"]

plugin = Plugin(
    name="finitediff",
    backend="polylux_finitediff._backend:FiniteDiffBackend",
    selector=AutoFiniteDiff,
    framework="numpy",  # and so always there
    distribution="numpy",
    minimum="2.1",
    install="pip install polylux",
)
