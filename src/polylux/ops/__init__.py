"""Functions of arrays with the project's conventions at kinks, the same on every backend."""

from polylux.dtypes import MACHINE_EPSILON, dtype_name, kind_of
from polylux.ops._activations import ACTIVATIONS, activation
from polylux.ops._convolution import convolution
from polylux.ops._dropout import dropout
from polylux.ops._elementwise import identity, log_sigmoid, relu, sigmoid, silu, softplus, tanh
from polylux.ops._embedding import embedding
from polylux.ops._fold import foldl_init
from polylux.ops._gates import multigate
from polylux.ops._gelu import gelu
from polylux.ops._kinks import abs, clip, maximum, minimum, sign
from polylux.ops._linear import bilinear, dense, scale
from polylux.ops._logarithms import xlogx, xlogy
from polylux.ops._native import (
    TRAITS,
    Native,
    Traits,
    detach,
    in_precision,
    keeping_precision,
    native,
    natives,
)
from polylux.ops._normalization import batch_norm, group_norm, layer_norm, normalize, rms_norm
from polylux.ops._norms import hypot, norm
from polylux.ops._pooling import max_pool, mean_pool
from polylux.ops._properties import getproperty, istraining
from polylux.ops._random import random_words, uniform
from polylux.ops._recurrent import gru, gru_step, lstm, lstm_step
from polylux.ops._roots import rsqrt
from polylux.ops._scan import scan
from polylux.ops._slices import BatchFirst, TimeFirst, eachslice
from polylux.ops._softmax import log_softmax, logsumexp, softmax
from polylux.ops._windows import Pairs, output_lengths, same_padding

__all__ = [
    "ACTIVATIONS",
    "MACHINE_EPSILON",
    "TRAITS",
    "BatchFirst",
    "Native",
    "Pairs",
    "TimeFirst",
    "Traits",
    "abs",
    "activation",
    "batch_norm",
    "bilinear",
    "clip",
    "convolution",
    "dense",
    "detach",
    "dropout",
    "dtype_name",
    "eachslice",
    "embedding",
    "foldl_init",
    "gelu",
    "getproperty",
    "group_norm",
    "gru",
    "gru_step",
    "hypot",
    "identity",
    "in_precision",
    "istraining",
    "keeping_precision",
    "kind_of",
    "layer_norm",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "lstm",
    "lstm_step",
    "max_pool",
    "maximum",
    "mean_pool",
    "minimum",
    "multigate",
    "native",
    "natives",
    "norm",
    "normalize",
    "output_lengths",
    "random_words",
    "relu",
    "rms_norm",
    "rsqrt",
    "same_padding",
    "scale",
    "scan",
    "sigmoid",
    "sign",
    "silu",
    "softmax",
    "softplus",
    "tanh",
    "uniform",
    "xlogx",
    "xlogy",
]
