"""Transformations of functions and values: what derivatives see, and when values are computed."""

from polylux.transforms._checkpoint import checkpoint
from polylux.transforms._stop_gradient import stop_gradient
from polylux.transforms._vmap import vmap

__all__ = ["checkpoint", "stop_gradient", "vmap"]
