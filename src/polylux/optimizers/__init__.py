"""Optimizer rules: frozen values that say how gradients change parameters; and their schedules."""

from polylux.optimizers._accumulate import AccumulateGradients
from polylux.optimizers._adabelief import AdaBelief
from polylux.optimizers._adadelta import AdaDelta
from polylux.optimizers._adagrad import AdaGrad
from polylux.optimizers._adam import Adam, AdamW, AMSGrad
from polylux.optimizers._adamax import AdaMax
from polylux.optimizers._base import EntryRule, LeafRule, Rule
from polylux.optimizers._by_path import ByPath, by_path
from polylux.optimizers._chain import Chained, chain
from polylux.optimizers._clip import ClipNorm, ClipValue
from polylux.optimizers._decay import SignDecay, WeightDecay
from polylux.optimizers._frozen import Frozen
from polylux.optimizers._lion import Lion
from polylux.optimizers._nadam import NAdam
from polylux.optimizers._radam import RAdam
from polylux.optimizers._rmsprop import RMSProp
from polylux.optimizers._schedules import (
    Constant,
    Cosine,
    Linear,
    Piecewise,
    Product,
    Schedule,
    WarmUp,
)
from polylux.optimizers._sgd import SGD, Descent, Momentum, Nesterov

__all__ = [
    "SGD",
    "AMSGrad",
    "AccumulateGradients",
    "AdaBelief",
    "AdaDelta",
    "AdaGrad",
    "AdaMax",
    "Adam",
    "AdamW",
    "ByPath",
    "Chained",
    "ClipNorm",
    "ClipValue",
    "Constant",
    "Cosine",
    "Descent",
    "EntryRule",
    "Frozen",
    "LeafRule",
    "Linear",
    "Lion",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Piecewise",
    "Product",
    "RAdam",
    "RMSProp",
    "Rule",
    "Schedule",
    "SignDecay",
    "WarmUp",
    "WeightDecay",
    "by_path",
    "chain",
]
