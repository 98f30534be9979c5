"""Functions of arrays with the project's conventions at kinks, the same on every backend."""

from polylux.dtypes import MACHINE_EPSILON, dtype_name, kind_of
from polylux.ops._activations import ACTIVATIONS, activation
from polylux.ops._elementwise import identity, log_sigmoid, relu, sigmoid, silu, softplus, tanh
from polylux.ops._gelu import gelu
from polylux.ops._linear import dense
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
from polylux.ops._softmax import log_softmax, logsumexp, softmax

__all__ = [
    "ACTIVATIONS",
    "MACHINE_EPSILON",
    "TRAITS",
    "Native",
    "Traits",
    "activation",
    "dense",
    "detach",
    "dtype_name",
    "gelu",
    "identity",
    "in_precision",
    "keeping_precision",
    "kind_of",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "native",
    "natives",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]
