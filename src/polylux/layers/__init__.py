"""Layers: models `layer(x, ps, st) -> (y, st)` whose parameters live outside of them."""

from polylux.layers._base import Layer, parameter_count, setup, state_count
from polylux.layers._batch_norm import BatchNorm
from polylux.layers._bilinear import Bilinear
from polylux.layers._cells import Cell, GRUCell, LSTMCell, RNNCell
from polylux.layers._chain import Chain
from polylux.layers._compact import compact
from polylux.layers._compact_marks import init_fn, non_trainable
from polylux.layers._container import Container
from polylux.layers._conv import Conv
from polylux.layers._dense import Dense
from polylux.layers._dropout import Dropout
from polylux.layers._embedding import Embedding
from polylux.layers._flatten import Flatten
from polylux.layers._group_norm import GroupNorm
from polylux.layers._initializers import (
    glorot_normal,
    glorot_uniform,
    kaiming_normal,
    kaiming_uniform,
    normal,
    ones,
    orthogonal,
    truncated_normal,
    zeros,
)
from polylux.layers._layer_norm import LayerNorm
from polylux.layers._modes import testmode, trainmode, update_state
from polylux.layers._parallel import Parallel
from polylux.layers._pool import MaxPool, MeanPool
from polylux.layers._recurrence import Recurrence
from polylux.layers._rms_norm import RMSNorm
from polylux.layers._scale import Scale
from polylux.layers._skip import SkipConnection
from polylux.layers._stateful import StatefulLayer
from polylux.layers._wrapped import WrappedFunction

__all__ = [
    "BatchNorm",
    "Bilinear",
    "Cell",
    "Chain",
    "Container",
    "Conv",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GroupNorm",
    "LSTMCell",
    "Layer",
    "LayerNorm",
    "MaxPool",
    "MeanPool",
    "Parallel",
    "RMSNorm",
    "RNNCell",
    "Recurrence",
    "Scale",
    "SkipConnection",
    "StatefulLayer",
    "WrappedFunction",
    "compact",
    "glorot_normal",
    "glorot_uniform",
    "init_fn",
    "kaiming_normal",
    "kaiming_uniform",
    "non_trainable",
    "normal",
    "ones",
    "orthogonal",
    "parameter_count",
    "setup",
    "state_count",
    "testmode",
    "trainmode",
    "truncated_normal",
    "update_state",
    "zeros",
]
