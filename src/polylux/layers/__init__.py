"""Layers: models `layer(x, ps, st) -> (y, st)` whose parameters live outside of them."""

from polylux.layers._base import Layer, parameter_count, setup, state_count
from polylux.layers._chain import Chain
from polylux.layers._compact import compact
from polylux.layers._compact_values import init_fn, non_trainable
from polylux.layers._container import Container
from polylux.layers._dense import Dense
from polylux.layers._initializers import glorot_uniform, zeros
from polylux.layers._modes import testmode, trainmode, update_state
from polylux.layers._parallel import Parallel
from polylux.layers._skip import SkipConnection
from polylux.layers._stateful import StatefulLayer
from polylux.layers._wrapped import WrappedFunction

__all__ = [
    "Chain",
    "Container",
    "Dense",
    "Layer",
    "Parallel",
    "SkipConnection",
    "StatefulLayer",
    "WrappedFunction",
    "compact",
    "glorot_uniform",
    "init_fn",
    "non_trainable",
    "parameter_count",
    "setup",
    "state_count",
    "testmode",
    "trainmode",
    "update_state",
    "zeros",
]
