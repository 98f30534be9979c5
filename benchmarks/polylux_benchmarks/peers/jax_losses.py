"""The losses by optax's functions where it has them, else by hand; True marks its own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

EPS = float(np.finfo(np.float32).eps)


def mae(p: Any, t: Any) -> Any:
    return jnp.mean(jnp.abs(p - t))


def msle(p: Any, t: Any) -> Any:
    return jnp.mean(jnp.log((p + EPS) / (t + EPS)) ** 2)


def poisson(p: Any, t: Any) -> Any:
    return jnp.mean(p - t * jnp.log(p + EPS))


def squared_hinge(p: Any, t: Any) -> Any:
    return jnp.mean(jax.nn.relu(1 - t * p) ** 2)


def siamese(p: Any, t: Any) -> Any:
    return jnp.mean((1 - t) * p**2 + t * jax.nn.relu(1 - p) ** 2)


def bce(p: Any, t: Any) -> Any:
    return jnp.mean(-t * jnp.log(p + EPS) - (1 - t) * jnp.log(1 - p + EPS))


def binary_focal(p: Any, t: Any) -> Any:
    right = t * (p + EPS) + (1 - t) * (1 - p + EPS)
    return jnp.mean(-((1 - right) ** 2) * jnp.log(right))


def cross_entropy(p: Any, t: Any) -> Any:
    return -jnp.mean(jnp.sum(t * jnp.log(p + EPS), -1))


def focal(p: Any, t: Any) -> Any:
    shifted = p + EPS
    return -jnp.mean(jnp.sum(t * (1 - shifted) ** 2 * jnp.log(shifted), -1))


def dice(p: Any, t: Any) -> Any:
    both = jnp.sum(p * t, -1)
    return jnp.mean(1 - (2 * both + 1) / (jnp.sum(p * p, -1) + jnp.sum(t * t, -1) + 1))


FUNCTIONS: dict[str, tuple[Callable[[Any, Any], Any], bool]] = {
    "MAE": (mae, False),
    "MSLE": (msle, False),
    "Poisson": (poisson, False),
    "SquaredHinge": (squared_hinge, False),
    "Siamese": (siamese, False),
    "BCE": (bce, False),
    "BinaryFocal": (binary_focal, False),
    "CrossEntropy": (cross_entropy, False),
    "Focal": (focal, False),
    "Dice": (dice, False),
}

if importlib.util.find_spec("optax"):
    import optax

    FUNCTIONS |= {
        "MSE": (lambda p, t: jnp.mean(optax.squared_error(p, t)), True),
        "Huber": (lambda p, t: jnp.mean(optax.huber_loss(p, t)), True),
        "Hinge": (lambda p, t: jnp.mean(optax.hinge_loss(p, t)), True),
        "BCE logits": (lambda p, t: jnp.mean(optax.sigmoid_binary_cross_entropy(p, t)), True),
        "CrossEntropy logits": (
            lambda p, t: jnp.mean(optax.softmax_cross_entropy(p, t)),
            True,
        ),
        "CrossEntropy labels": (
            lambda p, t: jnp.mean(optax.softmax_cross_entropy_with_integer_labels(p, t)),
            True,
        ),
        "KL": (lambda p, t: jnp.mean(optax.kl_divergence(jnp.log(p + EPS), t)), True),
    }
else:
    FUNCTIONS |= {
        "MSE": (lambda p, t: jnp.mean((p - t) ** 2), False),
        "Huber": (
            lambda p, t: jnp.mean(
                jnp.where(jnp.abs(p - t) <= 1, (p - t) ** 2 / 2, jnp.abs(p - t) - 0.5)
            ),
            False,
        ),
        "Hinge": (lambda p, t: jnp.mean(jax.nn.relu(1 - t * p)), False),
        "BCE logits": (
            lambda p, t: jnp.mean(-t * jax.nn.log_sigmoid(p) - (1 - t) * jax.nn.log_sigmoid(-p)),
            False,
        ),
        "CrossEntropy logits": (
            lambda p, t: -jnp.mean(jnp.sum(t * jax.nn.log_softmax(p), -1)),
            False,
        ),
        "CrossEntropy labels": (
            lambda p, t: -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(p), t[:, None], axis=-1)),
            False,
        ),
        "KL": (
            lambda p, t: jnp.mean(jnp.sum(t * (jnp.log(t) - jnp.log(p + EPS)), -1)),
            False,
        ),
    }
