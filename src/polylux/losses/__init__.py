"""Losses: frozen, hashable values that are functions of two arrays, and objectives."""

from polylux.losses._base import Loss
from polylux.losses._classification import CrossEntropyLoss
from polylux.losses._kernels import mse, softmax_cross_entropy, softmax_cross_entropy_mean
from polylux.losses._regression import L2Loss, MSELoss

__all__ = [
    "CrossEntropyLoss",
    "L2Loss",
    "Loss",
    "MSELoss",
    "mse",
    "softmax_cross_entropy",
    "softmax_cross_entropy_mean",
]
