"""The losses in plain autograd.numpy, as its users write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np

EPS = np.finfo(np.float32).eps


def _log_softmax(z: Any) -> Any:
    shifted = z - anp.max(z, axis=-1, keepdims=True)
    return shifted - anp.log(anp.sum(anp.exp(shifted), axis=-1, keepdims=True))


def huber(p: Any, t: Any) -> Any:
    d = anp.abs(p - t)
    return anp.mean(anp.where(d <= 1, 0.5 * d**2, d - 0.5))


def labels(p: Any, t: Any) -> Any:
    return -anp.mean(_log_softmax(p)[np.arange(len(t)), t])


def bce_logits(p: Any, t: Any) -> Any:
    return anp.mean(t * anp.logaddexp(0, -p) + (1 - t) * anp.logaddexp(0, p))


def binary_focal(p: Any, t: Any) -> Any:
    right = t * (p + EPS) + (1 - t) * (1 - p + EPS)
    return anp.mean(-((1 - right) ** 2) * anp.log(right))


def focal(p: Any, t: Any) -> Any:
    shifted = p + EPS
    return -anp.mean(anp.sum(t * (1 - shifted) ** 2 * anp.log(shifted), axis=-1))


def dice(p: Any, t: Any) -> Any:
    both = anp.sum(p * t, axis=-1)
    return anp.mean(1 - (2 * both + 1) / (anp.sum(p * p, axis=-1) + anp.sum(t * t, axis=-1) + 1))


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "MSE": lambda p, t: anp.mean((p - t) ** 2),
    "MAE": lambda p, t: anp.mean(anp.abs(p - t)),
    "Huber": huber,
    "MSLE": lambda p, t: anp.mean(anp.log((p + EPS) / (t + EPS)) ** 2),
    "Poisson": lambda p, t: anp.mean(p - t * anp.log(p + EPS)),
    "Hinge": lambda p, t: anp.mean(anp.maximum(0, 1 - t * p)),
    "SquaredHinge": lambda p, t: anp.mean(anp.maximum(0, 1 - t * p) ** 2),
    "Siamese": lambda p, t: anp.mean((1 - t) * p**2 + t * anp.maximum(0, 1 - p) ** 2),
    "BCE logits": bce_logits,
    "BCE": lambda p, t: anp.mean(-t * anp.log(p + EPS) - (1 - t) * anp.log(1 - p + EPS)),
    "BinaryFocal": binary_focal,
    "CrossEntropy logits": lambda p, t: -anp.mean(anp.sum(t * _log_softmax(p), axis=-1)),
    "CrossEntropy labels": labels,
    "CrossEntropy": lambda p, t: -anp.mean(anp.sum(t * anp.log(p + EPS), axis=-1)),
    "Focal": focal,
    "KL": lambda p, t: anp.mean(anp.sum(t * (np.log(t) - anp.log(p + EPS)), axis=-1)),
    "Dice": dice,
}
