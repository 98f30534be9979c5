"""Losses: frozen, hashable values that are functions of two arrays, and objectives."""

from polylux.losses._base import Loss
from polylux.losses._binary import BinaryCrossEntropyLoss, BinaryFocalLoss
from polylux.losses._classification import CrossEntropyLoss, FocalLoss, KLDivergenceLoss
from polylux.losses._generic import GenericLossFunction
from polylux.losses._kernels import mse, softmax_cross_entropy, softmax_cross_entropy_mean
from polylux.losses._margin import HingeLoss, SiameseContrastiveLoss, SquaredHingeLoss
from polylux.losses._overlap import DiceCoeffLoss
from polylux.losses._regression import (
    HuberLoss,
    L1Loss,
    L2Loss,
    MAELoss,
    MSELoss,
    MSLELoss,
    PoissonLoss,
)

__all__ = [
    "BinaryCrossEntropyLoss",
    "BinaryFocalLoss",
    "CrossEntropyLoss",
    "DiceCoeffLoss",
    "FocalLoss",
    "GenericLossFunction",
    "HingeLoss",
    "HuberLoss",
    "KLDivergenceLoss",
    "L1Loss",
    "L2Loss",
    "Loss",
    "MAELoss",
    "MSELoss",
    "MSLELoss",
    "PoissonLoss",
    "SiameseContrastiveLoss",
    "SquaredHingeLoss",
    "mse",
    "softmax_cross_entropy",
    "softmax_cross_entropy_mean",
]
