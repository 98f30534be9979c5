"""From a selector to its backend: discovery, checks and the cache of loaded backends."""

from polylux.registry._loading import BackendInfo
from polylux.registry._registry import (
    GROUP,
    Registry,
    backends,
    current,
    generation,
    load_backend,
    loaded_backends,
    plugins,
    preferring,
    register_backend,
    resolve,
)

__all__ = [
    "GROUP",
    "BackendInfo",
    "Registry",
    "backends",
    "current",
    "generation",
    "load_backend",
    "loaded_backends",
    "plugins",
    "preferring",
    "register_backend",
    "resolve",
]
