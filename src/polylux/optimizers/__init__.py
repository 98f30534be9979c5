"""Optimizer rules: frozen values that say how gradients change parameters."""

from polylux.optimizers._adam import Adam, AdamW
from polylux.optimizers._base import Rule
from polylux.optimizers._chain import Chained, chain
from polylux.optimizers._clip import ClipNorm
from polylux.optimizers._sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Chained", "ClipNorm", "Rule", "chain"]
