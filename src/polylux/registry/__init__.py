"""From a selector to its backend: discovery, checks and the cache of loaded backends."""

from polylux.registry._loading import BackendInfo
from polylux.registry._registry import (
    GROUP,
    backends,
    drop_with_changes,
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
    "backends",
    "drop_with_changes",
    "generation",
    "load_backend",
    "loaded_backends",
    "plugins",
    "preferring",
    "register_backend",
    "resolve",
]
