"""Layers: models `layer(x, ps, st) -> (y, st)` whose parameters live outside of them."""

from polylux.layers._base import Layer, parameter_count, setup
from polylux.layers._chain import Chain
from polylux.layers._dense import Dense
from polylux.layers._initializers import glorot_uniform, zeros

__all__ = ["Chain", "Dense", "Layer", "glorot_uniform", "parameter_count", "setup", "zeros"]
